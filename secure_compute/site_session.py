"""A site's half of a run: join, encrypt terms, agree and reveal, accept totals. One object a run.

    join -> receive_seed, receive_keys -> (contribute -> (agree ->) reveal -> accept_total)* -> end

Its secrets and how far it went are in a file (``run_secrets``): a session that is made again after a kill joins again
with the same keys, takes the totals again, and neither contributes nor reveals anything that differs from before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from contracts.errors import RefusedError
from contracts.messages import (
    SHARE_BYTES,
    Head,
    Heartbeat,
    KeyMessage,
    Refusal,
    RefusalCode,
    SealedSeed,
    ShareMessage,
    SurvivorsMessage,
    TermHeader,
    first_state,
    layout_digest,
    survivors_digest,
)
from contracts.sums import Layout
from contracts.wire import canonical, parts_digest
from governance.roster import Roster
from governance.signing import Identity, open_message, sign_message
from secure_compute import masks
from secure_compute.fixed_point import encode, make_plan
from secure_compute.head_memory import HeadMemory
from secure_compute.key_exchange import pad_seed, shared_secret, unseal
from secure_compute.masks import MaskBinding, MaskSum
from secure_compute.modular import Residues, add
from secure_compute.run_messages import (
    Run,
    check_agreements,
    check_key,
    check_survivors,
    common_digest,
    expected_term,
    members_of,
    read_descriptor,
    read_total,
)
from secure_compute.run_secrets import Progress, RunSecrets, RunSecretsFile, Spoken
from secure_compute.tag import Binding, append_tags, pads

_NOTHING = parts_digest(())
_NO_SHARE = b"\xff" * SHARE_BYTES
"""In the place of a share that could not be opened: no residue, so nobody takes it for one."""


class SiteSession:
    """One site in one run.

    Attributes:
        round: the next round: totals accepted so far.
        state: digest of the public state after them.
        last_sites: the sites of the last total.
    """

    def __init__(self, site: str, identity: Identity, roster: Roster, memory_file: Path, secrets: Path) -> None:
        """
        Args:
            memory_file: outlives runs; remembers the authority's last audit head.
            secrets: folder of the site's secrets of its runs.

        Raises:
            RefusedError: unknown_site when the roster does not name this site with this identity.
        """
        if roster.identity(site) != identity.public:
            raise RefusedError(RefusalCode.UNKNOWN_SITE, f"roster version {roster.version} does not name this identity")
        self.site = site
        self.round = 0
        self.state = ""
        self.last_sites: tuple[str, ...] = ()
        self._identity = identity
        self._roster = roster
        self._memory = HeadMemory(memory_file)
        self._file = RunSecretsFile(secrets)
        self._claimed: Head | None = None
        self._joined: Run | None = None
        self._shared = b""
        self._pad_seed = b""
        self._seed: bytes | None = None
        self._mask_keys: dict[str, str] = {}
        self._pair_secrets: dict[str, bytes] = {}
        self._layout_sent: str | None = None

    @property
    def run(self) -> Run:
        """The run as its descriptor says. Raises RefusedError unknown_run before ``join``."""
        if self._joined is None:
            raise RefusedError(RefusalCode.UNKNOWN_RUN, "not joined yet")
        return self._joined

    def join(self, descriptor: bytes, program: str) -> bytes:
        """Check a run's descriptor and answer with this site's signed keys for it, the same ones when it joins again.

        Args:
            program: digest of the program that this site is going to compute, from its own task file.

        Returns:
            A KeyMessage for the authority and the other sites.

        Raises:
            RefusedError: see ``run_messages.read_descriptor``; wrong_program; ledger_restored; run_closed for a run
                that this site has left.
        """
        if self._joined is not None:
            raise RefusedError(RefusalCode.DUPLICATE, "this session has joined a run already")
        run = read_descriptor(descriptor, self._roster)
        if run.descriptor.program != program:
            raise RefusedError(RefusalCode.WRONG_PROGRAM, "the run is for another program than this site's own")
        remembered = self._memory.last
        self._memory.remember(run.descriptor.head)
        kept = self._file.load(run.descriptor.run)
        self._secrets = kept or self._make_secrets(run, remembered)
        message = bytes.fromhex(self._secrets.key_message)
        key = check_key(message, run.descriptor, run.digest, self._roster, self.site)
        self._claimed = key.remembered
        self._mask_keys[self.site] = key.mask_key
        self._shared = shared_secret(self._secrets.private("site_key"), run.descriptor.authority_key)
        self._pad_seed = pad_seed(self._shared, run.descriptor.run, self.site)
        self._joined = run
        self.state = first_state(program)
        return message

    def _make_secrets(self, run: Run, remembered: Head | None) -> RunSecrets:
        secrets = self._file.make(run.descriptor.run, run.descriptor.task)
        site_key, mask_key = (
            secrets.private(name).public_key().public_bytes_raw().hex() for name in ("site_key", "mask_key")
        )
        message = KeyMessage(
            content=_NOTHING,
            run=run.descriptor.run,
            site=self.site,
            roster=self._roster.digest,
            descriptor=run.digest,
            site_key=site_key,
            mask_key=mask_key,
            remembered=remembered,
        )
        secrets = secrets.model_copy(update={"key_message": sign_message(self._identity, message).hex()})
        self._file.write(secrets)
        return secrets

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

    def receive_keys(self, messages: Iterable[bytes]) -> None:
        """Take other sites' KeyMessages, each checked against the roster; those of late sites may follow.

        Raises:
            RefusedError: see ``run_messages.check_key``; duplicate when a site has another key than before.
        """
        run = self.run
        for message in messages:
            claimed, _ = open_message(message, KeyMessage, None)
            key = check_key(message, run.descriptor, run.digest, self._roster, claimed.site)
            if self._mask_keys.setdefault(key.site, key.mask_key) != key.mask_key:
                raise RefusedError(RefusalCode.DUPLICATE, f"another key of '{key.site}' for the same run")

    def contribute(
        self,
        round_no: int,
        attempt: int,
        layout: Layout,
        term: Mapping[str, np.ndarray],
        snapshot: str,
        members: Sequence[str],
    ) -> bytes:
        """Clip, encode, tag, mask, encrypt and sign this site's term of a round.

        Args:
            attempt: must rise within a round; repeated only with the same values and members.
            snapshot: digest of the data the term was computed from (``lake.reader.digest``); the same in all rounds.
            members: the sites that mask with one another, sorted, this one among them.

        Returns:
            A signed TermHeader with the ciphertexts and the sealed shares of the self-mask's seed.

        Raises:
            RefusedError: wrong_round (totals are missing), wrong_attempt, wrong_members, wrong_snapshot, bad_term,
                already_revealed, quorum_not_met.
            RangeError: the layout does not fit.
        """
        run, seed = self.run, self._seed
        if seed is None:
            raise RefusedError(RefusalCode.WRONG_KEY, "no seed received yet")
        if self.site not in members:
            raise RefusedError(RefusalCode.WRONG_MEMBERS, "this site is not among the members")
        agreed_on = members_of(self._mask_keys, members, self._roster)
        plan = make_plan(layout, len(self._roster.sites))
        values, _ = encode(plan, term)
        said = expected_term(run.descriptor, round_no, attempt, self.state, plan, agreed_on, len(members))
        common = common_digest(said)
        now = Progress(
            round=round_no, attempt=attempt, members=agreed_on, common=common, values=self._keyed_digest(values)
        )
        self._advance_progress(now, snapshot)
        tag_binding = Binding(run.descriptor.run, round_no, attempt)
        tagged = append_tags(values, seed, pads(self._pad_seed, tag_binding, self.site, plan.chunks), tag_binding)
        binding = MaskBinding(run.descriptor.run, round_no, attempt, common)
        self_seed = masks.self_seed(self._root, binding)
        masked = add(tagged, self._mask(members, binding, self_seed, plan.chunks))
        parts = [run.public.encrypt(row).to_bytes() for row in masked]
        others = [site for site in members if site != self.site]
        if others:
            parts.append(self._seal_shares(others, binding, self_seed))
        self._layout_sent = layout_digest(layout)
        own = {"site": self.site, "snapshot": snapshot, "commitment": masks.commitment(self_seed)}
        header = TermHeader.model_validate({"content": parts_digest(parts), **said, **own})
        return sign_message(self._identity, header, parts)

    def agree(self, round_no: int, attempt: int, members: Sequence[str], survivors: Sequence[str]) -> bytes:
        """Sign a list of survivors that leaves out some members, one an attempt; durable before it is returned.

        Returns:
            A signed SurvivorsMessage.

        Raises:
            RefusedError: wrong_round, wrong_attempt, wrong_members for what this site did not contribute to;
                wrong_survivors, quorum_not_met, already_revealed.
        """
        spoken = self._spoken(round_no, attempt, members, survivors)
        if survivors_digest(members) == spoken.survivors:
            raise RefusedError(RefusalCode.WRONG_SURVIVORS, "all members need no agreement beside their terms")
        if self._progress.agreed is None:
            self._write(self._progress.model_copy(update={"agreed": spoken}))
        header = SurvivorsMessage(
            content=_NOTHING,
            run=self.run.descriptor.run,
            round=round_no,
            attempt=attempt,
            site=self.site,
            members=spoken.members,
            survivors=spoken.survivors,
        )
        return sign_message(self._identity, header)

    def reveal(
        self,
        round_no: int,
        attempt: int,
        members: Sequence[str],
        survivors: Sequence[str],
        sealed: Mapping[str, bytes | memoryview],
        agreements: Sequence[bytes] = (),
    ) -> bytes:
        """Reveal what removes the masks of one list of survivors, and nothing for another one of this round ever after.

        Args:
            sealed: the shares that the other survivors sealed for this site.
            agreements: signed SurvivorsMessages of ``threshold`` survivors; none needed when all members are survivors.

        Returns:
            A signed ShareMessage.

        Raises:
            RefusedError: as ``agree``; bad_message when sealed shares are missing.
        """
        spoken = self._spoken(round_no, attempt, members, survivors)
        run = self.run.descriptor.run
        if list(survivors) != list(members):
            expected: dict[str, str | int] = {
                "run": run,
                "round": round_no,
                "attempt": attempt,
                "members": spoken.members,
            }
            check_agreements(agreements, expected, survivors, self._roster)
        if set(sealed) != set(survivors) - {self.site}:
            raise RefusedError(RefusalCode.BAD_MESSAGE, "one sealed share of each other survivor is needed")
        if self._progress.revealed is None:
            self._write(self._progress.model_copy(update={"revealed": spoken}))
        binding = MaskBinding(run, round_no, attempt, self._progress.common or "")
        shares = [self._share_of(site, sealed, binding) for site in survivors]
        dropped = [site for site in members if site not in set(survivors)]
        seeds = [masks.pair_seed(self._pair_secret(site), binding) for site in dropped]
        part = b"".join(shares + seeds)
        header = ShareMessage(
            content=parts_digest((part,)),
            run=run,
            round=round_no,
            attempt=attempt,
            site=self.site,
            members=spoken.members,
            survivors=spoken.survivors,
            shares=len(shares),
            seeds=len(seeds),
        )
        return sign_message(self._identity, header, (part,))

    def end(self) -> None:
        """Destroy this site's secrets of the run; nothing more is said in it."""
        if self._joined is not None:
            self._file.destroy(self._joined.descriptor.run)

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
        self.last_sites = total.header.sites
        self.round += 1
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

    @property
    def _progress(self) -> Progress:
        return self._secrets.progress

    @property
    def _root(self) -> bytes:
        return bytes.fromhex(self._secrets.root)

    def _write(self, progress: Progress, snapshot: str | None = None) -> None:
        changes: dict[str, object] = {"progress": progress, "snapshot": snapshot or self._secrets.snapshot}
        self._secrets = self._secrets.model_copy(update=changes)
        self._file.write(self._secrets)

    def _keyed_digest(self, values: Residues) -> str:
        said = hashlib.sha256(self._root)
        said.update(np.ascontiguousarray(values).data)
        return said.hexdigest()

    def _advance_progress(self, now: Progress, snapshot: str) -> None:
        """Write down what is about to be contributed; refuse what would contradict what was."""
        if now.round != self.round or now.round < self._progress.round:
            raise RefusedError(
                RefusalCode.WRONG_ROUND,
                f"asked for round {now.round}; state is at round {self.round}, last round was {self._progress.round}",
            )
        if self._secrets.snapshot not in (None, snapshot):
            raise RefusedError(RefusalCode.WRONG_SNAPSHOT, "this site's data changed within the run")
        before = self._progress if now.round == self._progress.round else Progress(round=now.round)
        if before.revealed is not None:
            raise RefusedError(RefusalCode.ALREADY_REVEALED, f"shares of round {now.round} were revealed already")
        if before.attempt is not None and now.attempt is not None and now.attempt <= before.attempt:
            if now != before.model_copy(update={"agreed": None}):
                raise RefusedError(RefusalCode.WRONG_ATTEMPT, f"attempt {now.attempt} was made already, or a later one")
            return
        self._write(now, snapshot)

    def _spoken(self, round_no: int, attempt: int, members: Sequence[str], survivors: Sequence[str]) -> Spoken:
        """What is asked to agree to or to reveal, checked against what this site contributed and said before."""
        agreed_on = members_of(self._mask_keys, members, self._roster)
        done = self._progress
        if round_no != self.round or round_no != done.round:
            raise RefusedError(RefusalCode.WRONG_ROUND, f"asked for round {round_no}, contributed to {done.round}")
        if attempt != done.attempt:
            raise RefusedError(RefusalCode.WRONG_ATTEMPT, f"attempt {attempt} is not the one contributed to")
        if agreed_on != done.members:
            raise RefusedError(RefusalCode.WRONG_MEMBERS, "not the members this site masked with")
        check_survivors(survivors, members, self._roster)
        if self.site not in survivors:
            raise RefusedError(RefusalCode.WRONG_SURVIVORS, "this site is not among the survivors")
        spoken = Spoken(attempt=attempt, members=agreed_on, survivors=survivors_digest(survivors))
        if done.revealed not in (None, spoken):
            raise RefusedError(RefusalCode.ALREADY_REVEALED, "shares for other survivors were revealed in this round")
        if done.agreed not in (None, spoken):
            raise RefusedError(RefusalCode.WRONG_SURVIVORS, "other survivors were agreed to in this attempt")
        return spoken

    def _mask(self, members: Sequence[str], binding: MaskBinding, self_seed: Residues, chunks: int) -> Residues:
        total = MaskSum(chunks)
        total.add(masks.self_mask_key(self_seed))
        for site in members:
            if site > self.site:
                total.add(masks.pair_seed(self._pair_secret(site), binding))
            elif site < self.site:
                total.subtract(masks.pair_seed(self._pair_secret(site), binding))
        return total.residues()

    def _seal_shares(self, others: Sequence[str], binding: MaskBinding, self_seed: Residues) -> bytes:
        shares = self._shares(others, binding, self_seed)
        return b"".join(
            masks.seal_share(self._pair_secret(site), binding, self.site, site, share)
            for site, share in zip(others, shares, strict=True)
        )

    def _shares(self, holders: Sequence[str], binding: MaskBinding, self_seed: Residues) -> Residues:
        numbers = [self._roster.number(site) for site in holders]
        return masks.share_seed(self_seed, self._root, binding, self._roster.threshold, numbers)

    def _share_of(self, site: str, sealed: Mapping[str, bytes | memoryview], binding: MaskBinding) -> bytes:
        """A survivor's share that this site holds, packed; its own it derives."""
        if site == self.site:
            return masks.pack_share(self._shares((site,), binding, masks.self_seed(self._root, binding))[0])
        try:
            return masks.open_share(self._pair_secret(site), binding, site, self.site, sealed[site])
        except RefusedError:
            return _NO_SHARE

    def _pair_secret(self, site: str) -> bytes:
        if site not in self._pair_secrets:
            self._pair_secrets[site] = shared_secret(self._secrets.private("mask_key"), self._mask_keys[site])
        return self._pair_secrets[site]
