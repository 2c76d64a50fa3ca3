"""From what survivors reveal to the sum of the masks that are still in the sum of their terms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from contracts.errors import RefusedError
from contracts.messages import SEED_BYTES, SHARE_BYTES, RefusalCode, ShareMessage
from governance.roster import Roster
from secure_compute import masks
from secure_compute.masks import MaskSum
from secure_compute.modular import Residues, T
from secure_compute.pending_round import PendingRound
from secure_compute.shamir import combine

_BLOCK = 64
"""Survivors whose seeds are put together at once."""


class Reveals:
    """Collects ShareMessages of one list of survivors."""

    def __init__(self, roster: Roster, pending: PendingRound, commitments: Mapping[str, str]) -> None:
        self._roster = roster
        self._pending = pending
        self._commitments = commitments
        self._survivors = tuple(sorted(pending.headers))
        self._dropped = tuple(site for site in pending.members if site not in pending.headers)
        self._shares: dict[str, bytes] = {}
        self._seeds: dict[str, tuple[bytes, ...]] = {}

    @property
    def suffice(self) -> bool:
        """Whether masks can be removed: ``threshold`` revealed, and all when pair seeds of the dropped are needed."""
        needed = len(self._survivors) if self._dropped else self._roster.threshold
        return len(self._shares) >= max(needed, self._roster.threshold)

    def take(self, header: ShareMessage, part: memoryview) -> None:
        """Keep what one survivor revealed. Raises RefusedError wrong_length."""
        shares, seeds = SHARE_BYTES * len(self._survivors), SEED_BYTES * len(self._dropped)
        if (header.shares, header.seeds) != (len(self._survivors), len(self._dropped)) or len(part) != shares + seeds:
            raise RefusedError(RefusalCode.WRONG_LENGTH, f"'{header.site}' did not reveal one share a survivor")
        self._shares[header.site] = bytes(part[:shares])
        self._seeds[header.site] = tuple(
            bytes(part[at : at + SEED_BYTES]) for at in range(shares, shares + seeds, SEED_BYTES)
        )

    def mask_sum(self) -> Residues:
        """What to subtract from the sum, shape (chunks, 4096).

        Raises:
            RefusedError: bad_share when shares do not give the seed that their site committed to.
        """
        total = MaskSum(len(self._pending.sums))
        for site, seed in zip(self._survivors, self._self_seeds(), strict=True):
            if masks.commitment(seed) != self._commitments[site]:
                raise RefusedError(RefusalCode.BAD_SHARE, f"the shares of '{site}' do not give what it committed to")
            total.add(masks.self_mask_key(seed))
        for site in self._survivors:
            for dropped, seed in zip(self._dropped, self._seeds.get(site, ()), strict=False):
                if dropped > site:
                    total.add(seed)
                else:
                    total.subtract(seed)
        return total.residues()

    def _self_seeds(self) -> Residues:
        """The survivors' seeds, shape (survivors, 7); some survivors at a time, for shares grow with their square."""
        blocks = [
            self._seeds_of(self._survivors[first : first + _BLOCK], first)
            for first in range(0, len(self._survivors), _BLOCK)
        ]
        return np.concatenate(blocks)

    def _seeds_of(self, sites: tuple[str, ...], first: int) -> Residues:
        """The seeds of survivors that stand in the list from ``first`` on."""
        holders = sorted(self._shares)
        numbers = np.array([self._roster.number(site) for site in holders])
        place = slice(SHARE_BYTES * first, SHARE_BYTES * (first + len(sites)))
        shares = np.stack([masks.unpack_shares(self._shares[site][place]) for site in holders])  # (holders, sites, 7)
        usable = (shares < T).all(axis=2)  # (holders, sites)
        seeds = np.zeros(shares.shape[1:], np.uint64)
        for pattern in np.unique(usable, axis=1).T:
            chosen = np.flatnonzero(pattern)[: self._roster.threshold]
            columns = (usable == pattern[:, None]).all(axis=0)
            if chosen.size < self._roster.threshold:
                site = sites[int(np.flatnonzero(columns)[0])]
                raise RefusedError(RefusalCode.BAD_SHARE, f"too few shares of '{site}' can be used")
            seeds[columns] = combine(shares[chosen][:, columns], [int(number) for number in numbers[chosen]])
        return seeds
