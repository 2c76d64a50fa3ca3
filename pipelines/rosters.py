"""The region's roster on this machine: who is on it, which quorum it has, what it tolerates; signed by the commission.

A site is on the roster when the region folder names it and no revocation does. Approvers stay from one version to the
next until others are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import IntegrityError, QuorumError, SpecError, UsageError
from contracts.region import Region
from contracts.zone import WorkArea
from governance.files import write_durable
from governance.quorum import allowed_quorums, default_quorum, tolerance
from governance.revocations import SiteRevocation, read_site_revocations
from governance.roster import Roster, load_roster, make_roster
from governance.signing import Identity, fingerprint

ROSTER = "roster.json"
COMMISSION_KEY = "commission.pub"
REVOKED = "revoked"
"""Folder of the authority with the sites' revocations."""


@dataclass(frozen=True)
class Approvers:
    """Public keys (hex) of those who countersign approvals, and how many of them an approval needs."""

    keys: tuple[str, ...] = ()
    needed: int = 1


def require_quorum(region: Region) -> None:
    """Raise SpecError when ``region.toml`` asks for a quorum that no roster of its sites may have."""
    sites = len(region.sites)
    if region.quorum is not None and not default_quorum(sites) <= region.quorum <= sites:
        raise SpecError(f"{region.folder / 'region.toml'}: quorum: {region.quorum}, but {allowed_quorums(sites)}")


def read_region_roster(area: WorkArea) -> Roster:
    """The signed roster of a work directory. Raises UsageError when there is none yet, IntegrityError when altered."""
    if not (area.pki / ROSTER).exists():
        raise UsageError(f"no roster in {area.pki}: make one first: cloister key make REGION --work {area.root}")
    return load_roster(area.pki / ROSTER, (area.pki / COMMISSION_KEY).read_text().strip())


def revoked_sites(area: WorkArea, region: str, commission: str) -> dict[str, SiteRevocation]:
    """Sites that may not be on the roster. Raises IntegrityError when a revocation was altered."""
    return read_site_revocations(area.authority / REVOKED, region, commission)


def write_roster(
    region: Region,
    area: WorkArea,
    identities: Mapping[str, str],
    *,
    authority: str,
    commission: Identity,
    tls_root: str,
    approvers: Approvers | None = None,
) -> Roster:
    """Sign the roster; the same content keeps its version (Ed25519 is deterministic), another one rises.

    Args:
        identities: public key (hex) of every site of the region; revoked ones are left out.
        approvers: None: those of the roster before.

    Raises:
        SpecError: the region's quorum is not allowed. QuorumError: every site is revoked.
        UsageError: approvers that are not different people.
    """
    require_quorum(region)
    path = area.pki / ROSTER
    before = load_roster(path, commission.public) if path.exists() else None
    if approvers is None:
        approvers = Approvers(before.approvers, before.approvals_needed) if before else Approvers()
    revoked = revoked_sites(area, region.name, commission.public)
    members = {site: key for site, key in identities.items() if site not in revoked}
    if not members:
        raise QuorumError(f"every site of region '{region.name}' is revoked: there is no roster without sites")

    def signed(version: int) -> bytes:
        return make_roster(
            region.name,
            members,
            authority=authority,
            commission=commission,
            tls_root=tls_root,
            version=version,
            quorum=None if region.quorum is None else min(region.quorum, len(members)),
            approvers=approvers.keys,
            approvals_needed=approvers.needed,
        )

    try:
        if before is None:
            write_durable(path, signed(1))
        elif path.read_bytes() != signed(before.version):
            write_durable(path, signed(before.version + 1))
    except ValueError as error:
        raise UsageError(f"no such roster: {_first_words(error)}") from error
    return load_roster(path, commission.public)


def show_lines(roster: Roster) -> Iterator[str]:
    """A roster in words: fingerprints to read over the telephone, and what it tolerates."""
    borne = tolerance(len(roster.sites), roster.quorum, roster.threshold)
    yield f"roster of {roster.region}, version {roster.version}, digest {roster.digest[:16]}"
    for name, key in fingerprints(roster).items():
        yield f"  {name:<24} {key}"
    yield f"quorum {roster.quorum} of {borne.sites} sites, threshold {roster.threshold}: tolerates"
    yield f"  {borne.drop_outs} sites that drop out of a round"
    yield f"  {borne.with_one} colluding sites beside the coordinator, or beside the authority"
    yield f"  {max(0, borne.with_both)} colluding sites beside both together"
    needed = roster.approvals_needed if roster.approvers else 0
    yield f"an approval: signed by the commission, countersigned by {needed} of {len(roster.approvers)} approvers"


def fingerprints(roster: Roster) -> dict[str, str]:
    """Fingerprint of every key on a roster, by the name it is asked for: sites, ``authority``, ``commission``, ..."""
    keys = {f"site {member.site}": member.identity for member in roster.members}
    keys |= {"authority": roster.authority, "commission": roster.commission, "tls-root": roster.tls_root}
    keys |= {f"approver {number}": key for number, key in enumerate(roster.approvers, 1)}
    return {name: fingerprint(key) for name, key in keys.items()}


def check_fingerprints(roster: Roster, told: Mapping[str, str]) -> list[str]:
    """Compare fingerprints that were read over the telephone, by name, with the roster's; the names that agree.

    Raises:
        UsageError: the roster has no such name.
        IntegrityError: one differs.
    """
    known = fingerprints(roster)
    for name, words in told.items():
        found = known.get(name) or known.get(f"site {name}")
        if found is None:
            raise UsageError(f"the roster has no '{name}'; it has {', '.join(known)}")
        if "".join(words.split()).lower() != found.replace(" ", ""):
            raise IntegrityError(
                f"'{name}': told {words}, but the roster says {found}: do not use this roster, ask the commission"
            )
    return list(told)


def public_key(text: str) -> str:
    """A public key given as hex or as a file that holds it. Raises UsageError."""
    path = Path(text)
    key = path.read_text(encoding="utf-8").strip() if path.is_file() else text
    if len(key) != 64 or set(key) - set("0123456789abcdef"):
        raise UsageError(f"'{text}' is no public key: give 64 hex digits, or a .pub file that holds them")
    return key


def _first_words(error: ValueError) -> str:
    """The rule that a roster breaks, without pydantic's frame around it."""
    details = getattr(error, "errors", None)
    return str(details(include_input=False)[0]["msg"]) if details else str(error)
