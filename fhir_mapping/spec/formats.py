"""Date formats of specs, as regular expressions and positions: pure Python, no column is made here.

A format is letters ``yyyy M MM d dd H HH m mm s ss SSS`` and literal text; the precision is that of its smallest field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NAMED = ("any", "iso")
_TOKEN = re.compile(r"yyyy|MM|M|dd|d|HH|H|mm|m|ss|s|SSS|'[^']*'|[A-Za-z]+|[^A-Za-z']")
_DIGITS = {"yyyy": (4, 4), "MM": (2, 2), "M": (1, 2), "dd": (2, 2), "d": (1, 2), "HH": (2, 2), "H": (1, 2)} | {
    "mm": (2, 2),
    "m": (1, 2),
    "ss": (2, 2),
    "s": (1, 2),
    "SSS": (1, 9),
}
FIELDS = ("y", "M", "d", "H", "m", "s", "S")


@dataclass(frozen=True)
class DateFormat:
    """A compiled format.

    Attributes:
        pattern: anchored regular expression of the whole text, in the dialect of both engines.
        order: the fields (``y M d H m s S``) in order of appearance.
        offsets: position of each field counted from 1 and its width, when every field has a fixed width; else ().
    """

    pattern: str
    order: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]


@cache
def compile_format(text: str) -> DateFormat:
    """Compile one format. Raises ValueError: unknown letters, a gap (month without year ...), ambiguous digits."""
    pattern, order, offsets, position, fixed, previous_open = "^", [], [], 1, True, False
    for token in _TOKEN.findall(text):
        if token in _DIGITS:
            low, high = _DIGITS[token]
            if previous_open:
                raise ValueError(f"date format {text!r}: {token!r} follows a field of open width; give a separator")
            pattern += f"[0-9]{{{low}}}" if low == high else f"[0-9]{{{low},{high}}}"
            order.append(token[0])
            offsets.append((position, high))
            fixed &= low == high
            position += high
            previous_open = low != high
            continue
        literal = token[1:-1] if token.startswith("'") else token
        if token.isascii() and token.isalpha() and token != "T":
            raise ValueError(f"date format {text!r}: letters {token!r} are unknown; use yyyy M d H m s SSS")
        if any(c.isdigit() for c in literal):
            raise ValueError(f"date format {text!r}: digits cannot be literal text")
        pattern += re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", literal)
        position += len(literal)
        previous_open = False
    need = FIELDS[: len(order)]
    if not order or sorted(order, key=FIELDS.index) != list(need):
        raise ValueError(f"date format {text!r}: needs year, then month, day, hour ... without a gap or repeat")
    return DateFormat(pattern + "\\z", tuple(order), tuple(offsets) if fixed else ())


def check_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The formats themselves when each is a named one or compiles. Raises ValueError."""
    if not formats:
        raise ValueError("formats is empty; leave it out for 'any'")
    for text in formats:
        if text not in NAMED:
            compile_format(text)
    return formats


def check_zone(name: str) -> str:
    """The zone's name when the time zone database has it. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone {name!r}; write one like Asia/Shanghai") from error
    return name
