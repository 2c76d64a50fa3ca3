"""The coordinator's half of a round: check signed contributions, add ciphertexts, remove masks, ask for the opening.

    start -> add* -> close -> (agree* ->) reveal* -> request -> accept_total

It knows the public key only. Its memory holds one running sum a chunk, whatever the number of sites, and for each site
its header and its sealed shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.errors import QuorumError, RefusedError
from contracts.messages import (
    KeyMessage,
    OpenRequest,
    RefusalCode,
    ShareMessage,
    SurvivorsMessage,
    TermHeader,
    first_state,
    layout_records,
    survivors_digest,
)
from contracts.sums import Layout
from contracts.wire import canonical, pack, parts_digest, unpack
from governance.roster import Roster
from governance.signing import open_message
from secure_compute.bfv import Ciphertext
from secure_compute.fixed_point import make_plan
from secure_compute.pending_round import PendingRound
from secure_compute.run_messages import (
    Total,
    check_key,
    check_spoken,
    check_survivors,
    check_term,
    expected_term,
    members_of,
    read_descriptor,
    read_total,
)
from secure_compute.unmask import Reveals


class Aggregator:
    """One run at the coordinator.

    Attributes:
        round: the next round: totals accepted so far.
        state: digest of the public state after them.
        keys: signed KeyMessages of the sites that joined, to be handed to every site.
    """

    def __init__(self, descriptor: bytes, roster: Roster) -> None:
        """Raises RefusedError when the descriptor is not the roster's authority's (see ``read_descriptor``)."""
        self.run = read_descriptor(descriptor, roster)
        self.round = 0
        self.state = first_state(self.run.descriptor.program)
        self.keys: dict[str, bytes] = {}
        self._roster = roster
        self._mask_keys: dict[str, str] = {}
        self._expected: dict[str, str | int] = {}
        self._pending: PendingRound | None = None
        self._sums: list[Ciphertext] = []
        self._agreements: dict[str, bytes] = {}
        self._reveals: Reveals | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Sites that mask with one another in the round under way."""
        return self._started().members

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites whose terms are in the sum: the survivors, once the round is closed."""
        return tuple(sorted(self._pending.headers)) if self._pending else ()

    @property
    def agreements(self) -> tuple[bytes, ...]:
        """The signed SurvivorsMessages so far."""
        return tuple(self._agreements[site] for site in sorted(self._agreements))

    def learn_keys(self, keys: Iterable[bytes]) -> None:
        """Take sites' KeyMessages. Raises RefusedError (see ``check_key``), duplicate for a second key of a site."""
        for frame in keys:
            claimed, _ = open_message(frame, KeyMessage, None)
            key = check_key(frame, self.run.descriptor, self.run.digest, self._roster, claimed.site)
            if self._mask_keys.setdefault(key.site, key.mask_key) != key.mask_key:
                raise RefusedError(RefusalCode.DUPLICATE, f"another key of '{key.site}' for the same run")
            self.keys[key.site] = frame

    def start(self, round_no: int, attempt: int, layout: Layout, state: str, members: Sequence[str]) -> None:
        """Begin to add up a round; a sum begun before is dropped.

        Args:
            state: digest of the public state that sites must have recomputed; equals ``self.state``.
            members: the sites that are asked, sorted; each has its key here.

        Raises:
            RefusedError: wrong_round, wrong_state, wrong_members, quorum_not_met.
            RangeError: the layout does not fit.
        """
        if round_no != self.round:
            raise RefusedError(RefusalCode.WRONG_ROUND, f"round {round_no}, but {self.round} totals were opened")
        if state != self.state:
            raise RefusedError(RefusalCode.WRONG_STATE, "the state is not the one the opened totals lead to")
        self._begin(PendingRound(round_no, attempt, layout, tuple(members)))

    def _begin(self, pending: PendingRound) -> None:
        digest = members_of(self._mask_keys, pending.members, self._roster)
        plan = make_plan(pending.layout, len(self._roster.sites))
        self._expected = expected_term(
            self.run.descriptor, pending.round, pending.attempt, self.state, plan, digest, len(pending.members)
        )
        self._pending = pending
        self._sums = []
        self._agreements = {}
        self._reveals = None

    def add(self, contribution: bytes) -> str:
        """Check a site's contribution and add it to the sum.

        Returns:
            The site.

        Raises:
            RefusedError: with the reason; nothing was added.
        """
        pending = self._started()
        if pending.sums:
            raise RefusedError(RefusalCode.WRONG_ROUND, "the round is closed: a late term is destroyed")
        claimed, _ = open_message(contribution, TermHeader, None, with_parts=False)
        identity = self._roster.identity(claimed.site)
        if identity is None:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, "a contribution of a site that is not on the roster")
        header, parts = open_message(contribution, TermHeader, identity)
        if header.site not in pending.members:
            raise RefusedError(RefusalCode.WRONG_MEMBERS, f"'{header.site}' is not a member of this round")
        check_term(header, self._expected)
        if header.site in pending.headers:
            raise RefusedError(RefusalCode.DUPLICATE, f"a second contribution of '{header.site}'")
        chunks = header.ciphertexts
        if len(parts) != chunks + bool(header.shares):
            raise RefusedError(
                RefusalCode.WRONG_LENGTH, f"{len(parts)} parts, expected {chunks} ciphertexts and shares"
            )
        pending.keep_shares(header.site, bytes(parts[chunks]) if header.shares else b"")
        ciphertexts = [self.run.public.read(part) for part in parts[:chunks]]
        for running, ciphertext in zip(self._sums, ciphertexts, strict=False):
            running.add(ciphertext)
        self._sums = self._sums or ciphertexts
        frame = unpack(contribution)
        pending.headers[header.site] = pack(frame.header, frame.signature)
        return header.site

    def close(self) -> bytes:
        """Take no further term: the sites so far are the survivors.

        Returns:
            The round as bytes, for ``resume``; to be kept before any site is asked to agree or to reveal.

        Raises:
            QuorumError: too few sites contributed.
        """
        pending = self._started()
        if len(self.sites) < max(self._roster.quorum, self._roster.threshold):
            raise QuorumError(
                f"round {self.round}: {len(self.sites)} sites contributed, quorum {self._roster.quorum} of "
                f"{len(self._roster.sites)}: nothing is opened. Start the missing sites and run again."
            )
        pending.sums = tuple(running.to_bytes() for running in self._sums)
        self._reveals = Reveals(self._roster, pending, self._commitments())
        return pending.to_bytes()

    def resume(self, data: bytes) -> None:
        """Go on with a closed round that ``close`` gave. Raises RefusedError when it is not of this run and round."""
        pending = PendingRound.from_bytes(data)
        if pending.round != self.round:
            raise RefusedError(RefusalCode.WRONG_ROUND, f"a kept round {pending.round}, {self.round} were opened")
        self._begin(pending)
        for site, head in pending.headers.items():
            check_term(open_message(head, TermHeader, self._roster.identity(site), with_parts=False)[0], self._expected)
        check_survivors(self.sites, pending.members, self._roster)
        self._sums = [self.run.public.read(part) for part in pending.sums]
        self._reveals = Reveals(self._roster, pending, self._commitments())

    @property
    def needs_agreement(self) -> bool:
        """Whether some member is no survivor and fewer than ``threshold`` survivors have signed the list."""
        return self.sites != self.members and len(self._agreements) < self._roster.threshold

    @property
    def can_unmask(self) -> bool:
        """Whether enough was revealed: by ``threshold`` survivors; by all, when a member dropped out."""
        return self._reveals is not None and self._reveals.suffice

    def sealed_for(self, receiver: str) -> dict[str, bytes]:
        """The shares that the other survivors sealed for a site."""
        pending = self._started()
        return {site: pending.share(site, receiver) for site in self.sites if site != receiver}

    def agree(self, frame: bytes) -> None:
        """Take a site's agreement to the survivors. Raises RefusedError."""
        claimed, _ = open_message(frame, SurvivorsMessage, None)
        self._require_survivor(claimed.site)
        header, _ = open_message(frame, SurvivorsMessage, self._roster.identity(claimed.site))
        check_spoken(header, self._expected, survivors_digest(self.sites))
        self._agreements[header.site] = frame

    def reveal(self, frame: bytes) -> None:
        """Take what a site reveals for the survivors. Raises RefusedError."""
        claimed, _ = open_message(frame, ShareMessage, None, with_parts=False)
        self._require_survivor(claimed.site)
        header, parts = open_message(frame, ShareMessage, self._roster.identity(claimed.site))
        check_spoken(header, self._expected, survivors_digest(self.sites))
        if self._reveals is None or len(parts) != 1:
            raise RefusedError(RefusalCode.BAD_MESSAGE, "shares before the round was closed, or not one part")
        self._reveals.take(header, parts[0])

    def request(self) -> bytes:
        """Remove the masks and ask to open the sum; keep the request and send the same bytes again after a failure.

        Raises:
            QuorumError: too little was revealed.
            RefusedError: bad_share when the shares of a site do not give the seed that it committed to.
        """
        pending = self._started()
        if self._reveals is None or not self._reveals.suffice:
            raise QuorumError(f"round {self.round}: too few sites revealed their shares; the round cannot be completed")
        mask = self._reveals.mask_sum()
        for running, row in zip(self._sums, mask, strict=True):
            running.subtract_plain(row)
        headers = [pending.headers[site] for site in self.sites]
        agreements = [] if self.sites == pending.members else list(self.agreements)
        parts = [*headers, *agreements, *(running.to_bytes() for running in self._sums)]
        header = OpenRequest(
            content=parts_digest(parts),
            run=self.run.descriptor.run,
            round=self.round,
            attempt=pending.attempt,
            sites=self.sites,
            members=pending.members,
            agreements=len(agreements),
            layout=layout_records(pending.layout),
        )
        self._reveals = None  # the sums carry no masks any more: a second request would be another one
        return pack(canonical(header), b"", parts)

    def accept_total(self, signed_total: bytes) -> Total:
        """Check the authority's answer and go on to the next round. Raises RefusedError."""
        total = read_total(signed_total, self.run, self.round, self.state)
        self.state = total.header.next_state
        self.round += 1
        self._pending = None
        self._sums = []
        self._reveals = None
        return total

    def _commitments(self) -> dict[str, str]:
        headers = self._started().headers
        return {
            site: open_message(head, TermHeader, None, with_parts=False)[0].commitment for site, head in headers.items()
        }

    def _require_survivor(self, site: str) -> None:
        if site not in self._started().headers:
            raise RefusedError(RefusalCode.WRONG_SURVIVORS, f"'{site}' is no survivor of this round")

    def _started(self) -> PendingRound:
        if self._pending is None:
            raise RefusedError(RefusalCode.WRONG_ROUND, "no round was started")
        return self._pending
