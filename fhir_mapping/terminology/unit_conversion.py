"""Conversion between UCUM units, ``unit_conversion.csv``: exact factors, by analyte where mass meets mole.

One row an analyte (LOINC code, empty for any) and unit: the factor to the other unit. The rows of an analyte lead to
its one canonical unit, the SI unit that Chinese laboratories report in.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from fhir_mapping.terminology.code_map import CodeMap

FILE = Path(__file__).parent / "unit_conversion.csv"
CANONICAL = "canonical"


@dataclass(frozen=True)
class Conversion:
    """``value in from_unit * factor = value in to_unit``; units are UCUM codes."""

    analyte: str
    from_unit: str
    to_unit: str
    factor: Decimal


@cache
def conversions() -> tuple[Conversion, ...]:
    """All rows of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(
            Conversion(row["analyte"], row["from_unit"], row["to_unit"], Decimal(row["factor"])) for row in rows
        )


def wanted_conversions(convert_to: str, analytes: Collection[str]) -> tuple[Conversion, ...]:
    """The conversions that a spec asks for.

    Args:
        convert_to: a UCUM code, or ``canonical``: each analyte's own unit.
        analytes: LOINC codes that may occur. Conversions of no analyte in particular serve a named unit only.
    """
    known = {row.analyte for row in conversions() if row.analyte}
    return tuple(
        row
        for row in conversions()
        if (row.analyte in analytes and convert_to in (CANONICAL, row.to_unit))
        or (not row.analyte and row.to_unit == convert_to and not known & set(analytes))
    )


def conversion_map() -> CodeMap:
    """The file as a map without rows, so that a change of it counts as one of the terminology."""
    return CodeMap("unit_conversion", FILE, {}, hashlib.sha256(FILE.read_bytes()).hexdigest())
