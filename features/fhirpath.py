"""The FHIRPath subset as DataFrame columns: a node and a focus in, an element column out.

``registry.fhirpath`` gives the same values over JSON. What cannot become a column is refused by name when the view is
compiled; only "several values where one is needed" waits for the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.errors import SpecError
from contracts.fhir import expression as tree
from contracts.fhir.boundary import boundary_type
from contracts.fhir.fhirpath import type_name
from contracts.fhir.reference import REFERENCE_PATTERN
from features.boundary import boundary_column
from features.element import Element, Resource
from features.operators import equal, scalar


@dataclass(frozen=True)
class Scope:
    """What an expression can see besides its focus. ``row_index`` is None where it is not known yet (``repeat``)."""

    resource: str
    constants: Mapping[str, tree.Literal]
    row_index: Column | None
    declared: str | None = None


def compile_path(node: tree.Node, focus: Element, scope: Scope) -> Element:
    """The column of an expression on a focus. Raises SpecError naming what silver or this compiler lacks."""
    match node:
        case tree.Literal(value, _):
            return _literal(value, focus)
        case tree.Empty():
            return focus.absent()
        case tree.Variable("rowIndex"):
            if scope.row_index is None:
                raise SpecError("inside repeat, %rowIndex must be a column of its own")
            return focus.derive(scope.row_index, T.IntegerType())
        case tree.Variable(name):
            return compile_path(scope.constants[name], focus, scope)
        case tree.This():
            return focus
        case tree.Member(None, name) if name == scope.resource:
            return focus
        case tree.Member(source, name):
            return _source(source, focus, scope).child(name)
        case tree.Index(source, position):
            return _index(compile_path(source, focus, scope), compile_path(position, focus, scope))
        case tree.Call(_, function, _):
            return _FUNCTIONS[function](node, focus, scope)
        case tree.Negate(operand):
            number = compile_path(operand, focus, scope).number()
            return number.derive(-number.single(), number.type)
        case tree.Binary("and" | "or" | "xor" as op, left, right):
            a, b = truth(compile_path(left, focus, scope)), truth(compile_path(right, focus, scope))
            known = (a & b) if op == "and" else (a | b) if op == "or" else (a != b)
            return focus.derive(known, T.BooleanType())
        case tree.Binary("=" | "!=" as op, left, right):
            same = equal(compile_path(left, focus, scope), compile_path(right, focus, scope))
            return focus.derive(same if op == "=" else ~same, T.BooleanType())
        case tree.Binary(op, left, right):
            return scalar(op, compile_path(left, focus, scope), compile_path(right, focus, scope))
    raise SpecError(f"no column for {type(node).__name__}")


def truth(element: Element) -> Column:
    """The truth of an element: null when empty. Raises SpecError when its type is not boolean."""
    if isinstance(element.type, T.NullType):
        return F.lit(None).cast("boolean")
    if not isinstance(element.type, T.BooleanType):
        raise SpecError("a criterion is not boolean; compare it, or use exists()")
    return element.single()


def _literal(value: object, focus: Element) -> Element:
    if isinstance(value, bool):
        return focus.derive(F.lit(value), T.BooleanType())
    if isinstance(value, int):
        return focus.derive(F.lit(value), T.IntegerType() if abs(value) < 2**31 else T.LongType())
    if isinstance(value, Decimal):
        return focus.derive(F.lit(float(value)), T.DoubleType())
    return focus.derive(F.lit(value), T.StringType())


def _source(source: tree.Node | None, focus: Element, scope: Scope) -> Element:
    return focus if source is None else compile_path(source, focus, scope)


def _index(element: Element, position: Element) -> Element:
    if not isinstance(position.type, T.IntegerType):
        raise SpecError("an index is not an integer")
    at = position.single()
    if element.many:
        return element.derive(F.get(element.column, at), element.type)
    return element.derive(F.when(at == 0, element.column), element.type)


def _where(node: tree.Call, focus: Element, scope: Scope) -> Element:
    if len(node.arguments) != 1:
        raise SpecError("where() needs one criterion")
    element = _source(node.source, focus, scope)
    if isinstance(element.type, T.NullType):
        return element

    def criterion(value: Column) -> Column:
        inner = element.derive(value, element.type)
        return F.coalesce(truth(compile_path(node.arguments[0], inner, scope)), F.lit(False))

    if isinstance(element, Resource):
        kept = F.coalesce(truth(compile_path(node.arguments[0], element, scope)), F.lit(False))
        return Resource(element.column & kept, element.type, False, element.is_open)
    if element.many:
        return element.derive(F.filter(element.column, criterion), element.type, many=True)
    return element.derive(F.when(criterion(element.column), element.column), element.type)


def _exists(node: tree.Call, focus: Element, scope: Scope) -> Element:
    element = _where(node, focus, scope) if node.arguments else None
    return focus.derive(element.exists() if element else _is_there(node.source, focus, scope), T.BooleanType())


def _is_there(source: tree.Node | None, focus: Element, scope: Scope) -> Column:
    """Whether a path has a value; of a choice element, whether any of its types has."""
    if isinstance(source, tree.Member):
        parent = _source(source.source, focus, scope)
        variants = parent.choices(source.name)
        if variants and source.name not in parent.type.fieldNames():
            found = [parent.child(name).exists() for name in variants]
            return F.array_contains(F.array(*found), True)
    return _source(source, focus, scope).exists()


def _empty(node: tree.Call, focus: Element, scope: Scope) -> Element:
    return focus.derive(~_is_there(node.source, focus, scope), T.BooleanType())


def _first(node: tree.Call, focus: Element, scope: Scope) -> Element:
    element = _source(node.source, focus, scope)
    return element.derive(F.get(element.column, F.lit(0)), element.type) if element.many else element


def _of_type(node: tree.Call, focus: Element, scope: Scope) -> Element:
    if not isinstance(node.source, tree.Member):
        raise SpecError("ofType() must follow a choice element, as in value.ofType(Quantity)")
    name = type_name(node)
    return _source(node.source.source, focus, scope).child(node.source.name + name[0].upper() + name[1:])


def _extension(node: tree.Call, focus: Element, scope: Scope) -> Element:
    criterion = tree.Binary("=", tree.Member(None, "url"), tree.Literal(_argument(node, scope), "string"))
    return _where(tree.Call(tree.Member(node.source, "extension"), "where", (criterion,)), focus, scope)


def _join(node: tree.Call, focus: Element, scope: Scope) -> Element:
    element = _source(node.source, focus, scope)
    if not isinstance(element.type, T.StringType | T.NullType):
        raise SpecError("join() on what is not text")
    if element.many:
        separator = _argument(node, scope) if node.arguments else ""
        return element.derive(F.array_join(element.column, separator), T.StringType())
    return element.derive(F.coalesce(element.column.cast("string"), F.lit("")), T.StringType())


def _argument(node: tree.Call, scope: Scope) -> str:
    found = node.arguments[0] if len(node.arguments) == 1 else None
    if isinstance(found, tree.Variable):
        found = scope.constants.get(found.name)
    if isinstance(found, tree.Literal) and isinstance(found.value, str):
        return found.value
    raise SpecError(f"{node.function}() needs one text")


def _not(node: tree.Call, focus: Element, scope: Scope) -> Element:
    return focus.derive(~truth(_source(node.source, focus, scope)), T.BooleanType())


def _boundary(node: tree.Call, focus: Element, scope: Scope) -> Element:
    element = _source(node.source, focus, scope)
    if isinstance(element.type, T.NullType):
        return element
    is_number = not isinstance(element.type, T.StringType)
    kind = boundary_type(node, scope.declared)
    is_high = node.function == "highBoundary"
    return element.map(
        lambda value: boundary_column(value.cast("string"), "decimal" if is_number else kind, is_high=is_high),
        T.DoubleType() if is_number else T.StringType(),
    )


def _resource_key(node: tree.Call, focus: Element, scope: Scope) -> Element:
    return _source(node.source, focus, scope).child("id")


def _reference_key(node: tree.Call, focus: Element, scope: Scope) -> Element:
    wanted = type_name(node) if node.arguments else None

    def key(reference: Column) -> Column:
        found = F.regexp_extract(reference, REFERENCE_PATTERN, 2)
        is_wanted = found != ""
        if wanted is not None:
            is_wanted = is_wanted & (F.regexp_extract(reference, REFERENCE_PATTERN, 1) == wanted)
        return F.when(is_wanted, found)

    reference = _source(node.source, focus, scope).child("reference")
    return reference if isinstance(reference.type, T.NullType) else reference.map(key, T.StringType())


_FUNCTIONS: dict[str, Callable[[tree.Call, Element, Scope], Element]] = {
    "where": _where,
    "exists": _exists,
    "empty": _empty,
    "first": _first,
    "ofType": _of_type,
    "extension": _extension,
    "join": _join,
    "not": _not,
    "lowBoundary": _boundary,
    "highBoundary": _boundary,
    "getResourceKey": _resource_key,
    "getReferenceKey": _reference_key,
}
