"""The commission's approvals on this machine: what each allows, what was spent of it, who countersigned it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import IntegrityError, UsageError
from contracts.region import load_region
from contracts.zone import WorkArea
from governance.approvals import KIND, Approval, countersign_approval, countersignatures_lacking
from governance.audit import read_audit
from governance.files import write_durable
from governance.revocations import SUFFIX, read_approval_revocations, sign_approval_revocation
from governance.roster import Roster, load_roster
from governance.signing import Identity, fingerprint, load_identity, open_record
from pipelines.parties import load_commission, new_approval
from pipelines.rosters import read_region_roster
from pipelines.settings import Settings


def approval_lines(area: WorkArea) -> Iterator[str]:
    """Every approval of the commission: name, state, openings, purpose."""
    roster, folder, now = read_region_roster(area), area.authority / "approvals", datetime.now(UTC)
    spent, known = _from_the_chain(area.authority / "audit.jsonl")
    revoked = known | read_approval_revocations(folder, roster.approval_signers).all
    found = 0
    for path in sorted(folder.glob("*.json")):
        try:
            approval = open_record(path.read_bytes(), KIND, Approval, roster.commission)
        except IntegrityError:
            continue
        found += 1
        state = _state(path.read_bytes(), approval, roster, revoked, now)
        openings = f"{spent[approval.digest]:,} of {approval.max_openings:,} openings"
        yield f"{approval.name}: {state}; task {approval.task}; {openings}; {approval.purpose}"
    if not found:
        yield f"no approvals in {folder}"


def sign(settings: Settings, task: str, days: int, openings: int, bilateral: bool | None) -> tuple[Path, str]:
    """Sign an approval of a task's program as the commission; its file and what it still lacks, in words."""
    region = load_region(settings.region)
    path = new_approval(region, settings.area, region.task(task), days=days, openings=openings, bilateral=bilateral)
    roster = read_region_roster(settings.area)
    approval = open_record(path.read_bytes(), KIND, Approval, roster.commission)
    return path, _state(path.read_bytes(), approval, roster, frozenset(), datetime.now(UTC))


def countersign(path: Path, key: Path, roster: Path, commission: Path) -> tuple[Approval, str]:
    """Add an approver's countersignature to an approval's file; the approval and what it still lacks, in words.

    Args:
        key: the approver's identity, in its own folder.

    Raises:
        UsageError: a file is missing, or the roster does not name this approver.
        IntegrityError: the approval is not the commission's.
    """
    for needed in (path, roster, commission):
        if not needed.is_file():
            raise UsageError(f"no file {needed}")
    trusted = commission.read_text(encoding="utf-8").strip()
    named, identity = load_roster(roster, trusted), load_identity(key)
    if identity.public not in named.approvers:
        raise UsageError(f"the roster names no approver {fingerprint(identity.public)}: the commission signs a new one")
    data = countersign_approval(path.read_bytes(), trusted, identity)
    write_durable(path, data)
    approval = open_record(data, KIND, Approval, trusted)
    return approval, _state(data, approval, named, frozenset(), datetime.now(UTC))


def revoke(area: WorkArea, name: str, reason: str, key: Path | None = None) -> Approval:
    """Revoke an approval, as the commission or, with ``key``, as an approver; the approval.

    The authority opens nothing more under it from the next request on, in runs that are under way too.

    Raises:
        UsageError: there is none of that name, or the roster names no such approver.
    """
    roster, folder = read_region_roster(area), area.authority / "approvals"
    approval = _named(folder, name, roster)
    signer: Identity = load_commission(area) if key is None else load_identity(key)
    if signer.public not in roster.approval_signers:
        raise UsageError(f"{fingerprint(signer.public)} is neither the commission nor an approver of the roster")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    signed = sign_approval_revocation(signer, approval.digest, approval.name, reason, at)
    write_durable(folder / f"{approval.name}{SUFFIX}", signed)
    return approval


def _named(folder: Path, name: str, roster: Roster) -> Approval:
    path = folder / f"{name}.json"
    if not path.is_file():
        known = sorted(one.stem for one in folder.glob("*.json") if not one.name.endswith(SUFFIX))
        raise UsageError(f"no approval '{name}'; there are {', '.join(known) or 'none'}")
    return open_record(path.read_bytes(), KIND, Approval, roster.commission)


def _state(data: bytes, approval: Approval, roster: Roster, revoked: frozenset[str], now: datetime) -> str:
    if approval.digest in revoked:
        return "revoked"
    if not approval.is_live(now):
        return f"not live (from {approval.valid_from} until {approval.valid_until})"
    lacking = countersignatures_lacking(data, approval, roster)
    return f"waits for {lacking} countersignatures" if lacking else f"live until {approval.valid_until}"


def _from_the_chain(path: Path) -> tuple[Counter[str], frozenset[str]]:
    """Openings by approval and revoked approvals, as the authority's chain tells; nothing before there is one."""
    spent: Counter[str] = Counter()
    revoked, runs = set(), {}
    for entry in read_audit(path) if path.exists() else ():
        if entry.event == "run_created":
            runs[entry.facts["run"]] = entry.facts["approval"]
        elif entry.event == "intent":
            spent[runs[entry.facts["run"]]] += entry.facts["spend"]
        elif entry.event == "approval_revoked":
            revoked.add(entry.facts["approval"])
    return spent, frozenset(revoked)
