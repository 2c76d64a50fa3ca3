"""Whether a unit is UCUM: the grammar of the standard over its atoms (case sensitive).

Source: https://ucum.org/ucum, sections 2.1 to 2.4 and the tables of units; ``tables/ucum_atoms.csv`` holds the atoms,
``metric`` says whether a prefix may stand before one.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fhir_mapping.cda.data_tables import column

_PREFIXES = ("da", "Ki", "Mi", "Gi", "Ti", *"YZEPTGMkhdcmunpfazy")
_ANNOTATION = re.compile(r"\{[\x21-\x7a\x7c\x7e]*\}")
_SIMPLE = re.compile(r"(?P<unit>\[[^\[\]{}\s]*\]|(?:[^\s0-9.+\-/(){}\[\]]|\[[^\[\]{}\s]*\])*?)(?P<exponent>[+-]?\d+)?$")


@lru_cache(maxsize=4096)
def is_ucum(unit: str) -> bool:
    """Whether the text is a valid UCUM expression: ``mm[Hg]``, ``10*9/L``, ``{score}``; not ``mmHg``."""
    if not unit or len(unit) > 60 or not unit.isascii():
        return False
    return _term(unit[1:] if unit.startswith("/") else unit)


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
    atoms = column("ucum_atoms", "atom", "metric")
    if name in atoms:
        return True
    return any(name.startswith(prefix) and atoms.get(name[len(prefix) :]) == "yes" for prefix in _PREFIXES)
