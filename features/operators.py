"""FHIRPath's equality, ordering, arithmetic, concatenation as columns; ``registry.operators`` has them for values."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.errors import SpecError
from features.element import Element


def equal(left: Element, right: Element) -> Column:
    """Whether both sides hold the same values in order; null when one is empty. Raises SpecError for structs."""
    if isinstance(left.type, T.NullType) or isinstance(right.type, T.NullType):
        return F.lit(None).cast("boolean")
    if isinstance(left.type, T.StructType) or isinstance(right.type, T.StructType):
        raise SpecError("'=' compares primitive values only; name a child element")
    is_text = isinstance(left.type, T.StringType), isinstance(right.type, T.StringType)
    is_boolean = isinstance(left.type, T.BooleanType), isinstance(right.type, T.BooleanType)
    both_there = left.exists() & right.exists()
    if is_text[0] != is_text[1] or is_boolean[0] != is_boolean[1]:
        return F.when(both_there, F.lit(False))
    if not is_text[0] and not is_boolean[0]:
        left, right = _same_numbers(left.number(), right.number())
    if left.many and right.many:
        return F.when(both_there, left.column == right.column)
    if not left.many and not right.many:
        return left.column == right.column
    several, one = (left, right) if left.many else (right, left)
    is_same = (F.size(several.column) == 1) & (F.get(several.column, F.lit(0)) == one.column)
    return F.when(both_there, is_same)


def _same_numbers(left: Element, right: Element) -> tuple[Element, Element]:
    if left.type == right.type:
        return left, right
    to_double: Callable[[Column], Column] = lambda value: value.cast("double")  # noqa: E731
    return left.map(to_double, T.DoubleType()), right.map(to_double, T.DoubleType())


def scalar(op: str, left: Element, right: Element) -> Element:
    """Arithmetic, ordering and text concatenation of single values."""
    text = isinstance(left.type, T.StringType | T.NullType) and isinstance(right.type, T.StringType | T.NullType)
    if op == "&":
        if not text:
            raise SpecError("'&' takes texts")
        a, b = (F.coalesce(side.single().cast("string"), F.lit("")) for side in (left, right))
        return left.derive(F.concat(a, b), T.StringType())
    is_order = op in ("<", "<=", ">", ">=")
    if isinstance(left.type, T.NullType) or isinstance(right.type, T.NullType):
        return left.derive(F.lit(None).cast("boolean"), T.BooleanType()) if is_order else left.absent()
    if text and op == "+":
        return left.derive(F.concat(left.single(), right.single()), T.StringType())
    if not (text and is_order):
        left, right = _same_numbers(left.number(), right.number())
    a, b = left.single(), right.single()
    if is_order:
        order = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
        return left.derive(order, T.BooleanType())
    if op == "/":
        divisor = F.when(b != 0, b.cast("double"))
        return left.derive(a.cast("double") / divisor, T.DoubleType())
    return left.derive(a + b if op == "+" else a - b if op == "-" else a * b, left.type)
