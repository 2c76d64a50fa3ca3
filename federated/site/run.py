"""One run at one site: public state recomputed from signed totals, terms, what is agreed to and revealed."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import RefusedError
from contracts.messages import SEALED_SHARE_BYTES, RefusalCode
from contracts.sums import NEAR_REPEAT, State, SumProgram
from federated.envelope import Request, unpack_sites
from federated.site.policy import Policy
from federated.site.rows import Snapshot
from federated.site.run_folder import RunFolder
from secure_compute.site_session import SiteSession


class SiteRun:
    """Holds the rows, the program and the cryptographic session of a joined run."""

    def __init__(
        self,
        task: str,
        session: SiteSession,
        program: SumProgram,
        snapshot: Snapshot,
        key_message: bytes,
        folder: RunFolder,
        policy: Policy,
    ) -> None:
        """``session`` has joined; ``key_message`` is what it answered, sent again when asked again."""
        self.task = task
        self.session = session
        self.program = program
        self.snapshot = snapshot
        self.key_message = key_message
        self.folder = folder
        self.policy = policy
        self.state: State = program.initial()
        self.totals: list[bytes] = []
        self._change = float("inf")
        self._keys: list[bytes] = []
        self._seeded = False
        self._sent: tuple[int, int, bytes] | None = None

    def restore(self) -> None:
        """Take up what the folder holds of this run. Raises RefusedError when something in it is not as signed."""
        seed = self.folder.seed
        if seed is not None:
            self._take_seed(seed)
        self._take_keys(self.folder.keys)
        for total in self.folder.totals:
            self._advance(total)

    def contribute(self, request: Request) -> bytes:
        """The signed, encrypted term of a round; asked again for the same attempt, the same frame."""
        if self._sent is not None and self._sent[:2] == (request.round, request.attempt):
            return self._sent[2]
        for seed in request.named("seed"):
            self._take_seed(seed)
        self._take_keys(request.named("key"))
        self.accept(request)
        if request.round != len(self.totals):
            raise RefusedError(RefusalCode.WRONG_ROUND, f"round {request.round} asked, {len(self.totals)} totals known")
        members = _sites(request, "members")
        self._require_other_sum(members)
        self.policy.require_openings(self.session.run.descriptor.run, request.round)
        term = self.program.term(self.snapshot.rows, self.state)
        layout = self.program.layout(self.state)
        frame = self.session.contribute(request.round, request.attempt, layout, term, self.snapshot.digest, members)
        self._sent = (request.round, request.attempt, frame)
        return frame

    def agree(self, request: Request) -> bytes:
        """This site's signature under a list of survivors that leaves out some members."""
        survivors = _sites(request, "survivors")
        self._require_other_sum(survivors)
        return self.session.agree(request.round, request.attempt, _sites(request, "members"), survivors)

    def reveal(self, request: Request) -> bytes:
        """This site's shares for a list of survivors."""
        survivors = _sites(request, "survivors")
        self._require_other_sum(survivors)
        others = [site for site in survivors if site != self.session.site]
        sealed = b"".join(request.named("sealed"))
        if len(sealed) != SEALED_SHARE_BYTES * len(others):
            raise RefusedError(RefusalCode.BAD_MESSAGE, "one sealed share of each other survivor is needed")
        shares = {
            site: sealed[at : at + SEALED_SHARE_BYTES]
            for site, at in zip(others, range(0, len(sealed), SEALED_SHARE_BYTES), strict=True)
        }
        members = _sites(request, "members")
        return self.session.reveal(
            request.round, request.attempt, members, survivors, shares, request.named("agreement")
        )

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
            self._advance(total)
            self.folder.keep_total(number, total)

    def end(self) -> None:
        """Destroy the secrets and papers of the run."""
        self.session.end()
        self.folder.remove()

    def _advance(self, total: bytes) -> None:
        before = self.state
        self.state = self.program.advance(before, self.session.accept_total(total))
        self._change = self.program.change(before, self.state)
        self.totals.append(total)

    def _require_other_sum(self, sites: Sequence[str]) -> None:
        """SECURE_SUM rule 9: near convergence the sites of the next sum are those of the last one."""
        if self._change < NEAR_REPEAT and tuple(sites) != self.session.last_sites:
            raise RefusedError(
                RefusalCode.NEAR_REPEAT,
                f"the state changed by {self._change:.1e} only: over other sites the next sum would show one site's",
            )

    def _take_seed(self, seed: bytes) -> None:
        if not self._seeded:
            self.session.receive_seed(seed)
            self.folder.keep_seed(seed)
            self._seeded = True

    def _take_keys(self, keys: Sequence[bytes]) -> None:
        known = set(self._keys)
        if new := [key for key in keys if key not in known]:
            self.session.receive_keys(new)
            self._keys += new
            self.folder.keep_keys(self._keys)


def _sites(request: Request, name: str) -> tuple[str, ...]:
    parts = request.named(name)
    if len(parts) != 1:
        raise RefusedError(RefusalCode.BAD_MESSAGE, f"expected one list of {name}, found {len(parts)}")
    return unpack_sites(parts[0])
