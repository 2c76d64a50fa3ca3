"""Code systems by name, ``code_systems.csv``: each edition of a code is a system of its own.

Specs write ``@icd10_cn_clinical_2`` for the system of that name. ``coarser`` names the editions that a system's codes
can be mapped to (n:1); the way back would have to guess, so no map may go it.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contracts.errors import SpecError

FILE = Path(__file__).parent / "code_systems.csv"


@dataclass(frozen=True)
class CodeSystem:
    """One edition of a code.

    Attributes:
        uri: what a Coding's ``system`` says.
        coarser: names of the editions that its codes can be mapped to.
    """

    name: str
    uri: str
    title: str
    coarser: tuple[str, ...]


@cache
def code_systems() -> dict[str, CodeSystem]:
    """All that have a name."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return {
        row["name"]: CodeSystem(row["name"], row["uri"], row["title"], tuple(row["coarser"].split())) for row in rows
    }


def system_uri(text: str) -> str:
    """The URI of ``@name``; any other text is a URI already. Raises ValueError: no such name."""
    if not text.startswith("@"):
        return text
    found = code_systems().get(text[1:])
    if found is None:
        raise ValueError(f"no code system {text!r}; there are {', '.join('@' + name for name in code_systems())}")
    return found.uri


def check_direction(path: Path, about: Mapping[str, str], systems: Collection[str]) -> None:
    """A map that says from which edition to which it leads goes the way that has one answer for each code.

    Raises:
        SpecError: half a direction, an unknown name, a target of another system, or the inverse of an n:1 map.
    """
    start, end = about.get("from"), about.get("to")
    if start is None and end is None:
        return
    known = code_systems()
    if start not in known or end not in known:
        raise SpecError(f"{path}: from: {start}, to: {end}: give both, each one of {', '.join(known)}")
    if start in known[end].coarser:
        raise SpecError(
            f"{path}: {end} to {start} is n:1, and this is its inverse: a code of {start} stands for several of {end}. "
            f"Keep the codes as {start} and map from the records' own {end} codes."
        )
    other = sorted(set(systems) - {known[end].uri})
    if other:
        raise SpecError(f"{path}: maps to {end}, so target_system is {known[end].uri}; found {', '.join(other)}")
