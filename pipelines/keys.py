"""The keys of a region's parties on this machine: listed, made, rotated, revoked; none leaves its party's folder.

Rotating is: another key in the place of the old one, then set-up, which makes what is missing and signs the roster that
names it. So a rotation that was interrupted is finished by ``cloister run``, or by running it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from contracts.errors import QuorumError, UsageError
from contracts.region import Region, load_region
from contracts.wire import digest
from contracts.zone import SITE_NAME, SiteZone, WorkArea
from federated.keys import NODE_KEY, NODE_PUBLIC_KEY
from governance.certificates import certificate_digest
from governance.files import destroy, make_private, write_durable
from governance.revocations import SUFFIX, SiteRevocation, sign_site_revocation
from governance.roster import Roster
from governance.signing import fingerprint, load_identity, make_identity, replace_identity
from governance.vault import SEALED, Unlock, rewrap
from pipelines.authority_vault import UNLOCK_FILE, open_authority_vault, unlock_text
from pipelines.locks import locked
from pipelines.parties import AUTHORITY_KEY, load_commission, set_up_parties
from pipelines.rosters import COMMISSION_KEY, REVOKED, read_region_roster, revoked_sites
from pipelines.settings import Settings

SiteKind = Literal["pseudonym", "identity", "node"]
RegionKind = Literal["authority", "tls", "passphrase"]
SITE_KINDS: tuple[str, ...] = get_args(SiteKind)
REGION_KINDS: tuple[str, ...] = get_args(RegionKind)

APPROVER_KEY = "approver.key"


@dataclass(frozen=True)
class KeyLine:
    """A key as ``cloister key list`` shows it.

    Attributes:
        party, key: whose it is and what it is.
        fingerprint: of the public half.
        kept: how the private half is kept: ``sealed``, ``file``, or why it is of no use.
    """

    party: str
    key: str
    fingerprint: str
    kept: str


def approver_folder(area: WorkArea, name: str) -> Path:
    """An approver's own folder. Raises UsageError for a name that is none."""
    if not SITE_NAME.fullmatch(name):
        raise UsageError(f"approver {name!r}: a name is lower-case letters, digits and _, at most 32")
    return area.root / "approvers" / name


def list_keys(area: WorkArea) -> Iterator[KeyLine]:
    """Every party's identities and transport keys below a work directory, by fingerprint of the public half."""
    if not area.pki.is_dir():
        raise UsageError(f"no keys in {area.root}: make them: cloister key make REGION --work {area.root}")
    secrets, roster = area.authority / "secrets", read_region_roster(area)
    for name, public in (("authority", AUTHORITY_KEY), ("commission", COMMISSION_KEY)):
        key = (area.pki / public).read_text().strip()
        yield KeyLine("authority", f"{name} identity", fingerprint(key), _kept(secrets / f"{name}.key"))
    root = fingerprint(certificate_digest(area.pki / "root.crt"))
    yield KeyLine("authority", "TLS root", root, _kept(secrets / "root.key"))
    for party in ("authority", "coordinator", "gateway"):
        yield _certificate(party, area.root / party / "secrets" / "server")
    revoked = revoked_sites(area, roster.region, roster.commission)
    for folder in sorted(path for path in (area.root / "sites").glob("*") if (path / "secrets").is_dir()):
        yield from _site_keys(SiteZone(folder, folder.name), roster, folder.name in revoked)
    for folder in sorted((area.root / "approvers").glob("*")):
        public = (folder / "approver.pub").read_text().strip()
        named = "" if public in roster.approvers else ", not named by the roster"
        kept = _kept(folder / "secrets" / APPROVER_KEY) + named
        yield KeyLine(f"approver {folder.name}", "approver identity", fingerprint(public), kept)


def make_keys(settings: Settings, approvers: tuple[str, ...] = ()) -> None:
    """Make the keys, certificates and the roster that are missing, and an identity for each approver named."""
    folders = [approver_folder(settings.area, name) for name in approvers]
    with locked(settings.work):
        set_up_parties(load_region(settings.region), settings.area)
        for folder in folders:
            if not (folder / "secrets" / APPROVER_KEY).exists():
                make_private(folder)
                identity = make_identity(folder / "secrets" / APPROVER_KEY)
                write_durable(folder / "approver.pub", identity.public.encode() + b"\n")


def rotate_site_key(settings: Settings, site: str, kind: str) -> Roster:
    """Give a site a new identity or SuperNode key; the roster after it."""
    region, zone = load_region(settings.region), settings.area.site(site)
    region.site(site)
    with locked(settings.work):
        if kind == "identity":
            replace_identity(zone.secrets / "identity.key")
        else:
            destroy(zone.secrets / NODE_KEY)
            destroy(zone.secrets / "superexec.secret")
        return _set_up(region, settings.area)


