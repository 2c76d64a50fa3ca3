"""Selects of a view that may give any number of rows, as one array-of-structs column each, by nested lambdas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.errors import SpecError
from contracts.fhir.expression import Variable
from contracts.fhir.view_definition import Select, ViewColumn
from features.element import WRITTEN, Element, column_type, empty_array
from features.fhirpath import Scope, compile_path

ROW_INDEX = Variable("rowIndex")

_KINDS: dict[str, T.DataType] = {
    "string": T.StringType(),
    "integer": T.IntegerType(),
    "decimal": T.DoubleType(),
    "boolean": T.BooleanType(),
}
_FITS: dict[str, tuple[type[T.DataType], ...]] = {
    "string": (T.StringType,),
    "integer": (T.IntegerType, T.LongType, T.ShortType),
    "decimal": (T.VarcharType, T.DecimalType, T.DoubleType, T.FloatType, T.IntegerType, T.LongType, T.ShortType),
    "boolean": (T.BooleanType,),
}


@dataclass(frozen=True)
class RowSet:
    """An array of structs with the fields ``names``: the rows that a part of a view gives for one focus."""

    names: tuple[str, ...]
    column: Column


def gather(selects: Sequence[Select], focus: Element, scope: Scope) -> tuple[dict[str, Column], list[RowSet]]:
    """What selects give on a focus: columns with one value each, and the sets whose cross product makes the rows."""
    columns: dict[str, Column] = {}
    sets: list[RowSet] = []
    for select in selects:
        if select.iterate is not None:
            sets.append(RowSet(_names(select), _rows(select, focus, scope)))
            continue
        columns.update({column.name: _cell(column, focus, scope)[0] for column in select.columns})
        nested_columns, nested_sets = gather(select.selects, focus, scope)
        columns.update(nested_columns)
        sets += nested_sets
        if select.unions:
            sets.append(RowSet(_names(select.unions[0]), _union(select.unions, focus, scope)))
    return columns, sets


def _names(select: Select) -> tuple[str, ...]:
    return tuple(column.name for column in select.all_columns())


def _rows(select: Select, focus: Element, scope: Scope) -> Column:
    """Rows of a select on a focus: an array of structs, never null."""
    if select.iterate is None:
        return _rows_of_focus(select, focus, scope)
    if select.iterate == "repeat":
        return _repeat(select, focus, scope)
    foci = compile_path(select.foci[0], focus, scope)
    rows = _rows_of_foci(select, foci, scope)
    if select.iterate == "forEach":
        return rows
    nothing = F.array(_null_row(select, foci, scope))
    return nothing if isinstance(foci.type, T.NullType) else F.when(foci.exists(), rows).otherwise(nothing)


def _rows_of_foci(select: Select, foci: Element, scope: Scope) -> Column:
    none = empty_array(_row_type(select, foci, scope))
    if isinstance(foci.type, T.NullType):
        return none
    if not foci.many:
        rows = _rows_of_focus(select, foci, replace(scope, row_index=F.lit(0)))
        return F.when(foci.exists(), rows).otherwise(none)

    def of_one(value: Column, index: Column) -> Column:
        return _rows_of_focus(select, foci.derive(value, foci.type), replace(scope, row_index=index))

    return F.flatten(F.transform(foci.column, of_one))


def _rows_of_focus(select: Select, focus: Element, scope: Scope) -> Column:
    columns, sets = gather([replace(select, iterate=None, foci=())], focus, scope)
    return _cross(_names(select), columns, sets).cast(T.ArrayType(_row_type(select, focus, scope)))


def _cross(names: Sequence[str], fields: dict[str, Column], sets: Sequence[RowSet]) -> Column:
    """Every combination of one row of each set, with the single columns beside, as structs in the order of names."""
    if not sets:
        return F.array(_struct(names, fields))
    first, rest = sets[0], sets[1:]

    def with_row(row: Column) -> Column:
        more = {**fields, **{name: row[name] for name in first.names}}
        return _cross(names, more, rest) if rest else _struct(names, more)

    rows = F.transform(first.column, with_row)
    return F.flatten(rows) if rest else rows


def _struct(names: Sequence[str], fields: dict[str, Column]) -> Column:
    return F.struct(*(fields[name].alias(name) for name in names))


def _union(branches: Sequence[Select], focus: Element, scope: Scope) -> Column:
    types = [_row_type(branch, _one(branch, focus, scope), scope) for branch in branches]
    if any(found != types[0] for found in types[1:]):
        raise SpecError(f"branches of a unionAll give other types for {', '.join(types[0].names)}; declare them alike")
    return F.concat(*(_rows(branch, focus, scope) for branch in branches))


def _repeat(select: Select, focus: Element, scope: Scope) -> Column:
    """Rows of each element before those of its descendants; the schema says how deep there can be any.

    An element's number is known only when all are laid out in one array, so a row index is filled in afterwards.
    """
    first = _one(select, focus, scope)
    row = _row_type(select, first, replace(scope, row_index=None))
    by_focus = _descend(select, focus, replace(scope, row_index=None), T.ArrayType(row))
    numbered = {c.name for c in _own_columns(select) if c.path == ROW_INDEX}
    if not numbered:
        return F.flatten(by_focus)

    def number(rows: Column, index: Column) -> Column:
        fields = {name: index if name in numbered else None for name in row.names}
        return F.transform(
            rows, lambda r: F.struct(*((r[n] if c is None else c.cast("int")).alias(n) for n, c in fields.items()))
        )

    return F.flatten(F.transform(by_focus, number))


def _descend(select: Select, focus: Element, scope: Scope, rows_type: T.ArrayType) -> Column:
    """For each element reached by ``repeat``, in order, its rows: an array of arrays."""
    parts = []
    for path in select.foci:
        foci = compile_path(path, focus, scope)
        if isinstance(foci.type, T.NullType):
            continue

        elements = foci.column if foci.many else F.array(foci.column)
        nested = F.flatten(F.transform(elements, _below(select, foci, scope, rows_type)))
        parts.append(nested if foci.many else F.when(foci.exists(), nested).otherwise(empty_array(rows_type)))
    return F.concat(*parts) if parts else empty_array(rows_type)


def _below(select: Select, foci: Element, scope: Scope, rows_type: T.ArrayType) -> Callable[[Column], Column]:
    """The rows of one element, then of what ``repeat`` reaches from it."""

    def of_one(value: Column) -> Column:
        inner = foci.derive(value, foci.type)
        own = _rows_of_focus(select, inner, scope)
        if _row_type(select, inner, scope) != rows_type.elementType:  # an undeclared type that only some levels know
            own = own.cast(rows_type)
        return F.concat(F.array(own), _descend(select, replace(inner, is_open=True), scope, rows_type))

    return of_one


def _own_columns(select: Select) -> list[ViewColumn]:
    nested = [column for child in select.selects if child.iterate is None for column in _own_columns(child)]
    return [*select.columns, *nested]


def _null_row(select: Select, foci: Element, scope: Scope) -> Column:
    """The one row of an empty forEachOrNull: all null, no element of a collection, and the index 0."""
    row = _row_type(select, foci, scope)
    paths = {column.name: column.path for column in select.all_columns()}
    cells = []
    for field in row.fields:
        if isinstance(field.dataType, T.ArrayType):
            cell = empty_array(field.dataType.elementType)
        else:
            cell = F.lit(0 if paths[field.name] == ROW_INDEX else None).cast(field.dataType)
        cells.append(cell.alias(field.name))
    return F.struct(*cells).cast(row)


def _row_type(select: Select, focus: Element, scope: Scope) -> T.StructType:
    """Names and types of a select's columns; ``focus`` is what its paths start from, one or many."""
    inner = focus.derive(focus.column, focus.type) if focus.many else focus
    found = {column.name: _cell(column, inner, scope)[1] for column in select.columns}
    for child in (*select.selects, *select.unions[:1]):
        row = _row_type(child, _one(child, inner, scope), scope)
        found.update({field.name: field.dataType for field in row.fields})
    return T.StructType([T.StructField(name, found[name]) for name in _names(select)])


