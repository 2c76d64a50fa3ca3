"""When the authority may do what it is asked: the rules, apart from the keys. Everything here raises RefusedError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.errors import RefusedError
from contracts.messages import OpenRequest, RefusalCode, TermHeader
from governance.approvals import Approval
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.authority.keys import Granted
from secure_compute.authority.ledger import Ledger, RunRecord
from secure_compute.fixed_point import Plan
from secure_compute.run_messages import (
    check_agreements,
    check_survivors,
    check_term,
    expected_term,
    members_of,
    read_plan,
)

FEWEST_WITHOUT_CONSENT = 3
"""Rosters below this need the approval flag ``bilateral``: each side could derive the other's sums (rule 9)."""


FEWEST_DIFFERENCES = 2
"""Sites by which rosters of two openings of the same state differ, unless they are equal (rule 9)."""


@dataclass(frozen=True)
class Opening:
    """A request that passed every check that needs no key. ``snapshots``: of each site's data."""

    request: OpenRequest
    plan: Plan
    snapshots: dict[str, str]
    ciphertexts: tuple[memoryview, ...]


def judge_run(roster: Roster, approval: Approval, roster_digest: str) -> None:
    """Whether a run may be made."""
    if roster_digest != roster.digest:
        raise RefusedError(RefusalCode.WRONG_ROSTER, f"this authority works with roster version {roster.version}")
    if roster.quorum < FEWEST_WITHOUT_CONSENT and not approval.bilateral:
        raise RefusedError(
            RefusalCode.BILATERAL_NOT_APPROVED,
            f"sums of {roster.quorum} sites need an approval with the flag bilateral",
        )


def judge_opening(
    request: OpenRequest,
    parts: tuple[memoryview, ...],
    record: RunRecord,
    granted: Granted,
    roster: Roster,
    ledger: Ledger,
    *,
    again: bool = False,
) -> Opening:
    """Whether a sum may be opened: roster, quorum, survivors, approval, layout, and every site's signed header.

    ``again``: its intent is in the ledger already, so that it is neither counted nor compared with itself.
    """
    approval = granted.approval
    _judge_sites(request, roster, granted.pad_seeds)
    _judge_approval(approval, ledger.spent[record.approval] - again)
    if request.round != record.rounds:
        raise RefusedError(RefusalCode.WRONG_ROUND, f"round {request.round}, but {record.rounds} were opened")
    plan = read_plan(request.layout, len(roster.sites))
    for block in plan.layout:
        if block.at_least is not None and block.at_least < approval.at_least:
            raise RefusedError(
                RefusalCode.THRESHOLD_TOO_LOW,
                f"block '{block.name}' releases counts from {block.at_least}, the approval from {approval.at_least}",
            )
    sites, agreements = len(request.sites), request.agreements
    if len(parts) != sites + agreements + plan.chunks:
        raise RefusedError(RefusalCode.WRONG_LENGTH, "expected a header a site, the agreements, a ciphertext a chunk")
    members = members_of(granted.mask_keys, request.members, roster)
    expected = expected_term(
        granted.descriptor, request.round, request.attempt, record.state, plan, members, len(request.members)
    )
    check_survivors(request.sites, request.members, roster)
    if request.sites != request.members:
        check_agreements(parts[sites : sites + agreements], expected, request.sites, roster)
    snapshots = {}
    for site, part in zip(request.sites, parts, strict=False):
        snapshots[site] = _judge_term(site, part, roster, expected, record).snapshot
    if not again:
        _judge_difference(snapshots, ledger.opened[record.program, record.state].values())
    return Opening(request, plan, snapshots, parts[sites + agreements :])


def _judge_difference(snapshots: Mapping[str, str], opened: Iterable[Mapping[str, str]]) -> None:
    """SECURE_SUM rule 9: no two openings of one state over rosters whose difference would be one site's term."""
    for before in opened:
        members = before.keys() ^ snapshots.keys()
        changed = {site for site in before.keys() & snapshots.keys() if before[site] != snapshots[site]}
        if members and len(members | changed) < FEWEST_DIFFERENCES:
            raise RefusedError(
                RefusalCode.ROSTER_TOO_CLOSE,
                "the same sum was opened over a roster that differs by one site: the difference would be its own term",
            )


def _judge_sites(request: OpenRequest, roster: Roster, keys: Mapping[str, bytes]) -> None:
    sites = request.sites
    if list(sites) != sorted(set(sites)):
        raise RefusedError(RefusalCode.DUPLICATE, "sites must be sorted and each be there once")
    for site in sites:
        if roster.identity(site) is None:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, "a site that is not on the roster")
        if site not in keys:
            raise RefusedError(RefusalCode.WRONG_KEY, f"site '{site}' registered no key for this run")
    if len(sites) < roster.quorum:
        raise RefusedError(RefusalCode.QUORUM_NOT_MET, f"{len(sites)} sites, quorum {roster.quorum}")


def _judge_approval(approval: Approval, spent: int) -> None:
    if not approval.is_live():
        raise RefusedError(RefusalCode.APPROVAL_EXPIRED, f"approval '{approval.name}' ended at {approval.valid_until}")
    if spent >= approval.max_openings:
        raise RefusedError(RefusalCode.APPROVAL_SPENT, f"approval '{approval.name}' allows {approval.max_openings}")


def _judge_term(
    site: str, frame: memoryview, roster: Roster, expected: Mapping[str, str | int], record: RunRecord
) -> TermHeader:
    identity = roster.identity(site)
    header, _ = open_message(frame, TermHeader, identity, with_parts=False)
    if header.site != site:
        raise RefusedError(RefusalCode.BAD_SIGNATURE, f"the header in the place of '{site}' is another site's")
    check_term(header, expected)
    if record.snapshots.get(site, header.snapshot) != header.snapshot:
        raise RefusedError(RefusalCode.WRONG_SNAPSHOT, f"the data of '{site}' changed within the run")
    return header
