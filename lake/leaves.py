"""The leaves of nested columns in a table's data files: how rows fill them, and their values, without an engine.

A leaf is named by the fields that lead to it, lists left out: ``("component", "code", "text")``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

Leaf = tuple[str, ...]

ENTRIES = 2
"""Entries of a list whose shape counts; longer lists are told apart by their length only."""

_LIST_LEVELS = re.compile(r"\.list\.(element|item)(?=\.|$)")
"""What Parquet puts into the name of a leaf for each list on the way to it."""
_BATCH_ROWS = 1 << 14
"""More at a time are fresh memory each time, which costs the system more than the rows themselves."""
_BATCH_BYTES = 32 << 20
_REPEATED_BYTES = 8
"""Mean bytes of a text in a file below which it stands there as a number of a dictionary's text."""


@dataclass(frozen=True)
class Filling:
    """How the rows of a table fill a leaf, as the footers of its data files tell.

    Attributes:
        is_empty: no row has a value.
        is_uniform: none or every row has one, and just one where it stands in a list.
    """

    is_empty: bool
    is_uniform: bool


@dataclass(frozen=True)
class DataFile:
    """A data file of a table, and its footer."""

    path: str
    footer: pq.FileMetaData

    @property
    def rows(self) -> int:
        return int(self.footer.num_rows)


def data_files(path: Path) -> list[DataFile]:
    """The files of a table's latest rows. Raises deltalake's TableNotFoundError when there is no table."""
    return [DataFile(file, pq.read_metadata(file)) for file in DeltaTable(str(path)).file_uris()]


def fillings(files: Iterable[DataFile]) -> dict[Leaf, Filling]:
    """How each leaf is filled, read from the footers alone; where one does not tell, it counts as neither.

    Partition columns stand in no file and are left out.
    """
    leaves: dict[Leaf, list[int | None]] = {}
    for group in (file.footer.row_group(number) for file in files for number in range(file.footer.num_row_groups)):
        for chunk in (group.column(number) for number in range(group.num_columns)):
            told = chunk.statistics is not None and chunk.statistics.has_null_count
            nulls = chunk.statistics.null_count if told else None
            _count_leaf(leaves.setdefault(_leaf(chunk), [0, 0, 0]), group.num_rows, chunk.num_values, nulls)
    found = {}
    for leaf, (rows, values, nulls) in leaves.items():
        is_empty = nulls is not None and nulls == values
        found[leaf] = Filling(is_empty, is_empty or (nulls == 0 and values == rows))
    return found


def leaf_batches(file: DataFile, leaves: Set[Leaf]) -> Iterator[pa.RecordBatch]:
    """The rows of a file with nothing but these leaves, and what leads to them.

    Texts that repeat may come as dictionaries. A batch has some ten thousand rows, fewer where they are long.
    """
    for number in range(file.footer.num_row_groups):
        group = file.footer.row_group(number)
        chunks = [group.column(position) for position in range(group.num_columns)]
        wanted = [chunk for chunk in chunks if _leaf(chunk) in leaves]
        size = max(sum(chunk.total_uncompressed_size for chunk in wanted), 1)
        rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES * group.num_rows // size))
        repeated = [chunk.path_in_schema for chunk in wanted if _is_repeated(chunk)]
        with pq.ParquetFile(file.path, metadata=file.footer, read_dictionary=repeated) as reader:
            yield from reader.iter_batches(
                rows, [number], [chunk.path_in_schema for chunk in wanted], use_threads=False
            )


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


def _leaf(chunk: pq.ColumnChunkMetaData) -> Leaf:
    return tuple(_LIST_LEVELS.sub("", chunk.path_in_schema).split("."))


def _is_repeated(chunk: pq.ColumnChunkMetaData) -> bool:
    is_text = chunk.physical_type == "BYTE_ARRAY"
    return is_text and chunk.total_uncompressed_size < _REPEATED_BYTES * chunk.num_values


def _count_leaf(sums: list[int | None], rows: int, values: int, nulls: int | None) -> None:
    """Add a row group's rows, values (nulls among them) and nulls; nulls stay None once a footer does not tell them."""
    for position, number in enumerate((rows, values, nulls)):
        before = sums[position]
        sums[position] = None if before is None or number is None else before + number
