"""The correspondence of R4's and R5's names and codes, read from ``names.txt`` and ``codes.txt``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent
Direction = Literal["up", "down"]
"""``up``: R4 to R5; ``down``: R5 to R4."""


@dataclass
class Names:
    """Names within one owner, in one direction.

    Attributes:
        renamed: the other version's name by this one's; for choices the stems (``performed`` to ``occurrence``).
        joined: up: the CodeableReference by the name of either R4 element.
        split: down: names of the CodeableConcept and the Reference by that of the CodeableReference.
    """

    renamed: dict[str, str] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    split: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Codes:
    """Codes of one element: the other version's by this one's, and which of them come back by themselves."""

    mapped: dict[str, str]
    exact: frozenset[str]


def _lines(name: str) -> list[list[str]]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


@cache
def names(direction: Direction) -> dict[str, Names]:
    """Names by owner (a type or part, by its R4 name)."""
    found: dict[str, Names] = {}
    for owner, r4, r5 in _lines("names.txt"):
        entry = found.setdefault(owner, Names())
        if "+" in r4:
            concept, reference = r4.split("+")
            if direction == "up":
                entry.joined |= {concept: r5, reference: r5}
            else:
                entry.split[r5] = (concept, reference)
            continue
        old, new = r4.removesuffix("[x]"), r5.removesuffix("[x]")
        entry.renamed |= {old: new} if direction == "up" else {new: old}
    return found


@cache
def codes(direction: Direction) -> dict[str, Codes]:
    """Codes by element (by its R4 path)."""
    found: dict[str, Codes] = {}
    for path, *pairs in _lines("codes.txt"):
        mapped: dict[str, str] = {}
        exact: set[str] = set()
        for pair in pairs:
            mark = next(sign for sign in "=<>" if sign in pair)
            r4, r5 = pair.split(mark)
            source, target = (r4, r5) if direction == "up" else (r5, r4)
            if mark == "=" or (mark == ">") == (direction == "up"):
                mapped[source] = target
                if mark == "=":
                    exact.add(source)
        found[path] = Codes(mapped, frozenset(exact))
    return found
