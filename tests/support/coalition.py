"""Coalitions against the secure sum: all that their parties hold, on disk and on the wire, and their best use of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from secure_region import PROGRAM, SNAPSHOT, RunningRun, SecureRegion, ciphertexts_of

from contracts.errors import RefusedError
from contracts.messages import (
    SEALED_SHARE_BYTES,
    SEED_BYTES,
    SHARE_BYTES,
    KeyMessage,
    ShareMessage,
    SurvivorsMessage,
    TermHeader,
    members_digest,
    survivors_digest,
)
from contracts.sums import Block
from contracts.wire import parts_digest, unpack
from governance.signing import open_message, sign_message
from secure_compute import masks
from secure_compute.authority.keys import load_run_keys
from secure_compute.bfv import SLOTS
from secure_compute.fixed_point import make_plan
from secure_compute.key_exchange import shared_secret
from secure_compute.masks import MaskBinding
from secure_compute.modular import Integers, Residues, T, add, centred, subtract
from secure_compute.run_messages import common_digest, expected_term
from secure_compute.run_secrets import RunSecretsFile
from secure_compute.shamir import combine
from secure_compute.site_session import SiteSession
from secure_compute.streams import uniform_residues

VALUES = 300
LAYOUT = (Block("v", (VALUES,), 1000.0),)
"""One ciphertext a site."""

MOST_UNEVEN = 3.5
"""Uniform draws exceed it (``unevenness``) once in 10^10 tries."""


class Said(NamedTuple):
    """Who contributed to what. Two contributions of one site to one attempt differ by members or by state."""

    site: str
    attempt: int
    members: tuple[str, ...]
    state: str


class Wire:
    """A round as a malicious coordinator leads it: it shows each site what it likes and keeps every frame.

    ``own``: sites of the coalition; they sign what they are asked to, beside their sessions.
    """

    def __init__(self, region: SecureRegion, run: RunningRun, own: Iterable[str] = ()) -> None:
        self.region = region
        self.run = run
        self.own = frozenset(own)
        self.terms: dict[Said, bytes] = {}
        self.reveals: list[tuple[Said, tuple[str, ...], bytes]] = []

    @property
    def mask_keys(self) -> dict[str, str]:
        keys = self.run.aggregator.keys
        return {site: open_message(frame, KeyMessage, None)[0].mask_key for site, frame in keys.items()}

    def contribute(self, site: str, term: np.ndarray, members: Sequence[str], attempt: int = 0) -> bytes:
        session = self.run.sessions[site]
        frame = session.contribute(session.round, attempt, LAYOUT, {"v": term}, SNAPSHOT, members)
        self.terms[Said(site, attempt, tuple(members), session.state)] = frame
        return frame

    def agree(self, site: str, members: Sequence[str], survivors: Sequence[str], attempt: int = 0) -> bytes:
        """A site's agreement; a colluding one signs any list."""
        session = self.run.sessions[site]
        if site not in self.own:
            return session.agree(session.round, attempt, members, survivors)
        message = SurvivorsMessage(
            content=parts_digest(()),
            run=self.run.run,
            round=session.round,
            attempt=attempt,
            site=site,
            members=members_digest({member: self.mask_keys[member] for member in members}),
            survivors=survivors_digest(survivors),
        )
        return sign_message(self.region.identities[site], message)

    def reveal(
        self,
        site: str,
        members: Sequence[str],
        survivors: Sequence[str],
        agreements: Sequence[bytes] = (),
        attempt: int = 0,
        session: SiteSession | None = None,
    ) -> bytes:
        """What a site reveals for a list; shares of survivors that never contributed so are made up."""
        session = session or self.run.sessions[site]
        place = (attempt, tuple(members))
        sealed = {
            said.site: sealed_share(frame, members, said.site, site)
            for said, frame in self.terms.items()
            if said[1:3] == place and said.site in survivors and said.site != site and site in members
        }
        sealed |= {other: bytes(SEALED_SHARE_BYTES) for other in survivors if other not in {site, *sealed}}
        frame = session.reveal(session.round, attempt, members, survivors, sealed, agreements)
        self.reveals.append((Said(site, attempt, tuple(members), session.state), tuple(survivors), frame))
        return frame

    def restarted(self, site: str) -> SiteSession:
        """A session made again from its site's files, with what it is told at every start."""
        old, session = self.run.sessions[site], self.region.session(site)
        session.join(self.run.descriptor, PROGRAM)
        session._seed = old._seed
        session.receive_keys(self.run.aggregator.keys.values())
        return session