def _one(select: Select, focus: Element, scope: Scope) -> Element:
    """What a select's own paths start from."""
    return compile_path(select.foci[0], focus, scope) if select.foci else focus


def _cell(column: ViewColumn, focus: Element, scope: Scope) -> tuple[Column, T.DataType]:
    """A column's value on a focus, and its type. Raises SpecError when its path gives another than it declares."""
    if scope.row_index is None and column.path == ROW_INDEX:
        return F.lit(0), T.IntegerType()
    element = compile_path(column.path, focus, replace(scope, declared=column.type))
    kind = T.DoubleType() if element.type == WRITTEN else column_type(element.type)
    if column.type is not None:
        kind = _KINDS[column.kind]
        if not isinstance(element.type, (*_FITS[column.kind], T.NullType)):
            found = element.type.typeName()
            raise SpecError(f"column '{column.name}' is declared {column.type}, but its path gives {found}")
    elif isinstance(kind, T.StructType | T.ArrayType):
        raise SpecError(f"column '{column.name}' gives an element with children; name one of them")
    if not column.collection:
        return element.single().cast(kind), kind
    if isinstance(element.type, T.NullType):
        return empty_array(kind), T.ArrayType(kind)
    values = element.column if element.many else F.when(element.exists(), F.array(element.column))
    return F.coalesce(values.cast(T.ArrayType(kind)), empty_array(kind)), T.ArrayType(kind)
