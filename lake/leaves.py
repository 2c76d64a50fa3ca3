"""The leaves of nested columns in a table's data files: how rows fill them, and their values, without an engine.

A leaf is named by the fields that lead to it, lists left out: ``("component", "code", "text")``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.data_files import DataFile, chunk_batches, null_count

Leaf = tuple[str, ...]

ENTRIES = 2
"""Entries of a list whose shape counts; longer lists are told apart by their length only."""

_LIST_LEVELS = re.compile(r"\.list\.(element|item)(?=\.|$)")
"""What Parquet puts into the name of a leaf for each list on the way to it."""


@dataclass(frozen=True)
class Filling:
    """How the rows of a table fill a leaf, as the footers of its data files tell.

    Attributes:
        is_empty: no row has a value.
        is_uniform: none or every row has one, and just one where it stands in a list.
    """

    is_empty: bool
    is_uniform: bool


def fillings(files: Iterable[DataFile]) -> dict[Leaf, Filling]:
    """How each leaf is filled, read from the footers alone; where one does not tell, it counts as neither.

    Leaves that a file lacks are empty in it. Partition columns are left out, even where they stand in it.
    """
    leaves: dict[Leaf, list[int | None]] = {}
    groups = [(file, file.footer.row_group(number)) for file in files for number in range(file.footer.num_row_groups)]
    every = sum(group.num_rows for _, group in groups)
    for file, group in groups:
        for chunk in (group.column(number) for number in range(group.num_columns)):
            if chunk.path_in_schema not in file.partition:
                sums = leaves.setdefault(_leaf(chunk.path_in_schema), [0, 0, 0])
                _count_leaf(sums, group.num_rows, chunk.num_values, null_count(chunk))
    found = {}
    for leaf, (rows, values, nulls) in leaves.items():
        is_empty = nulls is not None and nulls == values
        found[leaf] = Filling(is_empty, is_empty or (nulls == 0 and values == rows == every))
    return found


def leaves_of(file: DataFile) -> frozenset[Leaf]:
    """The leaves that stand in a file; its rows have no value of others."""
    schema = file.footer.schema
    return frozenset(_leaf(schema.column(number).path) for number in range(len(schema.names)))


def leaf_batches(file: DataFile, leaves: Set[Leaf]) -> Iterator[pa.RecordBatch]:
    """The rows of a file with nothing but these leaves, and what leads to them.

    Texts that repeat may come as dictionaries. A batch has some ten thousand rows, fewer where they are long.
    """
    yield from chunk_batches(file, lambda path: _leaf(path) in leaves)


def shape_of(batch: pa.RecordBatch, leaves: Set[Leaf]) -> list[npt.NDArray[np.integer | np.bool_]]:
    """Which of these leaves have a value in each row, and how long the lists on the way to them are.

    Returns:
        Arrays of a number a row, in the order of the batch's columns; rows that agree in all have the same shape.
        Of a list: its length (0 where it is null), then what its first ``ENTRIES`` entries have.
    """
    return [
        flag
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        for flag in _flags(column, (name,), leaves)
    ]


def shape_numbers(shape: list[npt.NDArray[np.integer | np.bool_]], rows: int) -> npt.NDArray[np.int64]:
    """A number a row, equal for equal shapes."""
    found = np.zeros(rows, np.int64)
    limit = 1
    for flag in shape:
        width = int(flag.max(initial=0)) + 1
        if limit * width > 1 << 62:
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
            limit = rows
        found, limit = found * width + flag, limit * width
    return found


def _flags(array: pa.Array, above: Leaf, leaves: Set[Leaf]) -> list[npt.NDArray[np.integer | np.bool_]]:
    kind = array.type
    if pa.types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        parts = zip(names, array.flatten(), strict=True)
        return [flag for name, part in parts for flag in _flags(part, (*above, name), leaves)]
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return [array.is_valid().to_numpy(zero_copy_only=False)] if above in leaves else []
    inner = _flags(array.values, above, leaves)
    if not inner:
        return []
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    starts = array.offsets.to_numpy()[:-1]
    found = [lengths]
    for entry in range(ENTRIES):
        there = lengths > entry
        places = starts[there] + entry
        for flag in inner:
            found.append(np.zeros(len(array), flag.dtype))
            found[-1][there] = flag[places]
    return found


def _leaf(path: str) -> Leaf:
    return tuple(_LIST_LEVELS.sub("", path).split("."))


def _count_leaf(sums: list[int | None], rows: int, values: int, nulls: int | None) -> None:
    """Add a row group's rows, values (nulls among them) and nulls; nulls stay None once a footer does not tell them."""
    for position, number in enumerate((rows, values, nulls)):
        before = sums[position]
        sums[position] = None if before is None or number is None else before + number
