"""Which columns of a source cannot hold one value in all records, as its specs say."""

from __future__ import annotations

from collections.abc import Iterable

from fhir_mapping.spec.check import flatten
from fhir_mapping.spec.expressions import Decimal, Quantity
from fhir_mapping.spec.model import Emit


def varying_columns(emits: Iterable[Emit]) -> dict[str, frozenset[str]]:
    """By source: business keys of one column, and columns that are read as measured numbers."""
    found: dict[str, set[str]] = {}
    for emit in emits:
        columns = found.setdefault(emit.source, set())
        if len(emit.key) == 1:
            columns.add(emit.key[0].column)
        for expression in flatten(emit.elements.values()):
            if isinstance(expression, Quantity):
                columns.add(expression.quantity)
            elif isinstance(expression, Decimal):
                columns.add(expression.decimal)
    return {source: frozenset(columns) for source, columns in found.items()}
