"""One run at one site: public state recomputed from signed totals, and the term of each round."""

from __future__ import annotations

from contracts.errors import RefusedError
from contracts.messages import RefusalCode
from contracts.sums import State, SumProgram
from federated.envelope import Request
from federated.site.rows import Snapshot
from secure_compute.site_session import SiteSession


class SiteRun:
    """Holds the rows, the program and the cryptographic session of a joined run."""

    def __init__(
        self, task: str, session: SiteSession, program: SumProgram, snapshot: Snapshot, key_message: bytes
    ) -> None:
        """``session`` has joined; ``key_message`` is what it answered, sent again when asked again."""
        self.task = task
        self.session = session
        self.program = program
        self.snapshot = snapshot
        self.key_message = key_message
        self.state: State = program.initial()
        self.totals: list[bytes] = []
        self._seeded = False
        self._sent: tuple[int, int, bytes] | None = None

    def contribute(self, request: Request) -> bytes:
        """The signed, encrypted term of a round; asked again for the same attempt, the same frame."""
        if self._sent is not None and self._sent[:2] == (request.round, request.attempt):
            return self._sent[2]
        self._take_seed(request)
        self.accept(request)
        if request.round != len(self.totals):
            raise RefusedError(RefusalCode.WRONG_ROUND, f"round {request.round} asked, {len(self.totals)} totals known")
        term = self.program.term(self.snapshot.rows, self.state)
        layout = self.program.layout(self.state)
        frame = self.session.contribute(request.round, request.attempt, layout, term, self.snapshot.digest)
        self._sent = (request.round, request.attempt, frame)
        return frame

    def accept(self, request: Request) -> None:
        """Advance the state by the signed totals of a request; those known already must be the same bytes."""
        first = request.round - len(request.named("total"))
        if first < 0:
            raise RefusedError(RefusalCode.BAD_MESSAGE, "more totals than rounds before this one")
        for number, total in enumerate(request.named("total"), start=first):
            if number < len(self.totals):
                if self.totals[number] != total:
                    raise RefusedError(RefusalCode.WRONG_STATE, f"another total of round {number} than before")
                continue
            self.state = self.program.advance(self.state, self.session.accept_total(total))
            self.totals.append(total)

    def _take_seed(self, request: Request) -> None:
        seeds = request.named("seed")
        if seeds and not self._seeded:
            self.session.receive_seed(seeds[0])
            self._seeded = True
