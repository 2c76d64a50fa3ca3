"""JSON Lines: one JSON object a physical line, numbers kept as the text they were written in.

Lines are checked one by one before any engine sees them: engines abort a whole file on a bad line, or hide it, and
read decimals through a double (``5.60`` becomes ``5.6``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from contracts.region import Source
from fhir_mapping.sources.encoding import decode
from fhir_mapping.sources.json_paths import Path, Reader, Texts, compile_paths
from fhir_mapping.sources.lines import Lines, read_whole_lines
from fhir_mapping.sources.processes import are_running, in_processes
from fhir_mapping.sources.record import BAD_ENCODING, BAD_JSON, Block

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_MAY_HOLD_SURROGATE = re.compile(r"\\u[dD]")
_ALONE = 3
"""A file of fewer blocks is read by this process alone, unless others run already: starting them takes longer."""
_UNLIKE_LINES = 200
"""Lines of a block that may be written in another style than the compact one before that style counts as usual."""


class _Number(str):
    """A JSON number as written; a subclass so that it is told from a string when an object is written back."""

    __slots__ = ()


class _Piece(NamedTuple):
    """Whole lines of a file, and what is needed to read them in another process."""

    data: bytes
    codec: str
    newline: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]


def read_blocks(source: Source, stream: BinaryIO, codec: str, newline: str, block_bytes: int) -> Iterator[Block]:
    """The records of a file, block by block; ``stream`` stands after the byte-order mark. Large files use all cores."""
    names = tuple(column.name for column in source.column)
    paths = tuple(parse_path(column.path or column.name) for column in source.column)
    lines = read_whole_lines(stream, newline, block_bytes)
    pieces = (_Piece(data, codec, newline, paths, names) for data, _ in lines)
    first = list(islice(pieces, _ALONE))
    if len(first) < _ALONE and not are_running():
        return map(_read_piece, first)
    return in_processes(_read_piece, chain(first, pieces))


def _read_piece(piece: _Piece) -> Block:
    text, bad = decode(piece.data, piece.codec, piece.newline)
    lines = Lines.of(text, piece.newline)
    numbers = np.flatnonzero(~lines.is_blank)
    raw = lines.to_arrow()
    raw = raw if len(numbers) == len(raw) else raw.take(pa.array(numbers))
    ends = zip(lines.start[numbers].tolist(), lines.stop[numbers].tolist(), strict=True)
    texts = [text[start:stop] for start, stop in ends]
    errors, columns = _read_lines(texts, [number in bad for number in numbers.tolist()], piece.paths)
    arrays = [pa.array(column, pa.string()) for column in columns]
    values = dict(zip(piece.names, arrays, strict=True))
    return Block(raw, pa.array(errors, pa.string()), values, len(lines), len(lines) - len(numbers))


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


def _read_lines(
    texts: list[bytes], is_bad: list[bool], paths: tuple[Path, ...]
) -> tuple[list[str | None], list[Texts]]:
    """The error of each line, and each path's values."""
    read = compile_paths(paths)
    nothing: Texts = (None,) * len(paths)
    errors: list[str | None] = []
    rows: list[Texts] = []
    unlike = 0
    for text, bad in zip(texts, is_bad, strict=True):
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
    return errors, list(zip(*rows, strict=True)) if rows else [()] * len(paths)


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
