"""Set-up of the parties of a region that share one machine: keys, certificates, roster, approvals. Idempotent.

Each party's folder has mode 0700: patient rows, raw exports and logs stand in it. Each private key is made inside its
party's own folder with mode 0600 and never leaves it; the authority's are sealed (pipelines.authority_vault). What
is public (root certificate, the commission's public key, the signed roster) goes to WORK/pki.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.errors import CredentialError, RefusedError
from contracts.messages import RefusalCode
from contracts.region import Region, Task
from contracts.zone import SiteZone, WorkArea
from federated.keys import LINK_TOKEN, NODE_KEY, make_link_secrets, make_secret, make_site_secrets
from federated.programs import program_digest
from governance.approvals import Approval, find_approval, sign_approval
from governance.certificates import certificate_digest, issue_server, make_root
from governance.files import make_private, write_durable, write_private
from governance.signing import Identity, load_identity, make_identity
from governance.vault import Vault
from pipelines.authority_vault import open_authority_vault, set_up_authority_vault
from pipelines.rosters import COMMISSION_KEY, ROSTER, Approvers, read_region_roster, require_quorum, write_roster

HOSTS = ("localhost", "127.0.0.1")
APPROVAL_DAYS = 365
APPROVAL_OPENINGS = 100_000
PSEUDONYM_KEY_BYTES = 32
AUTHORITY_TOKEN = "authority.token"
AUTHORITY_KEY = "authority.pub"
"""Public key of the key authority, hex: whoever uses a model trusts this one."""


@dataclass(frozen=True)
class Papers:
    """Public papers of a region: what every party is given.

    Attributes:
        root: PEM certificate that all TLS of the region chains to.
        roster: signed roster file.
        commission: the commission's public key, hex.
    """

    root: Path
    roster: Path
    commission: str


def set_up_parties(region: Region, area: WorkArea, approvers: Approvers | None = None) -> Papers:
    """Make what is missing; give the papers. A changed list of sites or quorum gets a roster with a higher version.

    ``approvers``: of the roster from now on; None: they stay. Raises as pipelines.rosters.write_roster, CredentialError
    also for an identity that the roster names and that is gone.
    """
    require_quorum(region)
    named = _named(area)
    for folder in (area.authority, area.coordinator, area.gateway, area.dagster):
        make_private(folder)
    for folder in (area.authority, area.coordinator, area.gateway):
        make_private(folder / "secrets")
    vault = set_up_authority_vault(area)
    root = area.pki / "root.crt"
    if not root.exists():
        make_root(root, vault.secrets / "root.key", f"Cloister region {region.name}", vault=vault)
    commission = _identity(vault.secrets / "commission.key", named, "commission", vault)
    authority = _identity(vault.secrets / "authority.key", named, "authority", vault)
    write_durable(area.pki / COMMISSION_KEY, commission.public.encode())
    write_durable(area.pki / AUTHORITY_KEY, authority.public.encode())
    sites = {site.name: _set_up_site(area.site(site.name), root, vault, named) for site in region.sites}
    _server_certificate(root, vault, vault.secrets / "server", own=vault)
    for folder in (area.coordinator, area.gateway):
        _server_certificate(root, vault, folder / "secrets" / "server")
    if not (area.coordinator / "secrets" / LINK_TOKEN).exists():
        make_link_secrets(area.coordinator / "secrets")
    token = area.coordinator / "secrets" / AUTHORITY_TOKEN
    if not token.exists():
        make_secret(token)
    write_private(area.authority / "secrets" / "coordinator.token", token.read_bytes())
    write_roster(
        region,
        area,
        sites,
        authority=authority.public,
        commission=commission,
        tls_root=certificate_digest(root),
        approvers=approvers,
    )
    return Papers(root, area.pki / ROSTER, commission.public)


def approve(region: Region, area: WorkArea, task: Task) -> None:
    """Sign an approval of the task's program unless a live one covers it.

    On one machine the person who runs the demo is the commission too; in a real region the commission does this.

    Raises:
        RefusedError: approval_revoked: what was revoked is not approved again by itself; approval_not_countersigned.
    """
    folder, roster = area.authority / "approvals", read_region_roster(area)
    try:
        find_approval(folder, roster, task.name, program_digest(task))
    except RefusedError as refusal:
        if refusal.code not in (RefusalCode.APPROVAL_MISSING, RefusalCode.APPROVAL_EXPIRED):
            raise
        new_approval(region, area, task)
        find_approval(folder, roster, task.name, program_digest(task))


def new_approval(
    region: Region,
    area: WorkArea,
    task: Task,
    *,
    days: int = APPROVAL_DAYS,
    openings: int = APPROVAL_OPENINGS,
    bilateral: bool | None = None,
) -> Path:
    """Sign another approval of the task's program from now on; its file.

    ``bilateral`` None: for a roster of fewer than three sites.
    """
    commission, roster, program = load_commission(area), read_region_roster(area), program_digest(task)
    now = datetime.now(UTC).replace(microsecond=0)
    approval = Approval(
        name=f"{region.name}-{task.name}-{program[:12]}-{now:%Y%m%d}-{os.urandom(3).hex()}",
        region=region.name,
        task=task.name,
        program=program,
        purpose=task.purpose,
        valid_from=now.isoformat(),
        valid_until=(now + timedelta(days=days)).isoformat(),
        max_openings=openings,
        bilateral=len(roster.sites) < 3 if bilateral is None else bilateral,
        at_least=task.training.min_patients,
    )
    path = area.authority / "approvals" / f"{approval.name}.json"
    write_durable(path, sign_approval(commission, approval))
    return path


def load_commission(area: WorkArea) -> Identity:
    """The commission's identity, which lies in the authority's vault here."""
    vault = open_authority_vault(area)
    return load_identity(vault.secrets / "commission.key", vault)


def _set_up_site(zone: SiteZone, root: Path, issuer: Vault, named: frozenset[str]) -> str:
    """A site's identity, SuperNode keys, runtime certificate and pseudonym key; gives the identity's public key."""
    make_private(zone.root)
    make_private(zone.secrets)
    for folder in (zone.landing, zone.lake, zone.egress, zone.logs):
        folder.mkdir(parents=True, exist_ok=True)
    if not (zone.secrets / NODE_KEY).exists():
        make_site_secrets(zone.secrets)
    _server_certificate(root, issuer, zone.secrets / "runtime")
    if not (zone.secrets / "pseudonym.key").exists():
        write_private(zone.secrets / "pseudonym.key", os.urandom(PSEUDONYM_KEY_BYTES))
    return _identity(zone.secrets / "identity.key", named, zone.site).public


def _server_certificate(root: Path, issuer: Vault, stem: Path, own: Vault | None = None) -> None:
    """``issuer``: the vault of the root's key; ``own``: that of the party whose certificate it is."""
    certificate, key = stem.with_suffix(".crt"), stem.with_suffix(".key")
    if not certificate.exists():
        issue_server(root, issuer.secrets / "root.key", certificate, key, HOSTS, root_vault=issuer, vault=own)


def _named(area: WorkArea) -> frozenset[str]:
    """Whose identities the roster names already; nobody's before there is one."""
    if not (area.pki / ROSTER).exists():
        return frozenset()
    return frozenset({"commission", "authority", *read_region_roster(area).sites})


def _identity(path: Path, named: frozenset[str], party: str, vault: Vault | None = None) -> Identity:
    """A party's identity, made when nobody knows it yet. One that was lost is not replaced by itself."""
    if path.exists():
        return load_identity(path, vault)
    if party in named:
        raise CredentialError(
            f"{path} is gone, but the roster names it: restore it (`cloister key restore`) or rotate it"
        )
    return make_identity(path, vault)
