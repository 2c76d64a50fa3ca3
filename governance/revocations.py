"""Revocations: signed records that take back an approval or a site's place on the roster.

Kept beside what they revoke. One that was altered stops whoever reads it: to overlook a revocation is to undo it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import IntegrityError
from contracts.feature_spec import Frozen
from contracts.messages import Digest, Key, SiteName
from governance.signing import Identity, open_record, sign_record

SUFFIX = ".revoked.json"
APPROVAL_KIND = "approval_revocation"
SITE_KIND = "site_revocation"


class ApprovalRevocation(Frozen):
    """Attributes:
    approval: digest of the approval's record.
    signer: public key (hex) of whoever revokes: the commission, or an approver of the roster.
    at: UTC, ISO 8601. reason: in words, no patient values.
    """

    approval: Digest
    name: str
    signer: Key
    reason: str
    at: str


class SiteRevocation(Frozen):
    """``site`` is off every later roster of the region until the commission takes it back with another identity."""

    region: str
    site: SiteName
    identity: Key
    reason: str
    at: str


@dataclass(frozen=True)
class Revoked:
    """Digests of approvals that were revoked.

    Attributes:
        named: by the commission or an approver whom the roster names: for good.
        others: by somebody whom it does not name, perhaps an approver of an earlier one: while the file is there.
    """

    named: frozenset[str]
    others: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.named | self.others


def sign_approval_revocation(signer: Identity, approval: str, name: str, reason: str, at: str) -> bytes:
    """A revocation of the approval with this digest, as a signed record."""
    revocation = ApprovalRevocation(approval=approval, name=name, signer=signer.public, reason=reason, at=at)
    return sign_record(signer, APPROVAL_KIND, revocation)


def sign_site_revocation(commission: Identity, revocation: SiteRevocation) -> bytes:
    """The revocation as a signed record."""
    return sign_record(commission, SITE_KIND, revocation)


def read_approval_revocations(folder: Path, signers: tuple[str, ...]) -> Revoked:
    """What ``folder/*.revoked.json`` revokes.

    Args:
        signers: public keys (hex) of those who may revoke: the commission and the approvers.

    Raises:
        IntegrityError: a file is no revocation, or not what its signer signed.
    """
    found = [_read(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return Revoked(
        frozenset(one.approval for one in found if one.signer in signers),
        frozenset(one.approval for one in found if one.signer not in signers),
    )


def read_site_revocations(folder: Path, region: str, commission: str) -> dict[str, SiteRevocation]:
    """Revocations in ``folder/*.revoked.json`` by site. Raises IntegrityError when one is not the commission's."""
    revoked = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        revocation = open_record(path.read_bytes(), SITE_KIND, SiteRevocation, commission)
        if revocation.region == region:
            revoked[revocation.site] = revocation
    return revoked


def _read(path: Path) -> ApprovalRevocation:
    data = path.read_bytes()
    try:
        signer = str(json.loads(data)["record"]["signer"])
        return open_record(data, APPROVAL_KIND, ApprovalRevocation, signer)
    except (ValueError, KeyError, TypeError, IntegrityError) as error:
        raise IntegrityError(f"{path} is no revocation, or was altered: restore it from a backup") from error
