"""Units: whether a text is UCUM, by the grammar of the standard over its atoms, and the code of one people write.

Source: https://ucum.org/ucum, sections 2.1 to 2.4 and the tables of units; ``ucum_atoms.csv`` holds the atoms,
``metric`` says whether a prefix may stand before one.
"""

from __future__ import annotations

import csv
import re
from functools import cache, lru_cache
from importlib import resources

_PREFIXES = ("da", "Ki", "Mi", "Gi", "Ti", *"YZEPTGMkhdcmunpfazy")
_ANNOTATION = re.compile(r"\{[\x21-\x7a\x7c\x7e]*\}")
_SIMPLE = re.compile(r"(?P<unit>\[[^\[\]{}\s]*\]|(?:[^\s0-9.+\-/(){}\[\]]|\[[^\[\]{}\s]*\])*?)(?P<exponent>[+-]?\d+)?$")


@lru_cache(maxsize=4096)
def is_ucum(unit: str) -> bool:
    """Whether the text is a valid UCUM expression: ``mm[Hg]``, ``10*9/L``, ``{score}``; not ``mmHg``."""
    if not unit or len(unit) > 60 or not unit.isascii():
        return False
    return _term(unit[1:] if unit.startswith("/") else unit)


@lru_cache(maxsize=4096)
def ucum_code(unit: str) -> str:
    """The UCUM code of a unit as written, or empty: by the region-wide table of units, else if it is UCUM itself.

    The table comes first: ``K/uL`` is valid UCUM, but nobody counts cells in kelvin.
    """
    return _written().get(unit) or (unit if is_ucum(unit) else "")


@cache
def _written() -> dict[str, str]:
    """Units as people write them -> UCUM. Read here and not by ``code_map``, which needs the engine's libraries."""
    return _column("maps/ucum.csv", "source", "target_code")


@cache
def _atoms() -> dict[str, str]:
    return _column("ucum_atoms.csv", "atom", "metric")


def _column(file: str, key: str, value: str) -> dict[str, str]:
    text = resources.files(__package__).joinpath(*file.split("/")).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {row[key]: row[value] for row in csv.DictReader(lines)}


def _term(text: str) -> bool:
    parts = _split(text)
    return bool(parts) and all(_component(part) for part in parts)


def _split(text: str) -> list[str]:
    """At ``.`` and ``/`` outside of brackets; nothing where brackets do not match or a part is empty."""
    parts, start, depth, closing = [], 0, 0, ""
    for place, sign in enumerate(text):
        if closing:
            closing = "" if sign == closing else closing
        elif sign in "[{":
            closing = "]" if sign == "[" else "}"
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if depth < 0:
                return []
        elif sign in "./" and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return parts if depth == 0 and not closing and all(parts) else []


def _component(text: str) -> bool:
    if text.startswith("("):
        return text.endswith(")") and _term(text[1:-1])
    bare = _ANNOTATION.sub("", text, count=1)
    if not bare:
        return True
    if bare.isdigit() or re.fullmatch(r"10[*^][+-]?\d*", bare):
        return True
    match = _SIMPLE.match(bare)
    return match is not None and _atom(match["unit"])


def _atom(name: str) -> bool:
    atoms = _atoms()
    if name in atoms:
        return True
    return any(name.startswith(prefix) and atoms.get(name[len(prefix) :]) == "yes" for prefix in _PREFIXES)
