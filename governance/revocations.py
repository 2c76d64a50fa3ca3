"""Revocations: signed records that take back an approval or a site's place on the roster.

Kept beside what they revoke. One that was altered stops whoever reads it: to overlook a revocation is to undo it.
"""

from __future__ import annotations

from pathlib import Path

from contracts.errors import IntegrityError
from contracts.feature_spec import Frozen
from contracts.messages import Digest, Key, SiteName
from governance.signing import Identity, open_record, sign_record

SUFFIX = ".revoked.json"
APPROVAL_KIND = "approval_revocation"
SITE_KIND = "site_revocation"


class ApprovalRevocation(Frozen):
    """``approval``: digest of the approval's record; ``at``: UTC, ISO 8601; ``reason``: in words, no patient values."""

    approval: Digest
    name: str
    reason: str
    at: str


class SiteRevocation(Frozen):
    """``site`` is off every later roster of the region until the commission takes it back with another identity."""

    region: str
    site: SiteName
    identity: Key
    reason: str
    at: str


def sign_approval_revocation(signer: Identity, revocation: ApprovalRevocation) -> bytes:
    """The revocation as a signed record. ``signer``: the commission, or an approver of the roster."""
    return sign_record(signer, APPROVAL_KIND, revocation)


def sign_site_revocation(commission: Identity, revocation: SiteRevocation) -> bytes:
    """The revocation as a signed record."""
    return sign_record(commission, SITE_KIND, revocation)


def read_approval_revocations(folder: Path, signers: tuple[str, ...]) -> dict[str, ApprovalRevocation]:
    """Revocations in ``folder/*.revoked.json`` by digest of the approval.

    Args:
        signers: public keys (hex) of those who may revoke: the commission and the approvers.

    Raises:
        IntegrityError: a file is no revocation that one of them signed.
    """
    found = [_read(path, signers) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return {revocation.approval: revocation for revocation in found}


def read_site_revocations(folder: Path, region: str, commission: str) -> dict[str, SiteRevocation]:
    """Revocations in ``folder/*.revoked.json`` by site. Raises IntegrityError when one is not the commission's."""
    revoked = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        revocation = open_record(path.read_bytes(), SITE_KIND, SiteRevocation, commission)
        if revocation.region == region:
            revoked[revocation.site] = revocation
    return revoked


def _read(path: Path, signers: tuple[str, ...]) -> ApprovalRevocation:
    for signer in signers:
        try:
            return open_record(path.read_bytes(), APPROVAL_KIND, ApprovalRevocation, signer)
        except IntegrityError:
            continue
    raise IntegrityError(f"{path} is no revocation of the commission or an approver: restore it from a backup")
