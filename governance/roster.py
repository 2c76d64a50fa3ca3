"""The roster: the sites that learn together, their identities, and the authority's, signed by the commission.

Its version only rises. The coordinator can neither add a site nor swap the authority's key (SECURE_SUM rule 4).
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, model_validator

from contracts.errors import IntegrityError
from contracts.feature_spec import Frozen
from contracts.messages import Count, Digest, Key, SiteName
from governance.files import write_durable
from governance.quorum import default_quorum
from governance.signing import Identity, open_record, record_digest, sign_record

KIND = "roster"


class Member(Frozen):
    """A site and the Ed25519 public key of its identity (hex)."""

    site: SiteName
    identity: Key


class Roster(Frozen):
    """Attributes:
    region: the region's name.
    version: rises with every change.
    members: the sites, by name.
    authority: Ed25519 public key of the key authority (hex).
    commission: Ed25519 public key of the commission that signs rosters and approvals (hex).
    tls_root: SHA-256 of the DER certificate that all TLS of the region chains to.
    quorum: fewest sites in an opened sum.
    threshold: sites that must agree to unmask.
    """

    region: str
    version: Count
    members: tuple[Member, ...] = Field(min_length=1)
    authority: Key
    commission: Key
    tls_root: Digest
    quorum: Count
    threshold: Count

    @model_validator(mode="after")
    def _sound(self) -> Roster:
        names = [member.site for member in self.members]
        if names != sorted(set(names)):
            raise ValueError("members are sorted by site and each site is there once")
        if len({member.identity for member in self.members}) != len(names):
            raise ValueError("two members share an identity")
        if not (1 <= self.quorum <= len(names) and self.quorum <= self.threshold <= len(names)):
            raise ValueError("quorum and threshold lie between 1 and the number of sites, quorum <= threshold")
        return self

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(member.site for member in self.members)

    @property
    def digest(self) -> str:
        return record_digest(KIND, self)

    def identity(self, site: str) -> str | None:
        """Public key of a site, None when it is not on the roster."""
        return next((member.identity for member in self.members if member.site == site), None)


def make_roster(
    region: str,
    identities: dict[str, str],
    *,
    authority: str,
    commission: Identity,
    tls_root: str,
    version: int = 1,
    quorum: int | None = None,
) -> bytes:
    """A signed roster of ``{site: public key}``. ``quorum`` None is the protocol's default."""
    quorum = default_quorum(len(identities)) if quorum is None else quorum
    members = tuple(Member(site=site, identity=identities[site]) for site in sorted(identities))
    roster = Roster(
        region=region,
        version=version,
        members=members,
        authority=authority,
        commission=commission.public,
        tls_root=tls_root,
        quorum=quorum,
        threshold=max(quorum, default_quorum(len(identities))),
    )
    return sign_record(commission, KIND, roster)


def read_roster(data: bytes, commission: str) -> Roster:
    """Check a signed roster against the commission's public key (hex). Raises IntegrityError."""
    roster = open_record(data, KIND, Roster, commission)
    if roster.commission != commission:
        raise IntegrityError("the roster names another commission than the one that signed it")
    return roster


def load_roster(path: Path, commission: str, memory: Path | None = None) -> Roster:
    """Read a signed roster file.

    Args:
        memory: a file of this party that remembers the highest version seen for the region; None: not remembered.

    Raises:
        IntegrityError: not signed by the commission, or older than (or different from) one that was seen before.
    """
    roster = read_roster(path.read_bytes(), commission)
    if memory is not None:
        _remember(roster, memory)
    return roster


def _remember(roster: Roster, memory: Path) -> None:
    version, digest = -1, ""
    if memory.exists():
        seen = json.loads(memory.read_text())
        version, digest = int(seen["version"]), str(seen["digest"])
    if roster.version < version:
        raise IntegrityError(
            f"roster version {roster.version} is older than version {version} seen before: get the new one"
        )
    if roster.version == version and roster.digest != digest:
        raise IntegrityError(f"two different rosters of version {version}: ask the commission which is true")
    if roster.version > version:
        write_durable(memory, json.dumps({"version": roster.version, "digest": roster.digest}).encode())