def sealed_share(frame: bytes, members: Sequence[str], sender: str, receiver: str) -> bytes:
    """The share in a contribution that ``sender`` sealed for ``receiver``."""
    place = [member for member in members if member != sender].index(receiver)
    return bytes(unpack(frame).parts[-1][SEALED_SHARE_BYTES * place :][:SEALED_SHARE_BYTES])


class Coalition:
    """Coordinator, authority and some sites (``wire.own``) of a run, and what they make of everything together."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.key = load_run_keys(wire.region.vault, wire.run.run).bfv
        self._public = wire.mask_keys
        files = {site: RunSecretsFile(wire.region.root / site / "runs") for site in wire.own}
        self._secrets = {site: file.load(wire.run.run) for site, file in files.items()}

    def values(self, rows: Residues) -> np.ndarray:
        """The values of a row of slots."""
        return centred(rows)[:VALUES]

    def decrypted(self, said: Said) -> Residues:
        """A site's slots (4096,) as the authority's key alone gives them."""
        return self.key.decrypt(self.key.read(ciphertexts_of(self.wire.terms[said])[0]))

    def residue(self, said: Said) -> tuple[Residues, dict[tuple[str, ...], int]]:
        """A site's slots (4096,), decrypted and rid of every mask that can be derived; the masks left with signs."""
        row, binding = self.decrypted(said), self._binding(said)
        left: dict[tuple[str, ...], int] = {}
        seed = self.self_seed(said)
        if seed is None:
            left["self", said.site, binding.common] = 1
        else:
            row = self._without(row, masks.self_mask_key(seed), 1)
        for other in said.members:
            if other == said.site:
                continue
            sign = 1 if other > said.site else -1
            pair = self.pair_seed(said, other)
            if pair is None:
                left["pair", *sorted((said.site, other)), binding.common] = sign
            else:
                row = self._without(row, pair, sign)
        return row, left

    def openings(self) -> dict[frozenset[str], np.ndarray]:
        """Every sum of honest terms that some linear combination of the ciphertexts gives, by its sites.

        A mask left stands in one ciphertext (self) or in two with opposite signs (pair). So combinations without masks
        are constant on connected parts, and one for each part whose masks cancel: checked by the rank.
        """
        found = {said: self.residue(said) for said in self.wire.terms if said.site not in self.wire.own}
        parts: list[set[Said]] = []
        for said, (_, left) in found.items():
            joined = [part for part in parts if any(left.keys() & found[other][1].keys() for other in part)]
            parts = [part for part in parts if part not in joined] + [{said}.union(*joined)]
        names = sorted({name for _, left in found.values() for name in left})
        table = np.array([[left.get(name, 0) for name in names] for _, left in found.values()])
        open_parts = [part for part in parts if all(sum(found[s][1].get(name, 0) for s in part) == 0 for name in names)]
        assert len(open_parts) == len(found) - (np.linalg.matrix_rank(table) if names else 0)
        sums: dict[frozenset[str], np.ndarray] = {}
        for part in open_parts:
            total = np.zeros(4096, np.uint64)
            for said in part:
                total = add(total, found[said][0])
            sums[frozenset(said.site for said in part)] = self.values(total)
        return sums

    def tells(self, first: str, second: str, terms: dict[str, np.ndarray]) -> bool | None:
        """Whether ``first`` has the term that ``terms`` says (True) or the one of ``second`` (False); None: no idea.

        The coalition knows ``terms`` of all sites but does not know which of the two sites has which of the two.
        """
        guesses = [(frozenset((said.site,)), self.values(self.decrypted(said))) for said in self.wire.terms]
        for sites, opened in [*guesses, *self.openings().items()]:
            if len(sites & {first, second}) == 1:
                (one,) = sites & {first, second}
                rest = opened - sum(terms[site] for site in sites - {one})
                if np.array_equal(rest, terms[one]):
                    return True
                if np.array_equal(rest, terms[second if one == first else first]):
                    return False
        return None

    def self_seed(self, said: Said) -> Residues | None:
        """A site's self-mask seed, from the shares that colluding sites hold and that others revealed."""
        shares = self.shares(said)
        threshold = self.wire.region.roster.threshold
        if len(shares) < threshold:
            return None
        numbers = sorted(shares)[:threshold]
        seed = combine(np.stack([shares[number] for number in numbers]), numbers)
        header, _ = open_message(self.wire.terms[said], TermHeader, None)
        return seed if masks.commitment(seed) == header.commitment else None

    def shares(self, said: Said) -> dict[int, Residues]:
        """Shares of a site's self-mask seed by their holders' numbers."""
        held: dict[int, bytes] = {}
        roster = self.wire.region.roster
        for holder in self.wire.own & set(said.members) - {said.site}:
            sealed = sealed_share(self.wire.terms[said], said.members, said.site, holder)
            try:
                secret = self._pair_secret(holder, said.site)
                held[roster.number(holder)] = masks.open_share(secret, self._binding(said), said.site, holder, sealed)
            except RefusedError:
                continue
        for by, survivors, frame in self.wire.reveals:
            if by[1:3] == said[1:3] and said.site in survivors:
                part = unpack(frame).parts[0]
                held[roster.number(by.site)] = bytes(part[SHARE_BYTES * survivors.index(said.site) :][:SHARE_BYTES])
        shares = {number: masks.unpack_shares(packed)[0] for number, packed in held.items()}
        return {number: share for number, share in shares.items() if (share < T).all()}

    def pair_seed(self, said: Said, other: str) -> bytes | None:
        """The seed of a pairwise mask, from a colluding end or revealed by one end."""
        if other in self.wire.own:
            return masks.pair_seed(self._pair_secret(other, said.site), self._binding(said))
        for by, survivors, frame in self.wire.reveals:
            if by[1:] == said[1:] and by.site in (said.site, other):
                dropped = [member for member in by.members if member not in survivors]
                far = other if by.site == said.site else said.site
                if far in dropped:
                    header, parts = open_message(frame, ShareMessage, None)
                    start = SHARE_BYTES * header.shares + SEED_BYTES * dropped.index(far)
                    return bytes(parts[0][start : start + SEED_BYTES])
        return None

    def _pair_secret(self, own: str, other: str) -> bytes:
        secrets = self._secrets[own]
        assert secrets is not None
        return shared_secret(secrets.private("mask_key"), self._public[other])

    def _binding(self, said: Said) -> MaskBinding:
        header, _ = open_message(self.wire.terms[said], TermHeader, None)
        descriptor, plan = self.wire.run.aggregator.run.descriptor, make_plan(LAYOUT, header.sites)
        agreed_on = members_digest({site: self._public[site] for site in said.members})
        expected = expected_term(descriptor, header.round, said.attempt, said.state, plan, agreed_on, len(said.members))
        return MaskBinding(header.run, header.round, said.attempt, common_digest(expected))

    def _without(self, row: Residues, key: bytes, sign: int) -> Residues:
        mask = mask_of(key, 1)[0]
        return subtract(row, mask) if sign > 0 else add(row, mask)


def mask_of(key: bytes, chunks: int) -> Residues:
    """The mask of a key, shape (chunks, 4096)."""
    return uniform_residues(key, chunks * SLOTS).reshape(chunks, SLOTS)


def unevenness(rows: Residues) -> float:
    """Kolmogorov's statistic of residues against the uniform law on [0, t): beyond ``MOST_UNEVEN`` they are not."""
    ordered = np.sort(rows.ravel()).astype(np.float64) / T
    steps = np.arange(ordered.size + 1) / ordered.size
    gap = max(np.abs(ordered - steps[1:]).max(), np.abs(ordered - steps[:-1]).max())
    return float(gap * np.sqrt(ordered.size))


def make_terms(sites: Iterable[str], seed: int) -> dict[str, Integers]:
    """A term of whole numbers for each site."""
    random = np.random.default_rng(seed)
    return {site: random.integers(-900, 900, VALUES) for site in sites}
