"""Many lines of JSON at once by Arrow's own parser: all cores, no Python object a value.

Arrow's parser knows no lines, takes NaN for a number and types every value. So it is given only lines of which it is
sure to make what the exact reader (``ndjson``) makes of them (``_doubtful``), and a number or truth value of a key is
put in quotes first (``_quoted``): the column then holds its text, every digit of it. What Arrow refuses even so is left
to the exact reader, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from fhir_mapping.sources.json_paths import Path
from fhir_mapping.sources.json_scalars import scalar_stops
from fhir_mapping.sources.lines import Lines

_ROW = re.compile(r" in row ([0-9]+)$")
_TRIES = 8
"""How often Arrow may refuse a line of a block, each costs another try, before all is left to the exact reader."""
_SHORT = 1_500
"""Bytes of a line that is too short to be nested beyond reason."""
_BRACKETS = 500
"""Opening brackets up to which no line is nested beyond reason."""
_SLICE = 1 << 20
_LARGEST = 1 << 30
"""Bytes that are read at once: with all quotes there are fewer than Arrow's parser takes."""


def _among(characters: bytes) -> np.ndarray:
    found = np.zeros(256, dtype=bool)
    found[list(characters)] = True
    return found


_GOES_ON = _among(b',]}\n"')
_BLANK = _among(b" \t\r")
_BEFORE_VALUE = _among(b":,[")
_BEFORE_CONSTANT = _BEFORE_VALUE | _BLANK
_OPENS_SCALAR = _among(b"-0123456789tf")
_BEFORE_OPENING_QUOTE = _among(b'{,:[ \t\r\n\\"')
"""A quote after any other character ends a string: in JSON none begins there, and only a backslash would escape it."""


@cache
def schema_of(paths: tuple[Path, ...]) -> pa.Schema | None:
    """Arrow's types of what stands at these paths; None where one path leads through what another takes whole."""
    kind = _kind(paths)
    return pa.schema(list(kind)) if isinstance(kind, pa.StructType) else None


def read_columns(
    lines: Lines, is_text: np.ndarray, paths: tuple[Path, ...], schema: pa.Schema
) -> tuple[np.ndarray, list[pa.StringArray]]:
    """What stands at the paths in the lines that are sure to be one JSON object each.

    Args:
        lines: of UTF-8, LF between them.
        is_text: which of them are (not escaped, see ``encoding``); the others are not read.
        schema: ``schema_of`` the paths.

    Returns:
        For the lines that are not blank: which were read, and their values a path, null where a line was not read.
    """
    rows = np.flatnonzero(~lines.is_blank)
    is_left = (_doubtful(lines) | ~is_text)[rows]
    nothing = np.zeros(len(rows), dtype=bool), [pa.nulls(len(rows), pa.string())] * len(paths)
    if len(lines.data) > _LARGEST:
        return nothing
    for _ in range(_TRIES):
        left = rows[is_left]
        if len(left) == len(rows) or np.any(lines.stop[left] - lines.start[left] < len(b"{}")):
            break
        try:
            found = _parse(_quoted(_without(lines, left)), schema)
        except pa.ArrowInvalid as refusal:
            told = _ROW.search(str(refusal))
            if told is None or int(told[1]) >= len(rows) or is_left[int(told[1])]:
                break
            is_left[int(told[1])] = True
            continue
        return (~is_left, _at(found, paths)) if found.num_rows == len(rows) else nothing
    return nothing


def _kind(paths: Sequence[Path]) -> pa.DataType | None:
    if not any(paths):
        return pa.string()
    steps = {path[0] if path else None for path in paths}
    if all(isinstance(step, int) for step in steps):
        entry = _kind([path[1:] for path in paths])
        return None if entry is None else pa.list_(entry)
    if not all(isinstance(step, str) for step in steps):
        return None
    names = dict.fromkeys(str(path[0]) for path in paths)
    fields = [(name, _kind([path[1:] for path in paths if path[0] == name])) for name in names]
    return None if any(kind is None for _, kind in fields) else pa.struct(fields)


