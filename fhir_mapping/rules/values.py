"""FHIR's rules on typed values that no spec can settle beforehand: required code lists, order of periods."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.fhir import BINDINGS


def not_in_binding(code: Column, binding: str) -> Column:
    """Whether a code is outside a required list."""
    return F.coalesce(~code.isin(sorted(BINDINGS[binding].codes)), F.lit(False))


def period_reversed(start: Column, end: Column) -> Column:
    """Whether a period ends before it starts (FHIR's per-1), compared at the coarser precision of the two.

    Texts of equal precision and one offset compare as times. With two offsets, only days are compared.
    """
    length = F.least(F.length(start), F.length(end))
    same_zone = F.substring(start, 20, 40) == F.substring(end, 20, 40)
    compared = F.when(same_zone, length).otherwise(F.least(length, F.lit(10)))
    return F.coalesce(F.left(start, compared) > F.left(end, compared), F.lit(False))
