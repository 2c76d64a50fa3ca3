"""The coordinator's half of a round: check signed contributions, add ciphertexts, ask the authority to open the sum.

It knows the public key only. Its memory does not grow with the number of sites: one running sum a chunk.
"""

from __future__ import annotations

from contracts.errors import QuorumError, RefusedError
from contracts.messages import OpenRequest, RefusalCode, TermHeader, first_state, layout_records
from contracts.sums import Layout
from contracts.wire import canonical, pack, parts_digest, unpack
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.bfv import Ciphertext
from secure_compute.fixed_point import Plan, make_plan
from secure_compute.run_messages import Total, check_term, expected_term, read_descriptor, read_total


class Aggregator:
    """One run at the coordinator: ``start`` a round, ``add`` contributions, ``request`` the opening, ``accept_total``.

    Attributes:
        round: the next round: totals accepted so far.
        state: digest of the public state after them.
        bytes_received, ciphertexts_received: by site, over all rounds.
    """

    def __init__(self, descriptor: bytes, roster: Roster) -> None:
        """Raises RefusedError when the descriptor is not the roster's authority's (see ``read_descriptor``)."""
        self.run = read_descriptor(descriptor, roster)
        self.round = 0
        self.state = first_state(self.run.descriptor.program)
        self.bytes_received = dict.fromkeys(roster.sites, 0)
        self.ciphertexts_received = dict.fromkeys(roster.sites, 0)
        self._roster = roster
        self._attempt = 0
        self._plan: Plan | None = None
        self._expected: dict[str, str | int] = {}
        self._sums: list[Ciphertext] = []
        self._headers: dict[str, bytes] = {}

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites whose terms are in the sum."""
        return tuple(sorted(self._headers))

    def start(self, round_no: int, attempt: int, layout: Layout, state: str) -> None:
        """Begin to add up a round; a sum begun before is dropped.

        Args:
            state: digest of the public state that sites must have recomputed; equals ``self.state``.

        Raises:
            RefusedError: wrong_round, wrong_state.
            RangeError: the layout does not fit.
        """
        if round_no != self.round:
            raise RefusedError(RefusalCode.WRONG_ROUND, f"round {round_no}, but {self.round} totals were opened")
        if state != self.state:
            raise RefusedError(RefusalCode.WRONG_STATE, "the state is not the one the opened totals lead to")
        self._plan = make_plan(layout, len(self._roster.sites))
        self._expected = expected_term(self.run.descriptor, round_no, attempt, state, self._plan)
        self._attempt = attempt
        self._sums = []
        self._headers = {}

    def add(self, contribution: bytes) -> str:
        """Check a site's contribution and add it to the sum.

        Returns:
            The site.

        Raises:
            RefusedError: with the reason; nothing was added.
        """
        plan = self._started()
        claimed, _ = open_message(contribution, TermHeader, None, with_parts=False)
        identity = self._roster.identity(claimed.site)
        if identity is None:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, "a contribution of a site that is not on the roster")
        header, parts = open_message(contribution, TermHeader, identity)
        check_term(header, self._expected)
        if header.site in self._headers:
            raise RefusedError(RefusalCode.DUPLICATE, f"a second contribution of '{header.site}'")
        if len(parts) != plan.chunks:
            raise RefusedError(RefusalCode.WRONG_LENGTH, f"{len(parts)} ciphertexts, expected {plan.chunks}")
        ciphertexts = [self.run.public.read(part) for part in parts]
        for running, ciphertext in zip(self._sums, ciphertexts, strict=False):
            running.add(ciphertext)
        self._sums = self._sums or ciphertexts
        frame = unpack(contribution)
        self._headers[header.site] = pack(frame.header, frame.signature)
        self.bytes_received[header.site] += len(contribution)
        self.ciphertexts_received[header.site] += len(parts)
        return header.site

    def request(self) -> bytes:
        """The request to open the sum; keep it, and send the same bytes again after a failure.

        Raises:
            QuorumError: too few sites contributed.
        """
        plan = self._started()
        if len(self._headers) < self._roster.quorum:
            raise QuorumError(
                f"round {self.round}: {len(self._headers)} sites contributed, quorum {self._roster.quorum} of "
                f"{len(self._roster.sites)}: nothing is opened. Start the missing sites and run again."
            )
        parts = [self._headers[site] for site in self.sites] + [running.to_bytes() for running in self._sums]
        header = OpenRequest(
            content=parts_digest(parts),
            run=self.run.descriptor.run,
            round=self.round,
            attempt=self._attempt,
            sites=self.sites,
            layout=layout_records(plan.layout),
        )
        return pack(canonical(header), b"", parts)

    def accept_total(self, signed_total: bytes) -> Total:
        """Check the authority's answer and go on to the next round. Raises RefusedError."""
        total = read_total(signed_total, self.run, self.round, self.state)
        self.state = total.header.next_state
        self.round += 1
        self._plan = None
        self._sums = []
        self._headers = {}
        return total

    def _started(self) -> Plan:
        if self._plan is None:
            raise RefusedError(RefusalCode.WRONG_ROUND, "no round was started")
        return self._plan