def _doubtful(lines: Lines) -> np.ndarray:
    """Lines that Arrow may read otherwise than the exact reader: as several objects, with NaN, nested beyond reason.

    An object's end is followed by a comma, a closing bracket or the end of the line. So no line holds the end of one
    record and the beginning of the next, and as many rows as lines are the lines.
    """
    data = np.frombuffer(lines.data, dtype=np.uint8)
    doubtful = (data[lines.start] != ord("{")) | (data[lines.stop - 1] != ord("}"))

    ends = _seek(data, _ends, 1)
    owner = _line_of(lines, ends)
    doubtful[owner[ends + 1 != lines.stop[owner]]] = True

    constants = _seek(data, _constants, 0)
    before = constants - 1
    before -= data[before] == ord("-")
    is_blank = _BLANK[data[before]]
    is_value = np.where(is_blank, _BEFORE_CONSTANT[data[before - is_blank]], _BEFORE_VALUE[data[before]])
    doubtful[_line_of(lines, constants[is_value])] = True

    if np.any(lines.stop - lines.start > _SHORT):
        brackets = _seek(data, _brackets, 0)
        doubtful |= np.diff(np.searchsorted(brackets, np.append(lines.start, len(data)))) > _BRACKETS
    return doubtful


def _seek(data: np.ndarray, seek: Callable[[np.ndarray], np.ndarray], after: int) -> np.ndarray:
    """Positions that ``seek`` finds, which looks ``after`` bytes ahead; slice by slice, in the processor's cache."""
    starts = range(0, len(data), _SLICE)
    return np.concatenate([seek(data[start : start + _SLICE + after]) + start for start in starts])


def _ends(data: np.ndarray) -> np.ndarray:
    """Closing braces after which neither an object goes on nor a line of LF ends."""
    ends = np.flatnonzero(data[:-1] == ord("}"))
    return ends[~_GOES_ON[data[ends + 1]]]


def _constants(data: np.ndarray) -> np.ndarray:
    return np.flatnonzero((data == ord("N")) | (data == ord("I")))


def _brackets(data: np.ndarray) -> np.ndarray:
    return np.flatnonzero((data == ord("{")) | (data == ord("[")))


def _before_scalars(data: np.ndarray) -> np.ndarray:
    """Quotes after which stand a colon, maybe a space, and what may be a number, true or false."""
    quotes = np.flatnonzero((data[:-3] == ord('"')) & (data[1:-2] == ord(":")))
    values = quotes + 2
    values += data[values] == ord(" ")
    return quotes[_OPENS_SCALAR[data[values]]]


def _line_of(lines: Lines, positions: np.ndarray) -> np.ndarray:
    return np.searchsorted(lines.start, positions, side="right") - 1


def _without(lines: Lines, left: np.ndarray) -> bytes | bytearray:
    """The text with ``{}`` in place of the lines that are left out."""
    if not len(left):
        return lines.data
    data = bytearray(lines.data)
    for start, stop in zip(lines.start[left].tolist(), lines.stop[left].tolist(), strict=True):
        data[start:stop] = b"{}".ljust(stop - start)
    return data


def _quoted(data: bytes | bytearray) -> pa.Buffer:
    """The text with quotes around each number, true and false that is the value of a key.

    Only a valid one is quoted, and only after a quote that ends a string: so what was no JSON does not become it, and
    nothing changes inside a string.
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    quotes = _seek(buffer, _before_scalars, 3)
    quotes = quotes[~_BEFORE_OPENING_QUOTE[buffer[quotes - 1]]]
    values = quotes + 2
    values += buffer[values] == ord(" ")
    stops = scalar_stops(data, values)
    is_scalar = stops > 0
    ends = np.empty(2 * np.count_nonzero(is_scalar) + 2, dtype=np.int32)
    ends[0], ends[-1] = 0, len(data)
    ends[1:-1:2], ends[2:-1:2] = values[is_scalar], stops[is_scalar]
    pieces = pa.BinaryArray.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])
    together = pa.ListArray.from_arrays(pa.array([0, len(pieces)], pa.int32()), pieces)
    return pc.binary_join(together, b'"').buffers()[2]


def _parse(data: pa.Buffer, schema: pa.Schema) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=data.size + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def _at(found: pa.Table, paths: tuple[Path, ...]) -> list[pa.StringArray]:
    """The column of each path; what several paths share is looked up once."""
    known: dict[Path, pa.Array] = {(name,): found.column(name).combine_chunks() for name in found.column_names}

    def look_up(path: Path) -> pa.Array:
        if path not in known:
            above, step = look_up(path[:-1]), path[-1]
            known[path] = _entry(above, step) if isinstance(step, int) else pc.struct_field(above, step)
        return known[path]

    return [look_up(path) for path in paths]


def _entry(lists: pa.ListArray, index: int) -> pa.Array:
    """An entry of each list, null where it is too short."""
    offsets = np.frombuffer(lists.buffers()[1], dtype=np.int32)[lists.offset :][: len(lists) + 1]
    has_entry = np.diff(offsets) > index
    if index == 0 and len(lists.values) == len(lists) and has_entry.all():
        return lists.values
    return lists.values.take(pa.array(offsets[:-1] + index, mask=~has_entry))
