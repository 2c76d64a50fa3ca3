"""Checks of the authority's messages that a site and the coordinator both make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.errors import IntegrityError, RangeError, RefusedError
from contracts.messages import (
    BlockRecord,
    KeyMessage,
    OfSurvivors,
    RefusalCode,
    RunDescriptor,
    SurvivorsMessage,
    TermHeader,
    TotalHeader,
    layout_digest,
    layout_of,
    members_digest,
    next_state,
    survivors_digest,
)
from contracts.wire import FrameError, canonical, digest
from governance.approvals import Approval, read_approval
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.bfv import BfvContext
from secure_compute.fixed_point import Plan, decode, make_plan
from secure_compute.modular import Integers


@dataclass(frozen=True)
class Run:
    """A run as its signed descriptor says, checked."""

    descriptor: RunDescriptor
    digest: str
    approval: Approval
    public: BfvContext
    roster: Roster


@dataclass(frozen=True)
class Total:
    """An opened total, checked: its signature, its run and that it follows ``state``."""

    header: TotalHeader
    plan: Plan
    slots: Integers

    def values(self) -> dict[str, np.ndarray]:
        """The total as float64 arrays by block name, and ``fixed_point.CLIPPED``."""
        return decode(self.plan, self.slots)


def read_descriptor(data: bytes, roster: Roster) -> Run:
    """Check a run's descriptor against the roster.

    Raises:
        RefusedError: not signed by the roster's authority, another roster, an approval that is not the commission's,
            not countersigned as the roster asks, not live or for something else, a key that is not the one named, or
            a context that holds a secret key.
    """
    descriptor, parts = open_message(data, RunDescriptor, roster.authority)
    if len(parts) != 2:
        raise RefusedError(RefusalCode.BAD_MESSAGE, "a descriptor carries a public key and an approval")
    if descriptor.roster != roster.digest:
        raise RefusedError(RefusalCode.WRONG_ROSTER, f"the run is for roster version {descriptor.roster_version}")
    try:
        approval = read_approval(bytes(parts[1]), roster)
    except IntegrityError as error:
        raise RefusedError(RefusalCode.WRONG_APPROVAL, str(error)) from error
    if approval.digest != descriptor.approval:
        raise RefusedError(RefusalCode.WRONG_APPROVAL, "the approval is not the one the descriptor names")
    if not approval.covers(roster.region, descriptor.task, descriptor.program):
        raise RefusedError(RefusalCode.WRONG_APPROVAL, "the approval is for another region, task or program")
    if not approval.is_live():
        raise RefusedError(RefusalCode.APPROVAL_EXPIRED, f"approval '{approval.name}' is not live")
    public = BfvContext(parts[0])
    if digest(parts[0]) != descriptor.bfv or public.is_secret:
        raise RefusedError(RefusalCode.WRONG_KEY, "the public key is not the one the descriptor names")
    return Run(descriptor, digest(data), approval, public, roster)


def read_total(data: bytes, run: Run, round_no: int, state: str) -> Total:
    """Check a signed total: this run's, of round ``round_no``, following the state digest ``state``.

    Raises:
        RefusedError: bad_signature, wrong_run, wrong_round, wrong_state, quorum_not_met, ...
    """
    header, parts = open_message(data, TotalHeader, run.roster.authority)
    if header.run != run.descriptor.run:
        raise RefusedError(RefusalCode.WRONG_RUN, "a total of another run")
    if header.round != round_no:
        raise RefusedError(RefusalCode.WRONG_ROUND, f"a total of round {header.round}, expected {round_no}")
    if header.state != state:
        raise RefusedError(RefusalCode.WRONG_STATE, "a total that follows another state")
    if header.roster != run.roster.digest or not set(header.sites) <= set(run.roster.sites):
        raise RefusedError(RefusalCode.WRONG_ROSTER, "a total over another roster")
    if len(header.sites) < run.roster.quorum:
        raise RefusedError(RefusalCode.QUORUM_NOT_MET, f"{len(header.sites)} sites, quorum {run.roster.quorum}")
    plan = read_plan(header.layout, len(run.roster.sites))
    if len(parts) != 1 or len(parts[0]) != 8 * plan.slots:
        raise RefusedError(RefusalCode.WRONG_LENGTH, "a total of another length than its layout")
    if header.next_state != next_state(state, plan.layout, parts[0]):
        raise RefusedError(RefusalCode.WRONG_STATE, "the state after the total is not what it says")
    return Total(header, plan, np.frombuffer(parts[0], "<i8").astype(np.int64))


def read_plan(layout: tuple[BlockRecord, ...], sites: int) -> Plan:
    """The slots of a layout that came in a message. Raises RefusedError bad_message or range."""
    try:
        return make_plan(layout_of(layout), sites)
    except FrameError as error:
        raise RefusedError(RefusalCode.BAD_MESSAGE, str(error)) from error
    except RangeError as error:
        raise RefusedError(RefusalCode.RANGE, str(error)) from error


def check_key(
    data: bytes | memoryview, descriptor: RunDescriptor, descriptor_digest: str, roster: Roster, site: str
) -> KeyMessage:
    """A site's key message for a run, checked against the roster's identity of the site.

    Raises:
        RefusedError: unknown_site, bad_signature, or wrong_run for one made for another run or roster.
    """
    identity = roster.identity(site)
    if identity is None:
        raise RefusedError(RefusalCode.UNKNOWN_SITE, "a key of a site that is not on the roster")
    key, _ = open_message(data, KeyMessage, identity)
    made_for = (key.run, key.site, key.descriptor, key.roster)
    if made_for != (descriptor.run, site, descriptor_digest, descriptor.roster):
        raise RefusedError(RefusalCode.WRONG_RUN, f"the key of '{site}' was made for another run or roster")
    return key


def members_of(mask_keys: Mapping[str, str], members: Sequence[str], roster: Roster) -> str:
    """The digest of the members of a round.

    Raises:
        RefusedError: wrong_members when they are not sorted, or not all known by their keys; quorum_not_met.
    """
    if list(members) != sorted(set(members)) or not set(members) <= set(mask_keys):
        raise RefusedError(
            RefusalCode.WRONG_MEMBERS, "members are sorted, each there once, each with a key for the run"
        )
    if len(members) < roster.quorum:
        raise RefusedError(RefusalCode.QUORUM_NOT_MET, f"{len(members)} members, quorum {roster.quorum}")
    return members_digest({site: mask_keys[site] for site in members})


def check_survivors(survivors: Sequence[str], members: Sequence[str], roster: Roster) -> None:
    """Raise RefusedError wrong_survivors or quorum_not_met unless a round of these members may end with these sites."""
    if list(survivors) != sorted(set(survivors)) or not set(survivors) <= set(members):
        raise RefusedError(RefusalCode.WRONG_SURVIVORS, "survivors are sorted members, each there once")
    if len(survivors) < max(roster.quorum, roster.threshold):
        raise RefusedError(RefusalCode.QUORUM_NOT_MET, f"{len(survivors)} survivors, quorum {roster.quorum}")


def check_agreements(
    frames: Sequence[bytes | memoryview], expected: Mapping[str, str | int], survivors: Sequence[str], roster: Roster
) -> None:
    """Raise RefusedError unless ``threshold`` survivors signed that list (SECURE_SUM rule 8).

    ``expected``: run, round, attempt, members of the round.
    """
    signers = set()
    for frame in frames:
        claimed, _ = open_message(frame, SurvivorsMessage, None)
        if claimed.site not in survivors:
            raise RefusedError(RefusalCode.WRONG_SURVIVORS, "an agreement of a site that is no survivor")
        header, _ = open_message(frame, SurvivorsMessage, roster.identity(claimed.site))
        check_spoken(header, expected, survivors_digest(survivors))
        signers.add(header.site)
    if len(signers) < roster.threshold:
        raise RefusedError(RefusalCode.QUORUM_NOT_MET, f"{len(signers)} agreements, threshold {roster.threshold}")


def check_spoken(header: OfSurvivors, expected: Mapping[str, str | int], survivors: str) -> None:
    """Raise RefusedError naming the first thing that an agreement or a share was made for and that is not this one."""
    for name in ("run", "round", "attempt", "members"):
        if getattr(header, name) != expected[name]:
            raise RefusedError(_WRONG[name], f"'{header.site}' answered for another {name}")
    if header.survivors != survivors:
        raise RefusedError(RefusalCode.WRONG_SURVIVORS, f"'{header.site}' answered for other survivors")


def expected_term(
    descriptor: RunDescriptor, round_no: int, attempt: int, state: str, plan: Plan, members: str, count: int
) -> dict[str, str | int]:
    """What the header of every site's term of a round must say (SECURE_SUM rule 5).

    ``members``: their digest; ``count``: how many they are.
    """
    return {
        "run": descriptor.run,
        "round": round_no,
        "attempt": attempt,
        "roster": descriptor.roster,
        "approval": descriptor.approval,
        "program": descriptor.program,
        "bfv": descriptor.bfv,
        "layout": layout_digest(plan.layout),
        "sites": plan.sites,
        "slots": plan.slots,
        "ciphertexts": plan.chunks,
        "state": state,
        "members": members,
        "shares": count - 1,
    }


def common_digest(expected: Mapping[str, str | int]) -> str:
    """Digest of what ``expected_term`` gives: members, state, program, layout, keys. Masks are bound to it."""
    return digest(b"cloister/common/1\n" + canonical(dict(expected)))


def check_term(header: TermHeader, expected: Mapping[str, str | int]) -> None:
    """Raise RefusedError naming the first thing that a term was made for and that is not this round's."""
    for name, value in expected.items():
        if getattr(header, name) != value:
            raise RefusedError(_WRONG[name], f"the term of '{header.site}' was made for another {name}")


_WRONG = {
    "run": RefusalCode.WRONG_RUN,
    "round": RefusalCode.WRONG_ROUND,
    "attempt": RefusalCode.WRONG_ATTEMPT,
    "roster": RefusalCode.WRONG_ROSTER,
    "approval": RefusalCode.WRONG_APPROVAL,
    "program": RefusalCode.WRONG_PROGRAM,
    "bfv": RefusalCode.WRONG_KEY,
    "layout": RefusalCode.WRONG_LAYOUT,
    "sites": RefusalCode.WRONG_ROSTER,
    "slots": RefusalCode.WRONG_LENGTH,
    "ciphertexts": RefusalCode.WRONG_LENGTH,
    "state": RefusalCode.WRONG_STATE,
    "members": RefusalCode.WRONG_MEMBERS,
    "shares": RefusalCode.WRONG_LENGTH,
}
