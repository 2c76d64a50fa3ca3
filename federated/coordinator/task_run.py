"""One task's program at the coordinator: which request comes next, what an answer means, when a round is opened.

    join -> round 0 -> round 1 -> ... -> end          any error -> over, nothing more is opened

The object knows nothing of Flower: ``requests`` says what to send, ``take`` gets each answer as it arrives (terms are
added at once, so memory does not grow with the number of sites), ``conclude`` ends the exchange.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from contracts.errors import CloisterError, QuorumError, RefusedError
from contracts.messages import Refusal, RefusalCode, TermHeader, parse_site_message
from contracts.sums import State, SumProgram
from contracts.wire import FrameError, unpack
from federated.coordinator.checkpoint import Checkpoint, unfinished_run
from federated.envelope import Request
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.aggregate import Aggregator
from secure_compute.authority_client import AuthorityClient
from secure_compute.run_messages import Total

NO_ANSWER = "no_answer"
SLOTS = 4096


class TaskRun:
    """Drives one sum program through its rounds with the sites that are online.

    Attributes:
        name: the task.
        state: the public state so far.
        left: sites that are out of this run, with the refusal code or ``no_answer``.
        error: why the run ended early, if it did.
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
        """Ask the authority for the run, and to close the one that a killed coordinator left in the folder.

        Raises RefusedError when no live approval covers the program.
        """
        _close_left_behind(authority, folder)
        self.name = name
        self.program = program
        self.authority = authority
        self.roster = roster
        self.started = time.monotonic()
        descriptor = authority.create_run(name, digest)
        self.aggregator = Aggregator(descriptor, roster)
        self.run = self.aggregator.run.descriptor.run
        self.checkpoint = Checkpoint(folder, descriptor)
        self.descriptor = descriptor
        self.state: State = program.initial()
        self.phase: Literal["join", "round", "end", "over"] = "join"
        self.members = set(sites)
        self.left = {site: NO_ANSWER for site in roster.sites if site not in sites}
        self.error: CloisterError | None = None
        self.snapshots: dict[str, str] = {}
        self.ciphertext_bytes = 0
        self._answered: set[str] = set()
        self._keys: dict[str, bytes] = {}
        self._seeds: dict[str, bytes] = {}
        self._last_total = b""

    @property
    def round(self) -> int:
        """Totals opened so far, which is also the number of the round under way."""
        return self.aggregator.round

    def requests(self) -> dict[str, Request]:
        """What to send to each member now; begins the exchange."""
        self._answered = set()
        if self.phase == "join":
            return dict.fromkeys(self.members, Request("join", self.run, parts=(("descriptor", self.descriptor),)))
        totals = (("total", self._last_total),) if self.round else ()
        if self.phase == "end":
            return dict.fromkeys(self.members, Request("end", self.run, self.round, parts=totals))
        if self.round == 0:
            return {site: Request("round", self.run, parts=(("seed", self._seeds[site]),)) for site in self.members}
        return dict.fromkeys(self.members, Request("round", self.run, self.round, parts=totals))

    def begin(self) -> None:
        """Start to add up, when a round is due. Raises RangeError when its layout does not fit."""
        if self.phase == "round":
            self.aggregator.start(self.round, 0, self.program.layout(self.state), self.aggregator.state)

    def take(self, site: str, frame: bytes) -> None:
        """Check and use a site's answer; one that is refused puts the site out of the run."""
        try:
            header = self._open(site, frame)
            if isinstance(header, Refusal):
                self.left[site] = header.code.value
            elif self.phase == "join":
                self._keys[site] = frame
            elif self.phase == "round":
                self._take_term(site, frame, header)
        except RefusedError as refused:
            self.left[site] = str(refused.code)
        self._answered.add(site)

    def conclude(self) -> None:
        """End the exchange: drop who is out, then hand over keys, or open the sum and advance, or finish.

        Raises QuorumError, RefusedError or CloisterError; the run is over then and nothing more is opened.
        """
        self.left |= {site: NO_ANSWER for site in self.members - self._answered}
        self.members -= set(self.left)
        if self.phase == "join":
            self._require_quorum("joined")
            self._seeds = self.authority.register_keys(self.run, {site: self._keys[site] for site in self.members})
            self.phase = "round"
        elif self.phase == "round":
            self._require_quorum(f"contributed to round {self.round}")
            self._open_round()
        elif self.phase == "end":
            self.phase = "over"

    def fail(self, error: CloisterError) -> None:
        """End the run early."""
        self.error, self.phase = error, "over"

    def figures(self) -> dict[str, Any]:
        """What is known of the run, JSON-like; figures of the wire only."""
        sent = self.aggregator.ciphertexts_received
        run = self.aggregator.run
        return {
            "task": self.name,
            "run": self.run,
            "program": run.descriptor.program,
            "approval": run.descriptor.approval,
            "approval_name": run.approval.name,
            "roster": run.descriptor.roster,
            "sites": sorted(self.snapshots),
            "left": dict(sorted(self.left.items())),
            "snapshots": dict(sorted(self.snapshots.items())),
            "rounds": self.round,
            "state": self.aggregator.state,
            "seconds": round(time.monotonic() - self.started, 3),
            "bytes_out": self.aggregator.bytes_received,
            "ciphertexts": sent,
            "bytes_per_slot": self.ciphertext_bytes / (SLOTS * max(1, sum(sent.values()))),
        }

    def _open(self, site: str, frame: bytes) -> Any:
        """The header of a site's answer, its signature checked against the roster."""
        try:
            claimed = parse_site_message(frame)
        except FrameError as error:
            raise RefusedError(RefusalCode.BAD_MESSAGE, str(error)) from error
        if getattr(claimed, "site", None) != site:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, f"'{site}' sent a message of another site")
        expected = {"join": "key", "round": "term", "end": "heartbeat"}[self.phase]
        if getattr(claimed, "kind", "") not in (expected, "refusal"):
            raise RefusedError(RefusalCode.BAD_MESSAGE, f"expected a {expected}")
        header, _ = open_message(frame, type(claimed), self.roster.identity(site), with_parts=False)
        return header

    def _take_term(self, site: str, frame: bytes, header: TermHeader) -> None:
        self.aggregator.add(frame)
        self.snapshots[site] = header.snapshot
        self.ciphertext_bytes += sum(len(part) for part in unpack(frame).parts)

    def _require_quorum(self, what: str) -> None:
        if len(self.members) >= self.roster.quorum:
            return
        reasons = ", ".join(f"{site} ({reason})" for site, reason in sorted(self.left.items()))
        raise QuorumError(
            f"task '{self.name}': {len(self.members)} of {len(self.roster.sites)} sites {what}, the quorum is "
            f"{self.roster.quorum}; missing: {reasons}. Nothing was opened. Bring these sites back and run again."
        )

    def _open_round(self) -> None:
        signed = self.authority.open(self.run, self.aggregator.request())
        total: Total = self.aggregator.accept_total(signed)
        self.checkpoint.keep_total(total.header.round, signed)
        self.state = self.program.advance(self.state, total.values())
        self._last_total = signed
        if self.program.is_done(self.state):
            self.phase = "end"


def _close_left_behind(authority: AuthorityClient, folder: Path) -> None:
    """The keys of a run live no longer than it (SECURE_SUM rule 2), also when nobody was left to end it."""
    run = unfinished_run(folder)
    if run is not None:
        with suppress(RefusedError):  # unknown to this authority
            authority.close_run(run)