def rotate_authority(settings: Settings) -> Roster:
    """Give the authority a new identity; the roster that names it. Raises CredentialError when its vault is closed."""
    with locked(settings.work):
        vault = open_authority_vault(settings.area)
        replace_identity(vault.secrets / "authority.key", vault)
        return _set_up(load_region(settings.region), settings.area)


def rotate_tls(settings: Settings) -> Roster:
    """A new TLS root and new certificates for every party; the roster that names the root."""
    area = settings.area
    with locked(settings.work):
        open_authority_vault(area)
        secrets = [area.root / party / "secrets" / "server" for party in ("authority", "coordinator", "gateway")]
        runtimes = [path.with_suffix("") for path in sorted((area.root / "sites").glob("*/secrets/runtime.crt"))]
        for stem in (*secrets, *runtimes):
            stem.with_suffix(".crt").unlink(missing_ok=True)
            destroy(stem.with_suffix(".key"))
        (area.pki / "root.crt").unlink(missing_ok=True)
        return _set_up(load_region(settings.region), area)


def change_unlock(settings: Settings, unlock: Unlock) -> None:
    """Let another passphrase file, or an HSM's command, open the authority's vault, and the earlier one no more."""
    area = settings.area
    with locked(settings.work):
        vault = open_authority_vault(area)
        rewrap(vault, unlock)
        write_durable(area.authority / UNLOCK_FILE, unlock_text(unlock))


def revoke_site(settings: Settings, site: str, reason: str) -> Roster:
    """Take a site off the roster, for good until ``readmit``; the roster without it.

    Raises:
        UsageError: no such site, or no roster names it.
        QuorumError: it is the only one.
    """
    area = settings.area
    with locked(settings.work):
        roster = read_region_roster(area)
        identity = roster.identity(site)
        if identity is None:
            raise UsageError(f"the roster names no site '{site}'; it names {', '.join(roster.sites)}")
        if len(roster.sites) == 1:
            raise QuorumError(f"'{site}' is the only site on the roster: without it there is none")
        revocation = SiteRevocation(region=roster.region, site=site, identity=identity, reason=reason, at=_now())
        path = area.authority / REVOKED / f"{site}{SUFFIX}"
        write_durable(path, sign_site_revocation(load_commission(area), revocation))
        return _set_up(load_region(settings.region), area)


def readmit(area: WorkArea, sites: tuple[str, ...]) -> None:
    """Take back a site's revocation, now that it has another identity; the next roster names it again.

    Raises:
        UsageError: it is not revoked, or its identity is still the one that was revoked.
    """
    roster = read_region_roster(area)
    revoked = revoked_sites(area, roster.region, roster.commission)
    for site in sites:
        if site not in revoked:
            raise UsageError(f"site '{site}' is not revoked")
        if load_identity(area.site(site).secrets / "identity.key").public == revoked[site].identity:
            raise UsageError(
                f"site '{site}' still has the identity that was revoked: rotate it first, "
                f"cloister key rotate REGION --site {site} --kind identity --work {area.root}"
            )
    for site in sites:
        path = area.authority / REVOKED / f"{site}{SUFFIX}"
        path.rename(path.with_name(f"{site}-{re.sub('[^0-9]', '', _now())}.readmitted"))


def key_lines(keys: Iterator[KeyLine]) -> Iterator[str]:
    """The list as aligned text."""
    rows = [(one.party, one.key, one.fingerprint, one.kept) for one in keys]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]))


def _set_up(region: Region, area: WorkArea) -> Roster:
    set_up_parties(region, area)
    return read_region_roster(area)


def _site_keys(zone: SiteZone, roster: Roster, revoked: bool) -> Iterator[KeyLine]:
    party, path = f"site {zone.site}", zone.secrets / "identity.key"
    if path.exists():
        public = load_identity(path).public
        state = "" if roster.identity(zone.site) == public else ", revoked" if revoked else ", not on the roster"
        yield KeyLine(party, "site identity", fingerprint(public), _kept(path) + state)
    if (zone.secrets / NODE_PUBLIC_KEY).exists():
        node = digest((zone.secrets / NODE_PUBLIC_KEY).read_bytes())
        yield KeyLine(party, "SuperNode key", fingerprint(node), _kept(zone.secrets / NODE_KEY))
    yield _certificate(party, zone.secrets / "runtime")


def _certificate(party: str, stem: Path) -> KeyLine:
    certificate = stem.with_suffix(".crt")
    shown = fingerprint(certificate_digest(certificate)) if certificate.exists() else "-"
    return KeyLine(party, "TLS certificate", shown, _kept(stem.with_suffix(".key")))


def _kept(path: Path) -> str:
    """How a private key is kept, by its file mode and first bytes."""
    if not path.exists():
        return "missing"
    if path.stat().st_mode & 0o077:
        return f"READABLE BY OTHERS: chmod 600 {path}"
    with path.open("rb") as stream:
        start = stream.read(64)
    return "sealed" if start.startswith(SEALED) or b"ENCRYPTED PRIVATE KEY" in start else "file, mode 0600"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
