"""The roster: the sites that learn together, their identities, and the authority's, signed by the commission.

Its version only rises. The coordinator can neither add a site nor swap the authority's key (SECURE_SUM rule 4).
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from contracts.errors import IntegrityError
from contracts.feature_spec import Frozen
from contracts.messages import Count, Digest, Key, SiteName
from governance.files import write_durable
from governance.quorum import allowed_quorums, default_quorum
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
    approvers: Ed25519 public keys (hex) of those who countersign approvals; none: the commission's signature is enough.
    approvals_needed: how many different approvers an approval needs.
    """

    region: str
    version: Count
    members: tuple[Member, ...] = Field(min_length=1)
    authority: Key
    commission: Key
    tls_root: Digest
    quorum: Count
    threshold: Count
    approvers: tuple[Key, ...] = ()
    approvals_needed: Count = 1

    @model_validator(mode="after")
    def _sound(self) -> Roster:
        names = [member.site for member in self.members]
        if names != sorted(set(names)):
            raise ValueError("members are sorted by site and each site is there once")
        if len({member.identity for member in self.members}) != len(names):
            raise ValueError("two members share an identity")
        if not default_quorum(len(names)) <= self.quorum <= self.threshold <= len(names):
            raise ValueError(f"quorum {self.quorum}, threshold {self.threshold}: {allowed_quorums(len(names))}")
        if len({*self.approvers, self.commission, self.authority}) != len(self.approvers) + 2:
            raise ValueError("approvers are different people, neither the commission nor the authority")
        if not 1 <= self.approvals_needed <= max(1, len(self.approvers)):
            raise ValueError("approvals_needed lies between 1 and the number of approvers")
        return self

    @model_serializer(mode="wrap")
    def _without_absent(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Rosters that name no approvers read, and are signed, as before there were any."""
        body: dict[str, Any] = write(self)
        if not self.approvers:
            del body["approvers"], body["approvals_needed"]
        return body

    @property
    def approval_signers(self) -> tuple[str, ...]:
        """Who may revoke an approval: the commission and every approver."""
        return (self.commission, *self.approvers)

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(member.site for member in self.members)

    @property
    def digest(self) -> str:
        return record_digest(KIND, self)

    def identity(self, site: str) -> str | None:
        """Public key of a site, None when it is not on the roster."""
        place = self._places.get(site)
        return None if place is None else self.members[place].identity

    def number(self, site: str) -> int:
        """The site's place on the roster, from 1: its number as a holder of shares. Raises KeyError."""
        return self._places[site] + 1

    @cached_property
    def _places(self) -> dict[str, int]:
        return {member.site: place for place, member in enumerate(self.members)}


def make_roster(
    region: str,
    identities: dict[str, str],
    *,
    authority: str,
    commission: Identity,
    tls_root: str,
    version: int = 1,
    quorum: int | None = None,
    approvers: tuple[str, ...] = (),
    approvals_needed: int = 1,
) -> bytes:
    """A signed roster of ``{site: public key}``. ``quorum`` None is the protocol's default.

    Raises ValueError for a quorum that is not allowed, and for approvers that are not different people.
    """
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
        approvers=tuple(sorted(approvers)),
        approvals_needed=approvals_needed,
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
