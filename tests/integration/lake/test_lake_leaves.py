"""Rows of nested columns read leaf by leaf: their values, and their shapes held against a plain count in Python."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import data_files
from lake.data_files import DataFile
from lake.leaves import leaf_batches, shape_numbers, shape_of

CODING = pa.struct([("system", pa.string()), ("code", pa.string())])
CONCEPT = pa.struct([("coding", pa.list_(CODING)), ("text", pa.string())])
SCHEMA = pa.schema(
    [("id", pa.string()), ("code", CONCEPT), ("given", pa.list_(pa.string())), ("part", pa.list_(CONCEPT))]
)
LEAVES = {
    ("code", "coding", "code"),
    ("code", "text"),
    ("given",),
    ("part", "coding", "system"),
    ("part", "coding", "code"),
    ("part", "text"),
}


def random_value(kind: pa.DataType, draw: random.Random) -> Any:
    if draw.random() < 0.3:
        return None
    if pa.types.is_struct(kind):
        return {field.name: random_value(field.type, draw) for field in kind}
    if pa.types.is_list(kind):
        return [random_value(kind.value_type, draw) for _ in range(draw.randrange(4))]
    return draw.choice(["甲", "x", ""])


def plain_shape(value: Any, kind: pa.DataType, above: tuple[str, ...]) -> tuple[Any, ...]:
    """The shape by its definition: of a list its length and the shapes of its first two entries."""
    if not any(leaf[: len(above)] == above for leaf in LEAVES):
        return ()
    if pa.types.is_struct(kind):
        return tuple(plain_shape((value or {}).get(field.name), field.type, (*above, field.name)) for field in kind)
    if pa.types.is_list(kind):
        entries = [*(value or []), None, None][:2]
        return (len(value or []), *(plain_shape(entry, kind.value_type, above) for entry in entries))
    return (value is not None,)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    draw = random.Random(7)
    made = [{name: random_value(SCHEMA.field(name).type, draw) for name in SCHEMA.names} for _ in range(400)]
    return [{**row, "id": f"{number:032x}"} for number, row in enumerate(made)]


@pytest.fixture
def file(tmp_path: Path, rows: list[dict[str, Any]]) -> DataFile:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=150)
    return DataFile(str(path), pq.read_metadata(path))


def test_rows_of_equal_numbers_are_those_of_equal_shape(file: DataFile, rows: list[dict[str, Any]]) -> None:
    expected = [
        tuple(plain_shape(row[name], SCHEMA.field(name).type, (name,)) for name in SCHEMA.names) for row in rows
    ]
    found = []
    for batch in leaf_batches(file, {("id",), *LEAVES}):
        shape = shape_of(batch, LEAVES)
        told = list(zip(*(flag.tolist() for flag in shape), strict=True))
        numbers = shape_numbers(shape, len(batch)).tolist()
        assert len(set(numbers)) == len(set(told)) == len(set(zip(numbers, told, strict=True)))
        found += told
    assert len(set(expected)) > 100
    assert len(set(found)) == len(set(expected)) == len(set(zip(found, expected, strict=True)))


def test_numbers_stay_apart_when_the_flags_are_more_than_fit_one_number() -> None:
    flags = np.random.default_rng(7).integers(0, 9, (90, 500))
    flags[:, 250:] = flags[:, :250]
    flags[89, 250:] += 1
    numbers = shape_numbers(list(flags), 500)
    assert len(set(numbers.tolist())) == len({tuple(row) for row in flags.T.tolist()}) == 500


def test_batches_hold_all_values_of_the_leaves_and_stay_small_where_rows_are_long(
    monkeypatch: pytest.MonkeyPatch, file: DataFile, rows: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(data_files, "_BATCH_BYTES", 500)
    batches = list(leaf_batches(file, {("id",), ("code", "text")}))
    assert max(len(batch) for batch in batches) < 50
    texts = [row["code"] and {"text": row["code"]["text"]} for row in rows]
    found = [row for batch in batches for row in batch.to_pylist()]
    assert found == [{"id": row["id"], "code": text} for row, text in zip(rows, texts, strict=True)]
