"""The tables of this package (``tables/*.csv``), read once: what a clinician or terminologist may review and extend."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from io import StringIO


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The lines of ``tables/NAME.csv`` as dicts by header."""
    text = resources.files(__package__).joinpath("tables", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(StringIO(text)))


@cache
def column(name: str, key: str, value: str) -> dict[str, str]:
    """One column of a table by another."""
    return {row[key]: row[value] for row in rows(name)}
