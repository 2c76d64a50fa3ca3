"""The look at ids says when the engine has to work out what stands and what waits; "perhaps" where it cannot tell."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pytest

from fhir_mapping import id_hashes
from fhir_mapping.id_hashes import Look, look
from fhir_mapping.mapping import MappedSource


@dataclass(frozen=True)
class Emit:
    resource: str
    column: str


@dataclass(frozen=True)
class Source:
    """A mapped source, emits and references as its mapping would tell them: ``subject`` names the column of its id."""

    rows: pa.RecordBatch
    emits: tuple[Emit, ...] = (Emit("Patient", "emit_patient"), Emit("Observation", "emit_observation"))
    is_plain: bool = True
    is_as_stored: bool = True
    mapping: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mapping", self)

    def reference(self, emit: Emit, element: str) -> str | None:
        return "Patient/..." if (emit.resource, element) == ("Observation", "subject") else None

    def referred(self, emit: Emit, element: str) -> str | None:
        return "subject" if self.is_plain and self.reference(emit, element) else None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from (self.rows.select(columns).slice(first, 2) for first in range(0, len(self.rows), 2))


STRING = pa.string()


def rows(
    patients: list[int | None],
    observations: list[int | None],
    subjects: list[int | None],
    kind: pa.DataType = STRING,
) -> pa.RecordBatch:
    columns = [[None if n is None else f"{n:032x}" for n in numbers] for numbers in (patients, observations, subjects)]
    arrays = [pa.array(column, kind) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, ["emit_patient", "emit_observation", "subject"])


BIG = 1 << 64
"""Ids are told apart by their first 16 digits, as those of a keyed hash may be."""


def seen(*sources: Source) -> Look:
    return look(cast(Sequence[MappedSource], sources))


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view()], ids=str)
@pytest.mark.parametrize(
    ("patients", "observations", "subjects", "repeated", "missing"),
    [
        ([BIG, None, 2 * BIG], [3 * BIG, 4 * BIG, None], [BIG, 2 * BIG, BIG], set(), set()),
        ([BIG, None, 2 * BIG], [3 * BIG, 4 * BIG, 3 * BIG], [BIG, 2 * BIG, None], {"Observation"}, set()),
        ([BIG, BIG, 2 * BIG], [3 * BIG, 4 * BIG, None], [BIG, None, 9 * BIG], {"Patient"}, {"Patient"}),
        ([None, None, None], [None, None, None], [None, None, None], set(), set()),
        ([], [], [], set(), set()),
        ([None, None, None], [None, None, 4 * BIG], [None, None, 5 * BIG], set(), {"Patient"}),
    ],
)
def test_repeated_and_missing_ids_are_told_by_type(patients, observations, subjects, repeated, missing, kind) -> None:
    assert seen(Source(rows(patients, observations, subjects, kind))) == Look(frozenset(repeated), frozenset(missing))


def test_ids_are_looked_for_in_all_sources() -> None:
    first = Source(rows([BIG, None], [None, None], [None, None]))
    second = Source(rows([None, None], [3 * BIG, 3 * BIG], [BIG, BIG]))
    assert seen(first, second) == Look(frozenset({"Observation"}), frozenset())
    assert seen(second).missing == {"Patient"}
    assert seen(first, first).repeated == {"Patient"}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_blocks_of_any_size_say_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_hashes, "_BLOCK", size)
    draw = random.Random(size)
    told = set()
    for _ in range(60):
        drawn = [[draw.choice([None, *(BIG * n for n in range(1, 9))]) for _ in range(5)] for _ in range(2)]
        patients, subjects = (
            drawn[0],
            [other if draw.random() < 0.7 else patient for patient, other in zip(*drawn, strict=True)],
        )
        ids = [one for one in patients if one is not None]
        missing = {one for one in subjects if one is not None} - set(ids)
        found = seen(Source(rows(patients, [None] * 5, subjects)))
        expected = (len(set(ids)) < len(ids), bool(missing))
        assert ("Patient" in found.repeated, "Patient" in found.missing) == expected
        told.add(expected)
    assert len(told) == 4


def test_what_cannot_be_told_from_the_table_is_perhaps_so() -> None:
    table = rows([BIG], [3 * BIG], [BIG])
    assert seen(Source(table, is_as_stored=False)) == Look(
        frozenset({"Patient", "Observation"}), frozenset({"Patient", "Encounter"})
    )
    assert seen(Source(table, is_plain=False)) == Look(frozenset(), frozenset({"Patient"}))
    assert seen() == Look(frozenset(), frozenset())


def test_an_id_of_another_length_is_no_id() -> None:
    table = pa.RecordBatch.from_arrays([pa.array(["ab"])] * 3, ["emit_patient", "emit_observation", "subject"])
    with pytest.raises(ValueError, match="32 digits"):
        seen(Source(table))
