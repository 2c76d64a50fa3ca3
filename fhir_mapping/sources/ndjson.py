"""JSON Lines: one JSON object a physical line, numbers kept as the text they were written in.

Lines are checked one by one before any engine sees them: engines abort a whole file on a bad line, or hide it, and
read decimals through a double (``5.60`` becomes ``5.6``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from contracts.region import Source
from fhir_mapping.sources.encoding import decode
from fhir_mapping.sources.json_columns import read_columns, schema_of
from fhir_mapping.sources.json_paths import Path, Reader, Texts, compile_paths
from fhir_mapping.sources.lines import Lines, read_whole_lines
from fhir_mapping.sources.parallel import in_threads
from fhir_mapping.sources.processes import in_process
from fhir_mapping.sources.record import BAD_ENCODING, BAD_JSON, Block

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_MAY_HOLD_SURROGATE = re.compile(r"\\u[dD]")
_MANY = 2_000
"""Lines of a block that Python reads one by one in another process: other threads would wait for fewer no longer."""
_UNLIKE_LINES = 200
"""Lines of a block that may be written in another style than the compact one before that style counts as usual."""


class _Number(str):
    """A JSON number as written; a subclass so that it is told from a string when an object is written back."""

    __slots__ = ()


class _Piece(NamedTuple):
    """Whole lines of a file, and how they are read."""

    data: bytes
    codec: str
    newline: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]


class _Left(NamedTuple):
    """Lines that are read one by one, and which of them are escaped."""

    texts: list[bytes]
    is_bad: list[bool]
    paths: tuple[Path, ...]


def read_blocks(source: Source, stream: BinaryIO, codec: str, newline: str, block_bytes: int) -> Iterator[Block]:
    """The records of a file, block by block; ``stream`` stands after the byte-order mark. Large files use all cores."""
    names = tuple(column.name for column in source.column)
    paths = tuple(parse_path(column.path or column.name) for column in source.column)
    lines = read_whole_lines(stream, newline, block_bytes)
    return in_threads(_read_piece, (_Piece(data, codec, newline, paths, names) for data, _ in lines))


def _read_piece(piece: _Piece) -> Block:
    text, bad = decode(piece.data, piece.codec, piece.newline)
    lines = Lines.of(text, piece.newline)
    rows = np.flatnonzero(~lines.is_blank)
    raw = lines.to_arrow()
    raw = raw if len(rows) == len(raw) else raw.take(pa.array(rows))
    is_bad = np.zeros(len(lines), dtype=bool)
    is_bad[list(bad)] = True
    errors, values = _read_rows(piece, lines, rows, is_bad)
    return Block(raw, errors, dict(zip(piece.names, values, strict=True)), len(lines), len(lines) - len(rows))


def _read_rows(
    piece: _Piece, lines: Lines, rows: np.ndarray, is_bad: np.ndarray
) -> tuple[pa.StringArray, list[pa.StringArray]]:
    """Errors and values of the lines that are not blank: most by Arrow, the others one by one."""
    schema = schema_of(piece.paths) if piece.newline == "\n" else None
    is_read = np.zeros(len(rows), dtype=bool)
    values = [pa.nulls(len(rows), pa.string())] * len(piece.paths)
    if schema is not None and len(rows):
        is_read, values = read_columns(lines, ~is_bad, piece.paths, schema)
    left = rows[~is_read]
    if not len(left):
        return pa.nulls(len(rows), pa.string()), values
    ends = zip(lines.start[left].tolist(), lines.stop[left].tolist(), strict=True)
    texts = [lines.data[start:stop] for start, stop in ends]
    work = _Left(texts, is_bad[left].tolist(), piece.paths)
    errors, columns = in_process(_read_lines, work) if len(left) > _MANY else _read_lines(work)
    is_left = pa.array(~is_read)
    return _put(pa.nulls(len(rows), pa.string()), is_left, errors), [
        _put(array, is_left, column) for array, column in zip(values, columns, strict=True)
    ]


def _put(array: pa.StringArray, is_left: pa.BooleanArray, texts: Texts) -> pa.StringArray:
    """The array with texts in place of what is left."""
    if not any(text is not None for text in texts):
        return array
    return pc.replace_with_mask(array, is_left, pa.array(texts, pa.string()))


def parse_path(path: str) -> Path:
    """``code.coding[0].code`` as steps: names and indexes."""
    return tuple(int(index) if index else name for name, index in _STEP.findall(path))


def parse_line(line: str) -> dict[str, Any]:
    """One line as an object whose numbers are text; ValueError when it is not one JSON object of plain values.

    Too deep a nesting raises RecursionError.
    """
    value = _DECODER.decode(line)
    if _MAY_HOLD_SURROGATE.search(line):
        json.dumps(value, ensure_ascii=False).encode()
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def to_text(value: Any) -> str | None:
    """A value as a column holds it: strings and numbers as written, true and false, objects and arrays as JSON."""
    if value is None:
        return None
    return str(value) if isinstance(value, str) else _to_json(value)


def _to_json(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_to_json(key)}:{_to_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_to_json(item) for item in value) + "]"
    if isinstance(value, float):
        return orjson.dumps(value).decode()
    return json.dumps(value, ensure_ascii=False)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_refuse)


def _read_lines(work: _Left) -> tuple[Texts, list[Texts]]:
    """The error of each line, and each path's values."""
    read = compile_paths(work.paths)
    nothing: Texts = (None,) * len(work.paths)
    errors: list[str | None] = []
    rows: list[Texts] = []
    unlike = 0
    for text, bad in zip(work.texts, work.is_bad, strict=True):
        error: str | None = BAD_ENCODING if bad else None
        row: Texts | None = nothing if bad else None
        if row is None and 2 * unlike <= len(rows) + _UNLIKE_LINES:
            row = _read_canonical(text, read)
            unlike += row is None
        if row is None:
            # Also where lines are mostly written in another style: the fast way is then tried no more.
            try:
                row = read(parse_line(text.decode()), to_text)[0]
            except (ValueError, RecursionError):
                error, row = BAD_JSON, nothing
        errors.append(error)
        rows.append(row)
    return tuple(errors), list(zip(*rows, strict=True)) if rows else [()] * len(work.paths)


def _read_canonical(line: bytes, read: Reader) -> Texts | None:
    """The values of a line whose numbers are written as orjson writes them; None for any other.

    The usual compact form, several times as fast as ``parse_line``. That a line comes back from the parsed object to
    the byte proves that each number's text is the one that ``to_text`` makes; without a number nothing needs proof.
    """
    try:
        value = orjson.loads(line)
        if type(value) is not dict:
            return None
        row, has_other = read(value, to_text)
        return row if not has_other or orjson.dumps(value) == line else None
    except (ValueError, TypeError, RecursionError):
        return None
