"""One task's program at the coordinator: which request comes next, what an answer means, when a round is opened.

    join -> (round -> (agree ->) reveal)* -> end          any error -> end, closed: nothing more is opened

The object knows nothing of Flower: ``requests`` says what to send, ``take`` gets each answer as it arrives (terms are
added at once, so memory does not grow with the number of sites), ``conclude`` ends the exchange. Whatever it could not
make again is in its checkpoint before it is sent: a coordinator that was killed goes on from there.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from contracts.errors import CloisterError, PrivacyError, QuorumError, RefusedError
from contracts.messages import Refusal, RefusalCode, TermHeader, parse_site_message
from contracts.sums import NEAR_REPEAT, State, SumProgram
from contracts.wire import FrameError, unpack
from federated.coordinator.attendance import Attendance
from federated.coordinator.checkpoint import Checkpoint, take_up, unfinished_run
from federated.coordinator.tally import Tally
from federated.envelope import Request, RequestKind, pack_sites
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.aggregate import Aggregator
from secure_compute.authority_client import AuthorityClient
from secure_compute.run_messages import Total

MOST_ATTEMPTS = 5
"""At one round, before the run ends."""

Phase = Literal["join", "round", "agree", "reveal", "end", "over"]
_ANSWERS = {"join": "key", "round": "term", "agree": "survivors", "reveal": "share", "end": "heartbeat"}


class TaskRun:
    """Drives one sum program through its rounds with the sites that are online.

    Attributes:
        name: the task.
        standing: the public state so far, and how it came about.
        tally: figures of the wire.
        attendance: who takes part.
        error: why the run ended early, if it did.
        resumed: whether it goes on with what a killed coordinator left.
    """

    def __init__(
        self,
        name: str,
        program: SumProgram,
        digest: str,
        authority: AuthorityClient,
        roster: Roster,
        sites: set[str],
        folder: Path,
    ) -> None:
        """Go on with the unfinished run in the folder if it is this program's and still open; else ask for a new one.

        Raises RefusedError when no live approval covers the program.
        """
        self.name = name
        self.program = program
        self.authority = authority
        self.roster = roster
        self.started = time.monotonic()
        self.resumed = _can_resume(folder, program, digest, authority, roster)
        if self.resumed:
            self.checkpoint = Checkpoint(folder)
        else:
            _close_left_behind(authority, folder)
            self.checkpoint = Checkpoint.begin(folder, authority.create_run(name, digest))
        self.descriptor = self.checkpoint.descriptor
        self.aggregator = Aggregator(self.descriptor, roster)
        self.aggregator.learn_keys(self.checkpoint.keys)
        self.run = self.aggregator.run.descriptor.run
        self.standing = take_up(self.checkpoint, self.aggregator, program)
        # Sites that were told the end have forgotten their keys and could not join again.
        self.phase: Phase = "end" if self.resumed and program.is_done(self.state) else "join"
        self.attendance = Attendance(roster.sites, sites)
        self.error: CloisterError | None = None
        self.tally = Tally.read(self.checkpoint)
        self._answered: set[str] = set()
        self._keys: dict[str, bytes] = {}
        self._invited: set[str] = set()
        self._totals = [self.checkpoint.total(number) or b"" for number in range(self.aggregator.round)]
        self._attempt = self.checkpoint.attempt(self.round)
        self._attempts = 0

    @property
    def state(self) -> State:
        """The public state so far."""
        return self.standing.state

    @property
    def round(self) -> int:
        """Totals opened so far, which is also the number of the round under way."""
        return self.aggregator.round

    @property
    def is_stale(self) -> bool:
        """Whether it went on with a run whose data a site no longer has, and failed: a new run is what is wanted."""
        lost = RefusalCode.WRONG_SNAPSHOT.value in self.attendance.left.values()
        return self.resumed and self.error is not None and lost

    @property
    def optional(self) -> set[str]:
        """Sites that are asked in this exchange whether they are back, and not waited for."""
        return self._invited

    @property
    def enough(self) -> int | None:
        """Answers after which stragglers get a short grace only; None: each answer is needed."""
        needs_all = self.phase == "reveal" and self.aggregator.sites != self.aggregator.members
        return None if needs_all else max(self.roster.quorum, self.roster.threshold)

    def begin(self) -> None:
        """Start to add up, when a round is due.

        Raises:
            RangeError: its layout does not fit.
            PrivacyError: it would nearly repeat the last one over other sites.
        """
        if self.phase == "round":
            members = tuple(sorted(self.attendance.present))
            self._require_other_sum(members)
            self._attempt += 1
            self._attempts += 1
            self.checkpoint.keep_attempt(self.round, self._attempt)
            layout = self.program.layout(self.state)
            self.aggregator.start(self.round, self._attempt, layout, self.aggregator.state, members)

    def requests(self) -> dict[str, Request]:
        """What to send to each site now; begins the exchange."""
        self._answered, self._keys, self._invited = set(), {}, set()
        join = Request("join", self.run, parts=(("descriptor", self.descriptor),))
        if self.phase == "join":
            return dict.fromkeys(self.attendance.present, join)
        if self.phase == "end":
            sites = self.attendance.present
            return {
                site: self._request("end", *self.attendance.totals_for(site, self._totals), attempt=0) for site in sites
            }
        members = ("members", pack_sites(self.aggregator.members))
        if self.phase == "round":
            self._invited = self.attendance.absent
            asked = {
                site: self._request(
                    "round", members, *self.attendance.parts_for(site, self.aggregator.members, self._totals)
                )
                for site in self.aggregator.members
            }
            return asked | dict.fromkeys(self._invited, join)
        survivors = ("survivors", pack_sites(self.aggregator.sites))
        if self.phase == "agree":
            return dict.fromkeys(self.aggregator.sites, self._request("agree", members, survivors))
        agreements = [("agreement", frame) for frame in self.aggregator.agreements]
        return {
            site: self._request(
                "reveal",
                members,
                survivors,
                ("sealed", b"".join(self.aggregator.sealed_for(site).values())),
                *agreements,
            )
            for site in self.aggregator.sites
        }

    def take(self, site: str, frame: bytes) -> None:
        """Check and use a site's answer; one that is refused puts the site out of the run."""
        self.tally.add_bytes(site, len(frame))
        expected = "key" if site in self._invited else _ANSWERS[self.phase]
        try:
            header = self._open(site, frame, expected)
            if isinstance(header, Refusal):
                self._take_refusal(site, header.code)
            elif expected == "key":
                self.aggregator.learn_keys([frame])
                self._keys[site] = frame
            elif expected == "term":
                self._take_term(site, frame, header)
            elif expected == "survivors":
                self.aggregator.agree(frame)
            elif expected == "share":
                self.aggregator.reveal(frame)
        except RefusedError as refused:
            self.attendance.leave(site, str(refused.code))
        self._answered.add(site)

    def conclude(self) -> None:
        """End the exchange and decide on the next.

        Raises QuorumError, RefusedError or CloisterError; nothing more is opened then.
        """
        if self.phase == "join":
            self._register()
            self._require_quorum("joined")
            self._go_on()
        elif self.phase == "round":
            self._close_round()
        elif self.phase == "agree":
            if self.aggregator.needs_agreement:
                self._cannot_complete("agreed to the survivors")
            self.phase = "reveal"
        elif self.phase == "reveal":
            if not self.aggregator.can_unmask:
                self._cannot_complete("revealed their shares")
            request = self.aggregator.request()
            self.checkpoint.keep_request(self.round, request)
            self._open_round(request)
        elif self.phase == "end":
            self.phase = "over"

    def fail(self, error: CloisterError) -> None:
        """End the run early; sites are still told, so that they destroy what they hold of it."""
        is_told = self.phase in ("end", "over") or not self.attendance.keys
        self.error, self.phase = self.error or error, "over" if is_told else "end"

    def figures(self) -> dict[str, Any]:
        """What is known of the run, JSON-like; figures of the wire only."""
        run = self.aggregator.run
        return {
            "task": self.name,
            "run": self.run,
            "program": run.descriptor.program,
            "approval": run.descriptor.approval,
            "approval_name": run.approval.name,
            "roster": run.descriptor.roster,
            "sites": sorted(self.tally.snapshots),
            "left": self.attendance.missing,
            "rounds": self.round,
            "state": self.aggregator.state,
            "seconds": round(time.monotonic() - self.started, 3),
            **self.tally.as_json(),
            "bytes_per_slot": self.tally.bytes_per_slot,
        }

    def _request(self, kind: RequestKind, *parts: tuple[str, bytes], attempt: int | None = None) -> Request:
        return Request(kind, self.run, self.round, self._attempt if attempt is None else attempt, parts)

    def _open(self, site: str, frame: bytes, expected: str) -> Any:
        """The header of a site's answer, its signature checked against the roster."""
        try:
            claimed = parse_site_message(frame)
        except FrameError as error:
            raise RefusedError(RefusalCode.BAD_MESSAGE, str(error)) from error
        if getattr(claimed, "site", None) != site:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, f"'{site}' sent a message of another site")
        if getattr(claimed, "kind", "") not in (expected, "refusal"):
            raise RefusedError(RefusalCode.BAD_MESSAGE, f"expected a {expected}")
        header, _ = open_message(frame, type(claimed), self.roster.identity(site), with_parts=False)
        return header

    def _take_refusal(self, site: str, code: RefusalCode) -> None:
        """A site that lost count of attempts is asked again; any other refusal is for the rest of the run."""
        if code == RefusalCode.WRONG_ATTEMPT and self.phase == "round":
            return
        if site in self._invited:
            return
        self.attendance.leave(site, code.value)

    def _take_term(self, site: str, frame: bytes, header: TermHeader) -> None:
        self.aggregator.add(frame)
        self.attendance.contributed(site, self.aggregator.members, self.round)
        self.tally.add_term(header, unpack(frame).parts)

    def _register(self) -> None:
        """Sites that answered with a key are registered and present; members of a join that said nothing are not."""
        if self.phase == "join":
            self.attendance.lose(self.attendance.present - self._answered)
        if not self._keys:
            return
        seeds = self.authority.register_keys(self.run, self._keys)
        self.attendance.joined(self._keys, seeds)
        self.checkpoint.keep_keys(self.aggregator.keys.values())

    def _go_on(self) -> None:
        """After joining: to the first round, or to the one under way, which a killed coordinator may have closed."""
        self.phase = "round"
        closed, request = self.checkpoint.closed_round(self.round), self.checkpoint.request(self.round)
        if request is not None:
            self._open_round(request)
        elif closed is not None:
            self.aggregator.resume(closed)
            self.phase = "reveal" if self.aggregator.sites == self.aggregator.members else "agree"

    def _close_round(self) -> None:
        """Fix the survivors, when they are enough; else ask once more where a site only lost count."""
        self._register()
        survivors, members = self.aggregator.sites, self.aggregator.members
        self.attendance.lose(set(members) - self._answered)
        if len(survivors) < self.roster.quorum:
            can_repeat = len(self.attendance.present) >= self.roster.quorum and self._attempts < MOST_ATTEMPTS
            if not can_repeat:
                self._require_quorum(f"contributed to round {self.round}", len(survivors))
            return
        self._require_other_sum(survivors)
        self.checkpoint.keep_tally(self.tally.as_json())
        self.checkpoint.keep_closed_round(self.round, self.aggregator.close())
        self.phase = "reveal" if survivors == members else "agree"

    def _require_quorum(self, what: str, count: int | None = None) -> None:
        count = len(self.attendance.present) if count is None else count
        if count >= self.roster.quorum:
            return
        reasons = ", ".join(f"{site} ({reason})" for site, reason in self.attendance.missing.items())
        raise QuorumError(
            f"task '{self.name}': {count} of {len(self.roster.sites)} sites {what}, the quorum is "
            f"{self.roster.quorum}; missing: {reasons}. Nothing was opened. Bring these sites back and run again."
        )

    def _require_other_sum(self, sites: tuple[str, ...]) -> None:
        """SECURE_SUM rule 9, as every site demands it too."""
        last = self.standing
        if last.change < NEAR_REPEAT and sites != last.sites:
            changed = ", ".join(sorted(set(sites) ^ set(last.sites)))
            raise PrivacyError(
                f"task '{self.name}': {changed} dropped out or came back when the state hardly changed any more "
                f"({last.change:.0e}): the next sum beside the last one would show a single site's term. The run ends "
                "here; run it again with the sites that stay."
            )

    def _cannot_complete(self, what: str) -> None:
        raise QuorumError(
            f"task '{self.name}': too few of the survivors of round {self.round} {what}; no other list of survivors "
            "may be unmasked, so the run ends and nothing of this round is opened. Run it again."
        )

    def _open_round(self, request: bytes) -> None:
        signed = self.authority.open(self.run, request)
        total: Total = self.aggregator.accept_total(signed)
        self.checkpoint.keep_total(total.header.round, signed)
        self.standing = self.standing.after(self.program, total)
        self._totals.append(signed)
        self._attempt, self._attempts = -1, 0
        self.phase = "end" if self.program.is_done(self.state) else "round"


def _can_resume(folder: Path, program: SumProgram, digest: str, authority: AuthorityClient, roster: Roster) -> bool:
    """Whether the folder holds an unfinished run of this program and roster that the authority keeps open, or that has
    all its totals: only its result was not written."""
    left = unfinished_run(folder)
    if left is None or (left.program, left.roster) != (digest, roster.digest):
        return False
    try:
        standing = take_up(Checkpoint(folder), Aggregator(Checkpoint(folder).descriptor, roster), program)
        return program.is_done(standing.state) or authority.is_open(left.run)
    except RefusedError:
        return False


def _close_left_behind(authority: AuthorityClient, folder: Path) -> None:
    """The keys of a run live no longer than it (SECURE_SUM rule 2), also when nobody goes on with it."""
    left = unfinished_run(folder)
    if left is not None:
        with suppress(RefusedError):  # unknown to this authority
            authority.close_run(left.run)
