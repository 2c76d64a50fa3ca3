"""Checking a spec against FHIR's element tables, its source and its code maps, before any row is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from contracts.errors import SpecError
from contracts.fhir import BINDINGS, RESOURCES, Step, parse_path
from contracts.fhir.elements import Element
from contracts.region import Source
from fhir_mapping.spec.conditions import columns_of
from fhir_mapping.spec.expressions import (
    Code,
    ColumnText,
    Concat,
    Const,
    DateText,
    DateTimeText,
    Decimal,
    Default,
    Expression,
    FirstOf,
    Lookup,
    Quantity,
    Reference,
)
from fhir_mapping.spec.model import SHARED_IDENTITY, Check, Emit
from fhir_mapping.terminology.code_map import CodeMap

BRONZE_COLUMNS = frozenset({"_file_id", "_file_name", "_record_no", "_raw", "_delivery_date"})
"""Columns every bronze table has, which a key may use."""

_ALLOWED: tuple[tuple[type[Expression], frozenset[str]], ...] = (
    (DateText, frozenset({"date", "dateTime"})),
    (DateTimeText, frozenset({"date", "dateTime", "instant"})),
    (Decimal, frozenset({"decimal"})),
    (Quantity, frozenset({"Quantity"})),
    (Reference, frozenset({"Reference"})),
    (Concat, frozenset({"string", "markdown"})),
    (Code, frozenset({"Coding", "CodeableConcept"})),
    (Lookup, frozenset({"code", "Coding", "CodeableConcept"})),
)
_CONST_TYPES = {"boolean": bool, "integer": int, "positiveInt": int, "unsignedInt": int}
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9:.]{8,}(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

Checked = tuple[tuple[Step, ...], Expression]


def check_emit(emit: Emit, source: Source, maps: Mapping[str, CodeMap]) -> list[Checked]:
    """The emit's elements with their paths resolved.

    Raises:
        SpecError: a path FHIR does not have, a type that does not fit, a wrong code, a column the source lacks, a list
            with gaps.
    """
    known = {column.name for column in source.column} | BRONZE_COLUMNS
    for name, where in _columns(emit):
        if name not in known:
            raise _wrong(emit, where, f"source '{source.name}' has no column {name!r}; it has {sorted(known)}")
    found: list[Checked] = []
    for path, expression in emit.elements.items():
        try:
            steps = parse_path(emit.resource, path)
        except ValueError as error:
            raise _wrong(emit, "elements", str(error)) from error
        if path == "id":
            raise _wrong(emit, path, "the id is made from the key")
        _check_expression(emit, path, steps, expression, maps)
        found.append((steps, expression))
    _check_lists(emit, found)
    return found


def maps_of(emit: Emit) -> set[str]:
    """Names of the code maps an emit uses."""
    found: set[str] = set()
    for expression in _flatten(emit.elements.values()):
        if isinstance(expression, Lookup):
            found.add(expression.lookup)
        elif isinstance(expression, Quantity):
            found.add(expression.unit_map)
    return found


def _check_expression(
    emit: Emit, path: str, steps: tuple[Step, ...], expression: Expression, maps: Mapping[str, CodeMap]
) -> None:
    element = steps[-1].element
    if isinstance(expression, FirstOf):
        for part in expression.first_of:
            _check_expression(emit, path, steps, part, maps)
        return
    for kind, types in _ALLOWED:
        if isinstance(expression, kind) and element.type not in types:
            raise _wrong(emit, path, f"{element.type} does not take this expression; it is for {sorted(types)}")
    if isinstance(expression, ColumnText | Const) and not element.is_primitive:
        raise _wrong(emit, path, f"is of type {element.type}; map its parts, such as {path}.{_first_part(element)}")
    if isinstance(expression.on_error, Default) and not element.is_primitive:
        raise _wrong(emit, path, "on_error with a default is for primitive elements")
    if isinstance(expression, Const):
        _check_const(emit, path, steps, expression)
    elif isinstance(expression, Reference):
        _check_reference(emit, path, element, expression)
    elif isinstance(expression, Code):
        _check_codes(emit, path, element.binding, [(expression.system, expression.code)])
    elif isinstance(expression, Lookup):
        if element.type != "CodeableConcept" and (expression.split or expression.text):
            raise _wrong(emit, path, "split and text are for CodeableConcept")
        if element.type == "code" and expression.on_missing == "keep_local":
            raise _wrong(emit, path, "a code cannot keep a local text; use on_missing quarantine or null")
        rows = maps[expression.lookup].rows.values()
        implied = BINDINGS[element.binding].system if element.binding and element.type == "code" else None
        _check_codes(emit, path, element.binding, [(implied or t.system, t.code) for t in rows])


def _check_const(emit: Emit, path: str, steps: tuple[Step, ...], expression: Const) -> None:
    element, value = steps[-1].element, expression.const
    wanted = _CONST_TYPES.get(element.type)
    if wanted is not None:
        fits = type(value) is wanted
    elif element.type == "decimal":
        fits = not isinstance(value, bool) and _NUMBER.fullmatch(str(value)) is not None
    elif element.type in ("date", "dateTime", "instant"):
        fits = isinstance(value, str) and _DATE.fullmatch(value) is not None
    else:
        fits = isinstance(value, str) and value.strip() == value and value != ""
    if not fits:
        raise _wrong(emit, path, f"the constant does not have the form of {element.type}")
    binding = binding_of(steps)
    if binding is None:
        return
    allowed = BINDINGS[binding]
    if element.type == "code" and value not in allowed.codes:
        raise _wrong(emit, path, f"{value!r} is not in the required list {binding}: {', '.join(sorted(allowed.codes))}")
    if element.name == "system" and value != allowed.system:
        raise _wrong(emit, path, f"the required list {binding} is of system {allowed.system}")


def binding_of(steps: tuple[Step, ...]) -> str | None:
    """The required list of a leaf: its own, or that of the CodeableConcept or Coding around it."""
    for step in reversed(steps):
        if step.element.binding:
            return step.element.binding
        if step.element.type not in ("code", "uri", "Coding", "CodeableConcept"):
            return None
    return None


def _check_reference(emit: Emit, path: str, element: Element, expression: Reference) -> None:
    if expression.reference not in RESOURCES or expression.reference not in element.targets:
        raise _wrong(emit, path, f"refers to {expression.reference}; allowed: {', '.join(element.targets)}")
    if expression.identity is None and expression.reference not in SHARED_IDENTITY:
        raise _wrong(emit, path, "give identity: the name (or identity) of the spec that makes the target")


def _check_codes(emit: Emit, path: str, binding: str | None, codes: list[tuple[str, str]]) -> None:
    if binding is None:
        return
    allowed = BINDINGS[binding]
    wrong = sorted({code for system, code in codes if code not in allowed.codes or system != allowed.system})
    if wrong:
        raise _wrong(
            emit,
            path,
            f"{', '.join(wrong)}: not in the required list {binding} (system {allowed.system}): "
            f"{', '.join(sorted(allowed.codes))}",
        )


def _check_lists(emit: Emit, checked: list[Checked]) -> None:
    indices: dict[str, set[int]] = {}
    for steps, _ in checked:
        prefix = ""
        for step in steps:
            if step.index is not None:
                indices.setdefault(f"{prefix}{step.element.name}", set()).add(step.index)
            prefix += f"{step}."
    for path, found in indices.items():
        if found != set(range(len(found))):
            raise _wrong(emit, path, f"indices {sorted(found)} have a gap; count from 0")


def _columns(emit: Emit) -> Iterator[tuple[str, str]]:
    """Every column an emit reads, with the key that reads it."""
    for key in emit.key:
        yield key.column, "key"
    for condition, where in ((emit.skip_when, "skip_when"), (emit.when, "when")):
        for name in columns_of(condition):
            yield name, where
    for check in emit.check:
        for name in _check_columns(check):
            yield name, "check"
    if emit.order_by is not None:
        for name in expression_columns(emit.order_by):
            yield name, "order_by"
    for path, expression in emit.elements.items():
        for part in _flatten([expression]):
            for name in expression_columns(part):
                yield name, f"elements.{path}"


def _check_columns(check: Check) -> set[str]:
    return {*check.columns, *([check.column] if check.column else ()), *columns_of(check.when)}


def expression_columns(expression: Expression) -> set[str]:
    """Source columns that one expression reads (not those of the parts of first_of)."""
    found = columns_of(expression.when)
    for name in ("column", "date", "datetime", "decimal", "quantity", "unit"):
        value = getattr(expression, name, None)
        if isinstance(value, str):
            found.add(value)
    if isinstance(expression, Lookup) and expression.text:
        found.add(expression.text)
    if isinstance(expression, Concat):
        found |= set(expression.concat)
    if isinstance(expression, Reference):
        found |= {part.column for part in expression.key}
    return found


def _flatten(expressions: object) -> Iterator[Expression]:
    for expression in expressions:  # type: ignore[attr-defined]
        yield expression
        if isinstance(expression, FirstOf):
            yield from _flatten(expression.first_of)


def _first_part(element: Element) -> str:
    return {"CodeableConcept": "text", "Reference": "reference", "Period": "start"}.get(element.type, "...")


def _wrong(emit: Emit, where: str, what: str) -> SpecError:
    item = f" (item {emit.item})" if emit.item else ""
    return SpecError(f"{emit.file}{item}: {where}: {what}")
