"""Records of a CSV or JSON Lines file somebody wants scored: every record comes out, in order, with its error if any.

Encodings: UTF-8 and UTF-16 with a byte-order mark, UTF-8, else GB18030. A record that does not decode, does not parse
or has another number of columns is an error of its own; the records around it are read as usual.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import UsageError

BAD = "\ufffd"
MAX_QUOTED_LINES = 2000
"""Lines that one quoted record may span; a quote not closed within them costs its own line only."""

_BREAK = re.compile("(?<=\n)|(?<=\r)(?!\n)")
_DELIMITERS = (",", "\t", ";", "|")
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class InputRecord:
    """One record: its values by column name, or what is wrong with it (never a value of it)."""

    values: Mapping[str, Any]
    error: str | None = None


def read_inputs(path: Path, wanted: Sequence[str]) -> list[InputRecord]:
    """Read a file.

    Args:
        path: JSON Lines when it is named so or starts with a brace, else CSV with a header.
        wanted: columns that must be there.

    Raises:
        UsageError: no such file, nothing in it, or a wanted column is missing altogether; one clear line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a CSV or JSON Lines file") from error
    text = decode(data)
    if not text.strip():
        raise UsageError(f"{path} is empty; expected records with {', '.join(wanted)}")
    if path.suffix.lower() in _JSON_SUFFIXES or text.lstrip().startswith("{"):
        return _read_json_lines(path, text, wanted)
    return _read_csv(path, text, wanted)


def decode(data: bytes) -> str:
    """The text of a file; bytes that are none become U+FFFD.

    A file is UTF-8 when it decodes as such, or when fewer than a tenth of its non-ASCII bytes do not: text in GB18030
    breaks at nearly every character.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    data = data.removeprefix(b"\xef\xbb\xbf")
    text = data.decode("utf-8", "replace")
    wide = sum(byte > 127 for byte in data) if BAD in text else 0
    if text.count(BAD) * 10 > wide:
        return data.decode("gb18030", "replace")
    return text


def _read_json_lines(path: Path, text: str, wanted: Sequence[str]) -> list[InputRecord]:
    # not splitlines(): U+2028 and others may stand inside a JSON string
    records = [_json_record(line) for line in re.split("\r\n|\n|\r", text) if line.strip()]
    seen = {name for record in records for name in record.values}
    if any(record.error is None for record in records):
        _refuse_missing(path, wanted, seen)
    return records


def _json_record(line: str) -> InputRecord:
    if BAD in line:
        return InputRecord({}, "bytes that are no text in the file's encoding")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return InputRecord({}, "not valid JSON")
    if not isinstance(values, dict):
        return InputRecord({}, "not a JSON object")
    return InputRecord(values)


def _refuse_missing(path: Path, wanted: Sequence[str], seen: set[str]) -> None:
    missing = [name for name in wanted if name not in seen]
    if missing:
        raise UsageError(f"{path} has no column {', '.join(missing)}; the model needs {', '.join(wanted)}")


def _read_csv(path: Path, text: str, wanted: Sequence[str]) -> list[InputRecord]:
    lines = [line for line in _BREAK.split(text) if line]
    first = next(i for i, line in enumerate(lines) if line.strip())
    delimiter = max(_DELIMITERS, key=lambda sign: len(set(_header(lines[first], sign)) & set(wanted)))
    header, after = _header(lines[first], delimiter), first + 1
    _refuse_missing(path, wanted, set(header))
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise UsageError(f"{path} has the column {', '.join(twice)} twice; keep one")
    return list(_csv_records(lines, after, header, delimiter))


def _header(line: str, delimiter: str) -> list[str]:
    fields = _parse([line], delimiter)
    return [name.strip() for name in fields] if fields else [name.strip(' "\r\n') for name in line.split(delimiter)]


def _csv_records(lines: list[str], at: int, header: list[str], delimiter: str) -> Iterator[InputRecord]:
    while at < len(lines):
        if not lines[at].strip("\r\n"):
            at += 1
            continue
        size, fields = _record_at(lines, at, len(header), delimiter)
        if any(BAD in line for line in lines[at : at + size]):
            yield InputRecord({}, "bytes that are no text in the file's encoding")
        elif fields is None:
            yield InputRecord({}, "a quote that is not closed, or text after one")
        elif len(fields) != len(header):
            yield InputRecord({}, f"{len(fields)} columns where the header has {len(header)}")
        else:
            yield InputRecord(dict(zip(header, fields, strict=True)))
        at += size


def _record_at(lines: list[str], at: int, columns: int, delimiter: str) -> tuple[int, list[str] | None]:
    """Lines a record spans, and its fields; a record of several lines must have the header's number of columns."""
    fields = _parse([lines[at]], delimiter)
    if fields is not None:
        return 1, fields
    quotes = lines[at].count('"')
    if quotes % 2:
        for end in range(at + 1, min(at + MAX_QUOTED_LINES, len(lines))):
            quotes += lines[end].count('"')
            if quotes % 2 == 0:
                fields = _parse(lines[at : end + 1], delimiter)
                if fields is not None and len(fields) == columns:
                    return end + 1 - at, fields
                break
    return 1, None


def _parse(lines: list[str], delimiter: str) -> list[str] | None:
    """Fields of the one record in some lines; None when they are not exactly one well-formed record."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
