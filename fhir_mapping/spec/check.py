"""Checking a spec against FHIR's element tables, its source and its code maps, before any row is read.

``faults`` finds all that is wrong (``fhir_mapping.spec.lint`` shows them), ``check_emit`` stops at the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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
    Offset,
    Quantity,
    Reference,
)
from fhir_mapping.spec.extensions import extension_faults
from fhir_mapping.spec.model import SHARED_IDENTITY, Check, Emit
from fhir_mapping.terminology.code_map import CodeMap

BRONZE_COLUMNS = frozenset({"_file_id", "_file_name", "_record_no", "_raw", "_delivery_date"})
"""Columns every bronze table has, which a key may use."""

_ALLOWED: tuple[tuple[type[Expression], frozenset[str]], ...] = (
    (DateText, frozenset({"date", "dateTime"})),
    (DateTimeText, frozenset({"date", "dateTime", "instant"})),
    (Offset, frozenset({"date", "dateTime", "instant"})),
    (Decimal, frozenset({"decimal"})),
    (Quantity, frozenset({"Quantity", "Age", "Duration"})),
    (Reference, frozenset({"Reference"})),
    (Concat, frozenset({"string", "markdown"})),
    (Code, frozenset({"Coding", "CodeableConcept"})),
    (Lookup, frozenset({"code", "Coding", "CodeableConcept"})),
)
_CONST_TYPES = {"boolean": bool, "integer": int, "positiveInt": int, "unsignedInt": int}
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9:.]{8,}(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

Checked = tuple[tuple[Step, ...], Expression]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a spec.

    Attributes:
        rule: ``column``, ``path``, ``type``, ``code``, ``reference`` or ``cardinality``.
        key: where in the spec: ``("key",)``, ``("elements", "code.text")``.
        words: what was found and what would be right.
    """

    rule: str
    key: tuple[str, ...]
    words: str


def check_emit(emit: Emit, source: Source, maps: Mapping[str, CodeMap]) -> list[Checked]:
    """The emit's elements with their paths resolved.

    Raises:
        SpecError: a path FHIR does not have, a type that does not fit, a wrong code, a column the source lacks, a list
            with gaps.
    """
    for fault in faults(emit, source, maps):
        item = f" (item {emit.item})" if emit.item else ""
        where = fault.key[1] if fault.key[0] == "elements" and fault.rule != "path" else ".".join(fault.key[:1])
        raise SpecError(f"{emit.file}{item}: {where}: {fault.words}")
    return [(parse_path(emit.resource, path), expression) for path, expression in emit.elements.items()]


def faults(emit: Emit, source: Source, maps: Mapping[str, CodeMap]) -> Iterator[Fault]:
    """All that is wrong with an emit by itself, in the order of the spec. A code map that is not there is left out."""
    known = {column.name for column in source.column} | BRONZE_COLUMNS
    for name, key in columns_read(emit):
        if name not in known:
            yield Fault("column", key, f"source '{source.name}' has no column {name!r}; it has {sorted(known)}")
    found: list[Checked] = []
    for path, expression in emit.elements.items():
        try:
            steps = parse_path(emit.resource, path)
        except ValueError as error:
            yield Fault("path", ("elements", path), str(error))
            continue
        if path == "id":
            yield Fault("path", ("elements", path), "the id is made from the key")
            continue
        yield from _expression_faults(emit, path, steps, expression, maps)
        found.append((steps, expression))
    yield from _list_faults(found)
    for path, words in extension_faults(emit.resource, found):
        yield Fault("path", ("elements", path), words)


def maps_of(emit: Emit) -> set[str]:
    """Names of the code maps an emit uses."""
    found: set[str] = set()
    for expression in flatten(emit.elements.values()):
        if isinstance(expression, Lookup):
            found.add(expression.lookup)
        elif isinstance(expression, Quantity):
            found.add(expression.unit_map)
            if isinstance(expression.analyte, Lookup):
                found.add(expression.analyte.lookup)
    return found


def tested_columns(emits: Iterable[Emit]) -> frozenset[str]:
    """Source columns that say whether an emit or one of its elements is there."""
    found: set[str] = set()
    for emit in emits:
        found |= columns_of(emit.when)
        for expression in flatten(emit.elements.values()):
            found |= columns_of(expression.when)
    return frozenset(found)


def converts(emit: Emit) -> bool:
    """Whether an emit converts values to another unit."""
    return any(isinstance(part, Quantity) and part.convert_to is not None for part in flatten(emit.elements.values()))


def _expression_faults(
    emit: Emit, path: str, steps: tuple[Step, ...], expression: Expression, maps: Mapping[str, CodeMap]
) -> Iterator[Fault]:
    element, key = steps[-1].element, ("elements", path)
    if isinstance(expression, FirstOf):
        for part in expression.first_of:
            yield from _expression_faults(emit, path, steps, part, maps)
        return
    for kind, types in _ALLOWED:
        if isinstance(expression, kind) and element.type not in types:
            yield Fault("type", key, f"{element.type} does not take this expression; it is for {sorted(types)}")
            return
    if isinstance(expression, ColumnText | Const) and not element.is_primitive:
        words = f"is of type {element.type}; map its parts, such as {path}.{_first_part(element)}"
        yield Fault("type", key, words)
        return
    if isinstance(expression.on_error, Default) and not element.is_primitive:
        yield Fault("type", key, "on_error with a default is for primitive elements")
    if isinstance(expression, Const):
        yield from _const_faults(key, steps, expression)
    elif isinstance(expression, Reference):
        yield from _reference_faults(key, element, expression)
    elif isinstance(expression, Code):
        yield from _code_faults(key, element.binding, [(expression.system, expression.code)])
    elif isinstance(expression, Lookup):
        yield from _lookup_faults(key, element, expression, maps)


