"""A round under way at the coordinator, and its form on disk: what a restarted coordinator needs to finish it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from contracts.errors import RefusedError
from contracts.feature_spec import Frozen
from contracts.messages import (
    SEALED_SHARE_BYTES,
    BlockRecord,
    Count,
    RefusalCode,
    SiteName,
    layout_of,
    layout_records,
)
from contracts.sums import Layout
from contracts.wire import FrameError, canonical, pack, parse_canonical, unpack


class _Head(Frozen):
    round: Count
    attempt: Count
    layout: tuple[BlockRecord, ...]
    members: tuple[SiteName, ...]
    survivors: tuple[SiteName, ...]


@dataclass
class PendingRound:
    """Attributes:
    members: sites that mask with one another, sorted.
    headers: by survivor, its signed TermHeader without ciphertexts.
    sums: the summed ciphertexts, masks still on; empty until the round is closed.
    """

    round: int
    attempt: int
    layout: Layout
    members: tuple[str, ...]
    headers: dict[str, bytes] = field(default_factory=dict)
    sums: tuple[bytes, ...] = ()
    _shares: dict[str, bytes] = field(default_factory=dict)

    def keep_shares(self, sender: str, shares: bytes) -> None:
        """Keep the shares that a member sealed, one for each other member. Raises RefusedError wrong_length."""
        if len(shares) != SEALED_SHARE_BYTES * (len(self.members) - 1):
            raise RefusedError(RefusalCode.WRONG_LENGTH, f"'{sender}' did not seal one share for each other member")
        self._shares[sender] = shares

    def share(self, sender: str, receiver: str) -> bytes:
        """The share that ``sender`` sealed for ``receiver``, another member."""
        start = SEALED_SHARE_BYTES * (bisect_left(self.members, receiver) - (sender < receiver))
        return self._shares[sender][start : start + SEALED_SHARE_BYTES]

    def to_bytes(self) -> bytes:
        survivors = tuple(sorted(self.headers))
        head = _Head(
            round=self.round,
            attempt=self.attempt,
            layout=layout_records(self.layout),
            members=self.members,
            survivors=survivors,
        )
        parts = [self.headers[site] for site in survivors] + [self._shares[site] for site in survivors]
        return pack(canonical(head), b"", [*parts, *self.sums])

    @classmethod
    def from_bytes(cls, data: bytes) -> PendingRound:
        """Raises RefusedError bad_message."""
        try:
            frame = unpack(data)
            head = parse_canonical(frame.header, _Head)
            count, parts = len(head.survivors), [bytes(part) for part in frame.parts]
            if len(parts) <= 2 * count:
                raise FrameError("a kept round has headers, shares and sums")
            layout = layout_of(head.layout)
        except FrameError as error:
            raise RefusedError(RefusalCode.BAD_MESSAGE, f"not a kept round: {error}") from error
        kept = cls(head.round, head.attempt, layout, head.members, sums=tuple(parts[2 * count :]))
        kept.headers = dict(zip(head.survivors, parts, strict=False))
        for site, shares in zip(head.survivors, parts[count:], strict=False):
            kept.keep_shares(site, shares)
        return kept
