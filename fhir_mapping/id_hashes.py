"""Whether an emitted id stands twice, or a reference leads to nobody: a quick look at hashes of ids, without an engine.

Mostly neither is so, and then nothing is to be worked out. A look says "perhaps" where it cannot tell: rows that are
not the table's (files delivered twice, references that lead to another person), references made under conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from contracts.fhir import awaited
from fhir_mapping.identity.ids import ID_DIGITS
from fhir_mapping.mapping import MappedSource
from fhir_mapping.tables import AWAITED
from lake.together import run_together

_WORDS = ID_DIGITS // 8
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
"""Odd numbers; they spread two words of eight digits over 64 bits."""


_BLOCK = 1 << 22
"""Hashes of a block: 32 MiB, from which on the C library gives memory back when it is freed."""


@dataclass(frozen=True)
class Look:
    """What the ids say.

    Attributes:
        repeated: types of which some id perhaps stands more than once.
        missing: types of which some id is perhaps referred to and was not emitted.
    """

    repeated: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True)
class _Columns:
    """Columns of a mapped table and the types whose ids they hold: emitted, and referred to; where they cannot tell."""

    source: MappedSource
    emitted: dict[str, str]
    asked: dict[str, str]
    repeated: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def look(sources: Sequence[MappedSource]) -> Look:
    """Look at the ids of all mapped tables, a type at a time a core: 8 bytes of memory for each resource of these."""
    columns = [_columns(source) for source in sources]
    types = list(dict.fromkeys(name for one in columns for name in [*one.emitted.values(), *one.asked.values()]))
    told = run_together(partial(_told, resource, columns) for resource in types)
    repeated = frozenset().union(*(one.repeated for one in columns))
    missing = frozenset().union(*(one.missing for one in columns))
    for resource, (is_repeated, is_missing) in zip(types, told, strict=True):
        repeated |= {resource} if is_repeated else set()
        missing |= {resource} if is_missing else set()
    return Look(repeated, missing)


def _columns(source: MappedSource) -> _Columns:
    if not source.is_as_stored:
        repeated = frozenset(emit.resource for emit in source.mapping.emits)
        return _Columns(source, {}, {}, repeated, frozenset(AWAITED))
    types = {emit.column: emit.resource for emit in source.mapping.emits}
    targets: dict[str, str] = {}
    untold = set()
    for emit in source.mapping.emits:
        for target, element in awaited(emit.resource).items():
            if source.mapping.reference(emit, element) is not None:
                name = source.mapping.referred(emit, element)
                targets |= {} if name is None else {name: target}
                untold |= {target} if name is None else set()
    return _Columns(source, types, targets, missing=frozenset(untold))


def _told(resource: str, columns: Sequence[_Columns]) -> tuple[bool, bool]:
    """Whether some id of a type perhaps stands more than once, and whether some is asked for and perhaps not there."""
    emitted, asked = _Gathered(), _Gathered()
    for one in columns:
        own, others = ([name for name, of in names.items() if of == resource] for names in (one.emitted, one.asked))
        for batch in one.source.batches(list(dict.fromkeys([*own, *others]))) if own or others else ():
            for name in own:
                emitted.add(_of_ids(batch.column(name)))
            for name in others:
                asked.add(_without_runs(_of_ids(batch.column(name))))
    ids = emitted.joined()
    ids.sort()
    is_missing = any(not _are_in(_once(some), ids) for some in asked.taken())
    return bool((ids[1:] == ids[:-1]).any()), is_missing


class _Gathered:
    """Hashes in blocks of one size: joined, no memory is taken twice, and freed ones go back to the system."""

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []
        self._used = _BLOCK

    def add(self, hashes: np.ndarray) -> None:
        while hashes.size:
            if self._used == _BLOCK:
                self._blocks.append(np.empty(_BLOCK, np.uint64))
                self._used = 0
            some = hashes[: _BLOCK - self._used]
            self._blocks[-1][self._used : self._used + some.size] = some
            self._used += some.size
            hashes = hashes[some.size :]

    def taken(self) -> Iterator[np.ndarray]:
        """What there is, block by block, each let go when the next is asked for."""
        while self._blocks:
            block = self._blocks.pop()
            yield block[: self._used]
            self._used = _BLOCK

    def joined(self) -> np.ndarray:
        """All in one array, in no particular order."""
        found = np.empty(len(self._blocks) * _BLOCK - (_BLOCK - self._used), np.uint64)
        end = 0
        for block in self.taken():
            found[end : end + block.size] = block
            end += block.size
        return found


def _once(hashes: np.ndarray) -> np.ndarray:
    """Each hash once, ascending. Most that are alike follow one another, as the rows of a message do."""
    found = _without_runs(hashes)
    found.sort()
    return _without_runs(found)


def _without_runs(hashes: np.ndarray) -> np.ndarray:
    """The first of each run of equal ones."""
    return hashes[np.append(True, hashes[1:] != hashes[:-1])[: hashes.size]]


def _are_in(hashes: np.ndarray, others: np.ndarray) -> bool:
    """Whether ``others`` have all of them; both ascending."""
    if not others.size:
        return not hashes.size
    places = np.searchsorted(others, hashes)
    return bool((others[np.minimum(places, others.size - 1)] == hashes).all())


def _of_ids(ids: pa.Array) -> np.ndarray:
    """64 bits of each id that is not null, shape (n,); ids are 32 hex digits of a keyed hash."""
    there = ids.cast(pa.string()).drop_null()
    count = len(there)
    if not count:
        return np.empty(0, np.uint64)
    ends = np.frombuffer(there.buffers()[1], np.int32)[there.offset : there.offset + count + 1]
    if not (np.diff(ends) == ID_DIGITS).all():
        raise ValueError(f"an id of a mapped table has not {ID_DIGITS} digits")
    words = np.frombuffer(there.buffers()[2], "<u8", count * _WORDS, int(ends[0])).reshape(count, _WORDS)
    return words[:, 0] * _FACTORS[0] + words[:, 1] * _FACTORS[1]
