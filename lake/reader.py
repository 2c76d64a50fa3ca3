"""Reading tables without an engine: deltalake and Arrow alone, for processes that must stay light."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import TableNotFoundError

from contracts.errors import UsageError
from lake.partitions import Where, filters


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


def batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The latest rows of a table batch by batch, in no particular order; texts may be views of texts.

    Read by delta-rs, which gives long texts as views of the file's own bytes and copies none.

    Raises:
        UsageError: no table at ``path``.
    """
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    found = QueryBuilder().register("rows", _open(path)).execute(f"SELECT {names} FROM rows")
    return iter(pa.RecordBatchReader.from_stream(found))


def column_names(path: Path) -> list[str]:
    """Columns of a table, in its order. Raises UsageError when there is none."""
    return [field.name for field in _open(path).schema().fields]


def partition_values(path: Path, name: str) -> list[str]:
    """Values of a partition column that the latest rows have, ascending. Raises UsageError when there is no table."""
    return sorted({str(part[name]) for part in _open(path).partitions()})


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
