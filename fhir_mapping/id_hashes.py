"""Whether an emitted id stands twice, or a reference leads to nobody: a quick look at hashes of ids, without an engine.

Mostly neither is so, and then nothing is to be worked out. A look says "perhaps" where it cannot tell: rows that are
not the table's (files delivered twice, references that lead to another person), references made under conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
class _Hashes:
    """Of a source, by type: hashes of emitted ids, of ids referred to (each once a batch), and where it cannot tell."""

    emitted: dict[str, list[np.ndarray]]
    asked: dict[str, list[np.ndarray]]
    repeated: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def look(sources: Sequence[MappedSource]) -> Look:
    """Look at the ids of all mapped tables: 8 bytes of memory an emitted resource."""
    found = run_together(partial(_hashes, source) for source in sources)
    emitted: dict[str, list[np.ndarray]] = {}
    asked: dict[str, list[np.ndarray]] = {}
    for one in found:
        for all_of, own in ((emitted, one.emitted), (asked, one.asked)):
            for resource, hashes in own.items():
                all_of.setdefault(resource, []).extend(hashes)
    repeated = frozenset().union(*(one.repeated for one in found))
    missing = frozenset().union(*(one.missing for one in found))
    for resource in list(emitted):
        ids = _joined(emitted.pop(resource))
        ids.sort()
        if bool((ids[1:] == ids[:-1]).any()):
            repeated |= {resource}
        if resource in asked and not _are_in(_once(asked.pop(resource)), ids):
            missing |= {resource}
    return Look(repeated, missing | {resource for resource, hashes in asked.items() if _once(hashes).size})


def _hashes(source: MappedSource) -> _Hashes:
    if not source.is_as_stored:
        return _Hashes({}, {}, frozenset(emit.resource for emit in source.mapping.emits), frozenset(AWAITED))
    types = {emit.column: emit.resource for emit in source.mapping.emits}
    targets: dict[str, str] = {}
    untold = set()
    for emit in source.mapping.emits:
        for target, element in awaited(emit.resource).items():
            if source.mapping.reference(emit, element) is not None:
                name = source.mapping.referred(emit, element)
                targets |= {} if name is None else {name: target}
                untold |= {target} if name is None else set()
    found = _Hashes(
        {name: [] for name in types.values()}, {name: [] for name in targets.values()}, missing=frozenset(untold)
    )
    names = [*types, *targets]
    for batch in source.batches(names) if names else ():
        for name, resource in types.items():
            found.emitted[resource].append(_of_ids(batch.column(name)))
        for name, target in targets.items():
            found.asked[target].append(_once([_of_ids(batch.column(name))]))
    return found


def _once(hashes: Iterable[np.ndarray]) -> np.ndarray:
    """Each hash once, ascending. Most that are alike follow one another, as the rows of a message do."""
    found = _without_runs(_joined(hashes))
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


def _joined(hashes: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.uint64), *hashes])


def _of_ids(ids: pa.Array) -> np.ndarray:
    """64 bits of each id that is not null, shape (n,); ids are 32 hex digits of a keyed hash."""
    there = ids.drop_null()
    count = len(there)
    if not count:
        return np.empty(0, np.uint64)
    ends = np.frombuffer(there.buffers()[1], np.int32)[there.offset : there.offset + count + 1]
    if not (np.diff(ends) == ID_DIGITS).all():
        raise ValueError(f"an id of a mapped table has not {ID_DIGITS} digits")
    words = np.frombuffer(there.buffers()[2], "<u8", count * _WORDS, int(ends[0])).reshape(count, _WORDS)
    return words[:, 0] * _FACTORS[0] + words[:, 1] * _FACTORS[1]
