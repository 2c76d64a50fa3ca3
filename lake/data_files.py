"""The data files of a table's latest rows, read one by one without an engine: what footers tell, and whole columns.

A file is read by one thread and in small batches: several files at a time keep all cores busy, and fresh memory, which
costs the system more than the rows themselves, is hardly asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

BATCH_ROWS = 1 << 14
"""Rows of a batch: more at a time are fresh memory each time."""
NARROW_ROWS = 1 << 17
"""The same where a row has a few bytes, and each batch costs something."""
_BATCH_BYTES = 32 << 20
_REPEATED_BYTES = 8
"""Mean bytes of a text in a file below which it stands there as a number of a dictionary's text."""
_PARTITION = "partition."
"""What delta-rs puts before the names of partition columns."""


@dataclass(frozen=True)
class DataFile:
    """A data file of a table, its footer, and what its rows have in the partition columns, which stand in no file."""

    path: str
    footer: pq.FileMetaData
    partition: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return int(self.footer.num_rows)


def data_files(path: Path) -> list[DataFile]:
    """The files of a table's latest rows. Raises deltalake's TableNotFoundError when there is no table."""
    actions = pa.table(DeltaTable(str(path)).get_add_actions(flatten=True)).to_pylist()
    return [_data_file(path, action) for action in actions]


def is_empty(file: DataFile, column: str) -> bool:
    """Whether the footer tells that no row has a value in a column; lists may be there, without entries.

    False where it does not tell.
    """
    places = _places(file, lambda path: path.split(".")[0] == column)
    chunks = [file.footer.row_group(group).column(place) for group in _groups(file) for place in places]
    return bool(places) and all(null_count(chunk) == chunk.num_values for chunk in chunks)


def null_count(chunk: pq.ColumnChunkMetaData) -> int | None:
    """How many values of a chunk are null, or stand in a list that is null or empty; None: its footer does not tell."""
    told = chunk.statistics is not None and chunk.statistics.has_null_count
    return int(chunk.statistics.null_count) if told else None


def column_batches(file: DataFile, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """Whole columns of a file, partition columns among them, in this order.

    Texts that repeat may come as dictionaries, others as strings; ``rows`` as in ``chunk_batches``.
    """
    stored = {name for name in columns if name not in file.partition}
    for batch in chunk_batches(file, lambda path: path.split(".")[0] in stored, rows):
        found = [
            _as_string(batch.column(name)) if name in stored else _repeated(file.partition[name], len(batch))
            for name in columns
        ]
        yield pa.RecordBatch.from_arrays(found, list(columns))


def chunk_batches(file: DataFile, is_wanted: Callable[[str], bool], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of a file with nothing but some leaves, and what leads to them.

    Args:
        is_wanted: asked of each leaf's path as Parquet spells it.
        rows: of a batch, at most; fewer where they are long.
    """
    places = _places(file, is_wanted)
    for number in _groups(file):
        group = file.footer.row_group(number)
        chunks = [group.column(place) for place in places]
        size = max(sum(chunk.total_uncompressed_size for chunk in chunks), 1)
        length = max(1, min(rows, _BATCH_BYTES * group.num_rows // size))
        repeated = [chunk.path_in_schema for chunk in chunks if _is_repeated(chunk)]
        with pq.ParquetFile(file.path, metadata=file.footer, read_dictionary=repeated) as reader:
            yield from reader.iter_batches(
                length, [number], [chunk.path_in_schema for chunk in chunks], use_threads=False
            )


def _groups(file: DataFile) -> range:
    return range(file.footer.num_row_groups)


def _places(file: DataFile, is_wanted: Callable[[str], bool]) -> list[int]:
    schema = file.footer.schema
    return [place for place in range(len(schema)) if is_wanted(schema.column(place).path)]


def _is_repeated(chunk: pq.ColumnChunkMetaData) -> bool:
    there = chunk.num_values - (null_count(chunk) or 0)
    return chunk.physical_type == "BYTE_ARRAY" and chunk.total_uncompressed_size < _REPEATED_BYTES * there


def _as_string(column: pa.Array) -> pa.Array:
    """A column that the engine wrote as views of texts as the texts themselves, which more of Arrow takes."""
    return column.cast(pa.string()) if pa.types.is_string_view(column.type) else column


def _repeated(text: str | None, rows: int) -> pa.Array:
    numbers = pa.nulls(rows, pa.int32()) if text is None else np.zeros(rows, np.int32)
    return pa.DictionaryArray.from_arrays(numbers, pa.array([text or ""], pa.string()))


def _data_file(path: Path, action: Mapping[str, Any]) -> DataFile:
    """Of what the log says of a file; paths stand there encoded as those of a URL."""
    file = str(path / unquote(action["path"]))
    partition = {name.removeprefix(_PARTITION): value for name, value in action.items() if name.startswith(_PARTITION)}
    return DataFile(file, pq.read_metadata(file), partition)
