"""Where numbers, true and false end in the bytes of JSON, found of all at once.

A table says what each byte makes of what was read so far; all are followed through it together, byte by byte. What is
longer than usual, or has white space behind it, is left to a regular expression.
"""

from __future__ import annotations

import re

import numpy as np

_SCALAR = re.compile(rb"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false)(?=[ \t\r]*[,}])")
_USUAL = 24
"""Bytes of a scalar, with the one behind it."""

_WORDS = ("true", "false")
_DIGIT, _NOT_ZERO = b"0123456789", b"123456789"
_STEPS: dict[str, list[tuple[bytes, str]]] = {
    "": [(b"-", "-"), (b"0", "0"), (_NOT_ZERO, "1"), (b"t", "t"), (b"f", "f")],
    "-": [(b"0", "0"), (_NOT_ZERO, "1")],
    "0": [(b".", "."), (b"eE", "e")],
    "1": [(_DIGIT, "1"), (b".", "."), (b"eE", "e")],
    ".": [(_DIGIT, ".1")],
    ".1": [(_DIGIT, ".1"), (b"eE", "e")],
    "e": [(b"+-", "e+"), (_DIGIT, "e1")],
    "e+": [(_DIGIT, "e1")],
    "e1": [(_DIGIT, "e1")],
    **{
        text[:n]: [(text[n : n + 1].encode(), text[: n + 1])] for text in ("true", "false") for n in range(1, len(text))
    },
    "true": [],
    "false": [],
}
"""What was read so far: bytes that may follow, and what that is then."""
_ENDS = ("0", "1", ".1", "e1", *_WORDS)
"""What may be followed by a comma or brace."""
_FAILED, _ENDED, _LEFT, _FIRST = 0, 1, 2, 3


def _table() -> np.ndarray:
    """By 256 times what was read so far plus a byte: 256 times what that makes."""
    numbers = {name: number for number, name in enumerate(_STEPS, start=_FIRST)}
    table = np.full((_FIRST + len(numbers), 256), _FAILED, dtype=np.int16)
    for name, steps in _STEPS.items():
        for characters, made in steps:
            table[numbers[name], list(characters)] = numbers[made]
    for name in _ENDS:
        table[numbers[name], list(b",}")] = _ENDED
        table[numbers[name], list(b" \t\r")] = _LEFT
    return table.ravel() * 256


_TABLE = _table()


def scalar_stops(data: bytes | bytearray, starts: np.ndarray) -> np.ndarray:
    """Where the number, true or false ends that begins at each place; 0 where none does.

    None does where neither comma nor brace follows, with or without white space before it.
    """
    buffer = np.frombuffer(data, dtype=np.uint8)
    stops = np.zeros_like(starts)
    which, place = np.arange(len(starts)), starts
    known = np.full(len(starts), 256 * _FIRST, dtype=np.int16)
    for _ in range(_USUAL):
        known = _TABLE.take(known + buffer.take(place, mode="clip"))
        goes_on = known >= 256 * _FIRST
        if not goes_on.all():
            has_ended = known == 256 * _ENDED
            stops[which[has_ended]] = place[has_ended]
            _match(data, starts, which[known == 256 * _LEFT], stops)
            which, place, known = which[goes_on], place[goes_on], known[goes_on]
        place = place + 1
    _match(data, starts, which, stops)
    return stops


def _match(data: bytes | bytearray, starts: np.ndarray, which: np.ndarray, stops: np.ndarray) -> None:
    for number in which.tolist():
        found = _SCALAR.match(data, starts[number])
        if found is not None:
            stops[number] = found.end()
