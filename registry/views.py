"""SQL on FHIR v2 views over FHIR JSON, in plain Python: the evaluator that scores.

``features.views`` evaluates the same views as DataFrame columns; a property test holds them equal, and this one runs
the whole public conformance suite.
Source: SQL on FHIR v2, processing algorithm "Process(S, N)".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from contracts.errors import SpecError
from contracts.fhir.expression import Variable
from contracts.fhir.view_definition import Select, View, ViewColumn, parse_view
from registry.fhirpath import Scope, evaluate, truth
from registry.operators import plain

Row = dict[str, Any]


def evaluate_view(view: Mapping[str, Any] | View, resources: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of a view over resources, in the resources' order; resources of another type give none.

    Returns:
        One dict a row: values of type string, integer, decimal (float) or boolean, None for empty, lists for
        columns declared as collections.

    Raises:
        SpecError: the view is malformed, or a column without ``collection`` has several values.
    """
    parsed = view if isinstance(view, View) else parse_view(view)
    rows: list[Row] = []
    for resource in resources:
        if resource.get("resourceType") == parsed.resource and _is_kept(parsed, resource):
            rows += _cross([_rows(select, [resource], Scope(parsed.constants)) for select in parsed.selects])
    return rows


def _is_kept(view: View, resource: Mapping[str, Any]) -> bool:
    scope = Scope(view.constants)
    return all(truth(evaluate(clause, [resource], scope)) for clause in view.where)


def _cross(parts: list[list[Row]]) -> list[Row]:
    return [{k: v for part in parts_of_row for k, v in part.items()} for parts_of_row in itertools.product(*parts)]


def _rows(select: Select, focus: list[Any], scope: Scope) -> list[Row]:
    """Rows of one select on the element in focus (a list of at most one)."""
    if select.iterate is None:
        return _rows_of_focus(select, focus, scope)
    foci = list(_foci(select, focus, scope))
    if not foci and select.iterate == "forEachOrNull":
        return [{column.name: _null_cell(column) for column in select.all_columns()}]
    rows = []
    for index, element in enumerate(foci):
        rows += _rows_of_focus(select, [element], Scope(scope.constants, index))
    return rows


def _null_cell(column: ViewColumn) -> Any:
    """What a column holds in the one row of an empty forEachOrNull; the row still has the index 0."""
    if column.path == Variable("rowIndex"):
        return 0
    return [] if column.collection else None


def _foci(select: Select, focus: list[Any], scope: Scope) -> Iterator[Any]:
    """Elements to iterate over; ``repeat`` walks each element before its descendants."""
    for path in select.foci:
        for element in evaluate(path, focus, scope):
            yield element
            if select.iterate == "repeat":
                yield from _foci(select, [element], scope)


def _rows_of_focus(select: Select, focus: list[Any], scope: Scope) -> list[Row]:
    parts = [[{column.name: _value(column, focus, scope) for column in select.columns}]]
    parts += [_rows(child, focus, scope) for child in select.selects]
    if select.unions:
        parts.append([row for branch in select.unions for row in _rows(branch, focus, scope)])
    return _cross(parts)


def _value(column: ViewColumn, focus: list[Any], scope: Scope) -> Any:
    items = evaluate(column.path, focus, Scope(scope.constants, scope.row_index, column.type))
    if column.collection:
        return [_cell(column, plain(item)) for item in items]
    if len(items) > 1:
        raise SpecError(f"column '{column.name}' has several values; declare it a collection or use first()")
    return _cell(column, plain(items[0])) if items else None


def _cell(column: ViewColumn, value: Any) -> Any:
    """A value as its column's kind has it; a column without a declared type passes it through."""
    if column.type is None:
        return float(value) if isinstance(value, Decimal) else value
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if column.kind == "decimal" and is_number:
        return float(value)
    if column.kind == "integer" and is_number and value == int(value):
        return int(value)
    if (column.kind == "boolean" and isinstance(value, bool)) or (column.kind == "string" and isinstance(value, str)):
        return value
    raise SpecError(f"column '{column.name}' is declared {column.type} but its path gives {type(value).__name__}")
