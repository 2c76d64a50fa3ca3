"""JSON Lines: one JSON object a physical line, numbers kept as the text they were written in.

Lines are checked one by one before any engine sees them: engines abort a whole file on a bad line, or hide it, and
read decimals through a double (``5.60`` becomes ``5.6``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from contracts.region import Source
from fhir_mapping.sources.encoding import decode
from fhir_mapping.sources.lines import Lines, read_whole_lines
from fhir_mapping.sources.record import BAD_ENCODING, BAD_JSON, Block

_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_MAY_HOLD_SURROGATE = re.compile(r"\\u[dD]")

Path = tuple[str | int, ...]


class _Number(str):
    """A JSON number as written; a subclass so that it is told from a string when an object is written back."""

    __slots__ = ()


def read_blocks(source: Source, stream: BinaryIO, codec: str, newline: str, block_bytes: int) -> Iterator[Block]:
    """The records of a file, block by block; ``stream`` stands after the byte-order mark."""
    paths = {column.name: parse_path(column.path or column.name) for column in source.column}
    for data, _ in read_whole_lines(stream, newline, block_bytes):
        text, bad = decode(data, codec, newline)
        lines = Lines.of(text, newline)
        numbers = np.flatnonzero(~lines.is_blank)
        raw = lines.to_arrow()
        raw = raw if len(numbers) == len(raw) else raw.take(pa.array(numbers))
        errors, columns = _read_lines(raw.to_pylist(), [number in bad for number in numbers.tolist()], paths)
        values = {name: pa.array(column, pa.string()) for name, column in columns.items()}
        yield Block(raw, pa.array(errors, pa.string()), values, len(lines), len(lines) - len(numbers))


def parse_path(path: str) -> Path:
    """``code.coding[0].code`` as steps: names and indexes."""
    return tuple(int(index) if index else name for name, index in _STEP.findall(path))


def parse_line(line: str) -> dict[str, Any]:
    """One line as an object whose numbers are text; ValueError when it is not one JSON object of plain values.

    Too deep a nesting raises RecursionError.
    """
    value = json.loads(line, parse_int=_Number, parse_float=_Number, parse_constant=_refuse)
    if _MAY_HOLD_SURROGATE.search(line):
        json.dumps(value, ensure_ascii=False).encode()
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def value_at(value: Any, path: Path) -> Any:
    """What stands at a path; None where a step leads nowhere."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
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
    return json.dumps(value, ensure_ascii=False)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _read_lines(
    texts: list[str], is_bad: list[bool], paths: dict[str, Path]
) -> tuple[list[str | None], dict[str, list[str | None]]]:
    nothing: list[str | None] = [None] * len(paths)
    errors: list[str | None] = []
    rows: list[list[str | None]] = []
    for text, bad in zip(texts, is_bad, strict=True):
        error, row = (BAD_ENCODING, nothing) if bad else _read_line(text, list(paths.values()))
        errors.append(error)
        rows.append(row)
    columns = zip(*rows, strict=True) if rows else iter([()] * len(paths))
    return errors, {name: list(column) for name, column in zip(paths, columns, strict=True)}


def _read_line(text: str, paths: list[Path]) -> tuple[str | None, list[str | None]]:
    try:
        record = parse_line(text)
        return None, [to_text(value_at(record, path)) for path in paths]
    except (ValueError, RecursionError):
        return BAD_JSON, [None] * len(paths)
