"""Rows of a view as a file: JSON Lines, CSV or Parquet, written batch by batch and whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import UsageError
from contracts.fhir.view_definition import View, ViewColumn

Form = Literal["ndjson", "csv", "parquet"]
Row = dict[str, Any]
Encoded: TypeAlias = "bytes | pa.RecordBatch"

_SUFFIXES: dict[str, Form] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_ARROW = {"string": pa.string(), "integer": pa.int64(), "decimal": pa.float64(), "boolean": pa.bool_()}


def form_of(out: Path) -> Form:
    """The form that a file's suffix names. Raises UsageError: it names none."""
    form = _SUFFIXES.get(out.suffix)
    if form is None:
        raise UsageError(f"{out}: cannot tell the format; end the name with {', '.join(_SUFFIXES)}, or give --format")
    return form


def arrow_schema(view: View) -> pa.Schema:
    """One field a column; a column without a declared type is text."""
    kinds = [(c.name, pa.list_(_ARROW[c.kind]) if c.collection else _ARROW[c.kind]) for c in view.all_columns()]
    return pa.schema(kinds)


def encode(view: View, rows: Sequence[Row], form: Form) -> Encoded:
    """Rows in a form; what stands in two forms is equal: an undeclared value that is no text is its JSON."""
    columns = view.all_columns()
    if form == "ndjson":
        return b"".join(orjson.dumps(row) + b"\n" for row in rows)
    if form == "csv":
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([_cell(row[c.name]) for c in columns] for row in rows)
        return stream.getvalue().encode()
    schema = arrow_schema(view)
    arrays = [
        pa.array([_typed(c, row[c.name]) for row in rows], kind.type) for c, kind in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _typed(column: ViewColumn, value: Any) -> Any:
    if column.type is not None or value is None:
        return value
    return [_text(one) for one in value] if column.collection else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


class _Writer(Protocol):
    def write(self, part: Any) -> object: ...


def write_rows(out: Path, view: View, form: Form, parts: Iterable[Encoded]) -> None:
    """Write encoded parts in order; nothing is left at ``out`` when one of them raises."""
    with _placed(out) as part_file, _writer(part_file, view, form) as writer:
        for part in parts:
            if len(part):
                writer.write(part)


@contextmanager
def _placed(out: Path) -> Iterator[Path]:
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent} is no folder: make it, or write elsewhere")
    part_file = out.with_name(f".{out.name}.part")
    try:
        yield part_file
        os.replace(part_file, out)
    finally:
        part_file.unlink(missing_ok=True)


@contextmanager
def _writer(path: Path, view: View, form: Form) -> Iterator[_Writer]:
    if form == "parquet":
        with pq.ParquetWriter(path, arrow_schema(view)) as writer:
            yield writer
        return
    with path.open("wb") as stream:
        if form == "csv":
            stream.write((",".join(column.name for column in view.all_columns()) + "\n").encode())
        yield stream