def _lookup_faults(
    key: tuple[str, str], element: Element, expression: Lookup, maps: Mapping[str, CodeMap]
) -> Iterator[Fault]:
    if element.type != "CodeableConcept" and (expression.split or expression.text):
        yield Fault("type", key, "split and text are for CodeableConcept")
    if element.type == "code" and expression.on_missing == "keep_local":
        yield Fault("type", key, "a code cannot keep a local text; use on_missing quarantine or null")
    if expression.lookup in maps:
        rows = maps[expression.lookup].rows.values()
        implied = BINDINGS[element.binding].system if element.binding and element.type == "code" else None
        yield from _code_faults(key, element.binding, [(implied or t.system, t.code) for t in rows])


def _const_faults(key: tuple[str, str], steps: tuple[Step, ...], expression: Const) -> Iterator[Fault]:
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
        yield Fault("type", key, f"the constant does not have the form of {element.type}")
        return
    binding = binding_of(steps)
    if binding is None:
        return
    allowed = BINDINGS[binding]
    if element.type == "code" and value not in allowed.codes:
        words = f"{value!r} is not in the required list {binding}: {', '.join(sorted(allowed.codes))}"
        yield Fault("code", key, words)
    if element.type == "uri" and value != allowed.system:
        yield Fault("code", key, f"the required list {binding} is of system {allowed.system}")


def binding_of(steps: tuple[Step, ...]) -> str | None:
    """The required list of a leaf: its own, or that of the CodeableConcept or Coding around it."""
    for step in reversed(steps):
        if step.element.binding:
            return step.element.binding
        if step.element.type not in ("code", "uri", "Coding", "CodeableConcept"):
            return None
    return None


def _reference_faults(key: tuple[str, str], element: Element, expression: Reference) -> Iterator[Fault]:
    if expression.reference not in RESOURCES or expression.reference not in element.targets:
        yield Fault("reference", key, f"refers to {expression.reference}; allowed: {', '.join(element.targets)}")
    elif expression.identity is None and expression.reference not in SHARED_IDENTITY:
        yield Fault("reference", key, "give identity: the name (or identity) of the spec that makes the target")


def _code_faults(key: tuple[str, str], binding: str | None, codes: list[tuple[str, str]]) -> Iterator[Fault]:
    if binding is None:
        return
    allowed = BINDINGS[binding]
    wrong = sorted({code for system, code in codes if code not in allowed.codes or system != allowed.system})
    if wrong:
        listed = ", ".join(sorted(allowed.codes))
        words = f"{', '.join(wrong)}: not in the required list {binding} (system {allowed.system}): {listed}"
        yield Fault("code", key, words)


def _list_faults(checked: list[Checked]) -> Iterator[Fault]:
    indices: dict[str, dict[int, str]] = {}
    for steps, _ in checked:
        prefix, whole = "", ".".join(map(str, steps))
        for step in steps:
            if step.index is not None:
                indices.setdefault(f"{prefix}{step.element.name}", {}).setdefault(step.index, whole)
            prefix += f"{step}."
    for path, found in indices.items():
        if set(found) != set(range(len(found))):
            words = f"{path}: indices {sorted(found)} have a gap; count from 0"
            yield Fault("cardinality", ("elements", found[max(found)]), words)


def columns_read(emit: Emit) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every column an emit reads, with the key that reads it."""
    for part in emit.key:
        yield part.column, ("key",)
    for condition, where in ((emit.skip_when, "skip_when"), (emit.when, "when")):
        for name in sorted(columns_of(condition)):
            yield name, (where,)
    for check in emit.check:
        for name in sorted(_check_columns(check)):
            yield name, ("check",)
    if emit.order_by is not None:
        for name in sorted(expression_columns(emit.order_by)):
            yield name, ("order_by",)
    for path, expression in emit.elements.items():
        for part_of in flatten([expression]):
            for name in sorted(expression_columns(part_of)):
                yield name, ("elements", path)


def _check_columns(check: Check) -> set[str]:
    return {*check.columns, *(name for name in (check.column, check.other) if name), *columns_of(check.when)}


def expression_columns(expression: Expression) -> set[str]:
    """Source columns that one expression reads (not those of the parts of first_of)."""
    found = columns_of(expression.when)
    if isinstance(expression, Offset):
        return found | {expression.offset, *([expression.base_column] if expression.base_column else ())}
    for name in ("column", "date", "datetime", "decimal", "quantity", "unit"):
        value = getattr(expression, name, None)
        if isinstance(value, str):
            found.add(value)
    if isinstance(expression, Lookup) and expression.text:
        found.add(expression.text)
    if isinstance(expression, Concat):
        found |= set(expression.concat)
    if isinstance(expression, Concat | ColumnText):
        found |= set(expression.mask_names)
    if isinstance(expression, Quantity) and isinstance(expression.analyte, Lookup):
        found |= expression_columns(expression.analyte)
    if isinstance(expression, Reference):
        found |= {part.column for part in expression.key}
    return found


def flatten(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """The expressions and, after each ``first_of``, its parts."""
    for expression in expressions:
        yield expression
        if isinstance(expression, FirstOf):
            yield from flatten(expression.first_of)


def _first_part(element: Element) -> str:
    return {"CodeableConcept": "text", "Reference": "reference", "Period": "start"}.get(element.type, "...")
