"""A site's half of a run: join, encrypt terms, accept totals. One object a run; it holds the run's secrets in memory.

join -> receive_seed -> (contribute -> accept_total)*
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts.errors import RefusedError
from contracts.messages import (
    Head,
    Heartbeat,
    KeyMessage,
    Refusal,
    RefusalCode,
    SealedSeed,
    TermHeader,
    first_state,
    layout_digest,
)
from contracts.sums import Layout
from contracts.wire import canonical, parts_digest
from governance.roster import Roster
from governance.signing import Identity, open_message, sign_message
from secure_compute.fixed_point import encode, make_plan
from secure_compute.head_memory import HeadMemory
from secure_compute.key_exchange import pad_seed, shared_secret, unseal
from secure_compute.run_messages import Run, read_descriptor, read_total
from secure_compute.tag import Binding, append_tags, pads

_NOTHING = parts_digest(())


class SiteSession:
    """One site in one run.

    Attributes:
        round: the next round: totals accepted so far.
        state: digest of the public state after them.
    """

    def __init__(self, site: str, identity: Identity, roster: Roster, memory_file: Path) -> None:
        """``memory_file`` outlives runs: it remembers the authority's last audit head.

        Raises:
            RefusedError: unknown_site when the roster does not name this site with this identity.
        """
        if roster.identity(site) != identity.public:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, f"roster version {roster.version} does not name this identity")
        self.site = site
        self.round = 0
        self.state = ""
        self._identity = identity
        self._roster = roster
        self._memory = HeadMemory(memory_file)
        self._claimed: Head | None = None
        self._private = X25519PrivateKey.generate()
        self._joined: Run | None = None
        self._shared = b""
        self._pad_seed = b""
        self._seed: bytes | None = None
        self._last_attempt = -1
        self._layout_sent: str | None = None

    @property
    def run(self) -> Run:
        """The run as its descriptor says. Raises RefusedError unknown_run before ``join``."""
        if self._joined is None:
            raise RefusedError(RefusalCode.UNKNOWN_RUN, "not joined yet")
        return self._joined

    def join(self, descriptor: bytes, program: str) -> bytes:
        """Check a run's descriptor and answer with this site's signed key for it.

        Args:
            program: digest of the program that this site is going to compute, from its own task file.

        Returns:
            A KeyMessage for the authority.

        Raises:
            RefusedError: see ``run_messages.read_descriptor``; wrong_program; ledger_restored.
        """
        if self._joined is not None:
            raise RefusedError(RefusalCode.DUPLICATE, "this session has joined a run already")
        run = read_descriptor(descriptor, self._roster)
        if run.descriptor.program != program:
            raise RefusedError(RefusalCode.WRONG_PROGRAM, "the run is for another program than this site's own")
        self._claimed = self._memory.last
        self._memory.remember(run.descriptor.head)
        self._shared = shared_secret(self._private, run.descriptor.authority_key)
        self._pad_seed = pad_seed(self._shared, run.descriptor.run, self.site)
        self._joined = run
        self.state = first_state(program)
        key = KeyMessage(
            content=_NOTHING,
            run=run.descriptor.run,
            site=self.site,
            roster=self._roster.digest,
            descriptor=run.digest,
            site_key=self._private.public_key().public_bytes_raw().hex(),
            remembered=self._claimed,
        )
        return sign_message(self._identity, key)

    def receive_seed(self, sealed: bytes) -> None:
        """Take the authority's sealed seed of r. Raises RefusedError when it is not for this site and run."""
        run = self.run.descriptor.run
        header, parts = open_message(sealed, SealedSeed, self._roster.authority)
        if header.run != run or header.site != self.site or len(parts) != 1:
            raise RefusedError(RefusalCode.WRONG_RUN, "a seed for another run or site")
        bound_to = canonical(header.model_copy(update={"content": _NOTHING}))
        seed = unseal(self._shared, run, self.site, bytes(parts[0]), bound_to)
        if self._seed is not None and self._seed != seed:
            raise RefusedError(RefusalCode.DUPLICATE, "another seed for the same run")
        self._memory.require_fresh(header.head, self._claimed)
        self._seed = seed

    def contribute(
        self, round_no: int, attempt: int, layout: Layout, term: Mapping[str, np.ndarray], snapshot: str
    ) -> bytes:
        """Clip, encode, tag, encrypt and sign this site's term of a round.

        Args:
            attempt: must rise within a round: tag keys serve one contribution.
            snapshot: digest of the data the term was computed from (``lake.reader.digest``).

        Returns:
            A signed TermHeader with the ciphertexts.

        Raises:
            RefusedError: wrong_round (totals are missing), wrong_attempt, bad_term.
            RangeError: the layout does not fit.
        """
        run, seed = self.run, self._seed
        if seed is None:
            raise RefusedError(RefusalCode.WRONG_KEY, "no seed received yet")
        if round_no != self.round:
            raise RefusedError(RefusalCode.WRONG_ROUND, f"asked for round {round_no}, state is at round {self.round}")
        if attempt <= self._last_attempt:
            raise RefusedError(RefusalCode.WRONG_ATTEMPT, f"attempt {attempt} is not above {self._last_attempt}")
        plan = make_plan(layout, len(self._roster.sites))
        values, _ = encode(plan, term)
        self._last_attempt = attempt
        binding = Binding(run.descriptor.run, round_no, attempt)
        tagged = append_tags(values, seed, pads(self._pad_seed, binding, self.site, plan.chunks), binding)
        # The place of the masks of rules 7 and 8: they are added to ``tagged`` modulo t, after the tag.
        ciphertexts = [run.public.encrypt(row).to_bytes() for row in tagged]
        self._layout_sent = layout_digest(layout)
        header = TermHeader(
            content=parts_digest(ciphertexts),
            run=run.descriptor.run,
            round=round_no,
            attempt=attempt,
            site=self.site,
            roster=self._roster.digest,
            approval=run.descriptor.approval,
            program=run.descriptor.program,
            layout=self._layout_sent,
            sites=plan.sites,
            state=self.state,
            snapshot=snapshot,
            bfv=run.descriptor.bfv,
            slots=plan.slots,
            ciphertexts=plan.chunks,
        )
        return sign_message(self._identity, header, ciphertexts)

    def accept_total(self, signed_total: bytes) -> dict[str, np.ndarray]:
        """Check a signed total and go on to the next round.

        Returns:
            The total as float64 arrays by block name, and ``fixed_point.CLIPPED``.

        Raises:
            RefusedError: not the next total of this run after this state, or of another layout than was contributed.
        """
        total = read_total(signed_total, self.run, self.round, self.state)
        if self._layout_sent is not None and layout_digest(total.plan.layout) != self._layout_sent:
            raise RefusedError(RefusalCode.WRONG_LAYOUT, "a total of another layout than this site contributed to")
        self._memory.remember(total.header.head)
        self.state = total.header.next_state
        self.round += 1
        self._last_attempt = -1
        self._layout_sent = None
        return total.values()

    def refuse(self, code: RefusalCode, round_no: int | None = None) -> bytes:
        """A signed refusal: a code and nothing else. Works before a run is joined too."""
        run = self._joined.descriptor.run if self._joined else None
        header = Refusal(content=_NOTHING, run=run, round=round_no, site=self.site, code=code)
        return sign_message(self._identity, header)

    def heartbeat(self, number: int) -> bytes:
        """A signed sign of life."""
        return sign_message(self._identity, Heartbeat(content=_NOTHING, site=self.site, number=number))
