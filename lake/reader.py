"""Reading tables without an engine: deltalake and Arrow alone, for processes that must stay light."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from contracts.errors import UsageError
from lake.partitions import Where, filters

_LIST_LEVELS = re.compile(r"\.list\.(element|item)(?=\.|$)")
"""What Parquet puts into the name of a leaf for each list on the way to it."""


def read_arrow(path: Path, columns: Sequence[str] | None = None, where: Where | None = None) -> pa.Table:
    """The latest rows of a table, in no particular order.

    Args:
        columns: names wanted, in that order; None: all, in the table's order.
        where: partitions wanted; None: all.

    Raises:
        UsageError: no table at ``path``.
    """
    table = _open(path)
    names = list(columns) if columns is not None else [field.name for field in table.schema().fields]
    return table.to_pyarrow_table(columns=names, filters=filters(where)).select(names)


def batches(path: Path, columns: Sequence[str], rows: pc.Expression | None = None) -> Iterator[pa.RecordBatch]:
    """The latest rows of a table batch by batch, in no particular order, read by all cores.

    Args:
        columns: names wanted.
        rows: which rows are wanted; None: all.

    Raises:
        UsageError: no table at ``path``.
    """
    # Arrow's own file system: delta-rs cannot be asked for files by rows that it is writing.
    files = pa_fs.SubTreeFileSystem(str(path), pa_fs.LocalFileSystem())
    dataset = _open(path).to_pyarrow_dataset(filesystem=files)
    found: Iterator[pa.RecordBatch] = dataset.scanner(columns=list(columns), filter=rows).to_batches()
    return found


def column_names(path: Path) -> list[str]:
    """Columns of a table, in its order. Raises UsageError when there is none."""
    return [field.name for field in _open(path).schema().fields]


def partition_values(path: Path, name: str) -> list[str]:
    """Values of a partition column that the latest rows have, ascending. Raises UsageError when there is no table."""
    return sorted({str(part[name]) for part in _open(path).partitions()})


@dataclass(frozen=True)
class Filling:
    """How the rows of a table fill a leaf of a column, as the footers of its data files tell.

    Attributes:
        is_empty: no row has a value.
        is_uniform: none or every row has one, and just one where it stands in a list.
    """

    is_empty: bool
    is_uniform: bool


def fillings(path: Path) -> dict[tuple[str, ...], Filling]:
    """How each leaf is filled, read from the footers alone; where one does not tell, it counts as neither.

    Leaves are named by the fields that lead to them, lists left out: ``("component", "code", "text")``. Partition
    columns stand in no file and are left out.

    Raises:
        UsageError: no table at ``path``.
    """
    leaves: dict[str, list[int | None]] = {}
    for file in _open(path).file_uris():
        footer = pq.read_metadata(file)
        for group in (footer.row_group(number) for number in range(footer.num_row_groups)):
            for chunk in (group.column(number) for number in range(group.num_columns)):
                told = chunk.statistics is not None and chunk.statistics.has_null_count
                nulls = chunk.statistics.null_count if told else None
                _count_leaf(leaves.setdefault(chunk.path_in_schema, [0, 0, 0]), group.num_rows, chunk.num_values, nulls)
    found = {}
    for name, (rows, values, nulls) in leaves.items():
        is_empty = nulls is not None and nulls == values
        filling = Filling(is_empty, is_empty or (nulls == 0 and values == rows))
        found[tuple(_LIST_LEVELS.sub("", name).split("."))] = filling
    return found


def _count_leaf(sums: list[int | None], rows: int, values: int, nulls: int | None) -> None:
    """Add a row group's rows, values (nulls among them) and nulls; nulls stay None once a footer does not tell them."""
    for position, number in enumerate((rows, values, nulls)):
        before = sums[position]
        sums[position] = None if before is None or number is None else before + number


def part_files(path: Path, column: str) -> dict[str, tuple[str, ...]]:
    """Names of the data files of each part of a table, by the value of its partition column; {} without a table.

    Files are named by random identifiers and never rewritten: equal names mean the same rows.
    """
    if not DeltaTable.is_deltatable(str(path)):
        return {}
    table = DeltaTable(str(path))
    if column not in table.metadata().partition_columns:
        return {}
    actions = pa.table(table.get_add_actions(flatten=True)).select(["path", f"partition.{column}"])
    found: dict[str, list[str]] = {}
    for name, value in zip(*(actions.column(number).to_pylist() for number in (0, 1)), strict=True):
        found.setdefault(str(value), []).append(str(name))
    return {value: tuple(sorted(names)) for value, names in found.items()}


def version(path: Path) -> int:
    """Number of the latest commit, from 0. Raises UsageError when there is no table."""
    return _open(path).version()


def digest(path: Path) -> str:
    """SHA-256 (hex) that names this snapshot: schema and the data files it consists of, whatever the history.

    Files are named by random identifiers and never rewritten, so equal digests mean the same bytes. The reverse does
    not hold: the same rows written again are another snapshot.
    """
    table = _open(path)
    actions = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes"]).to_pylist()
    files = sorted((str(action["path"]), int(action["size_bytes"])) for action in actions)
    body = json.dumps({"schema": table.schema().to_json(), "files": files}, sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


def _open(path: Path) -> DeltaTable:
    try:
        return DeltaTable(str(path))
    except TableNotFoundError as error:
        raise UsageError(f"no table at {path}. Run the job that writes '{path.name}' first.") from error
