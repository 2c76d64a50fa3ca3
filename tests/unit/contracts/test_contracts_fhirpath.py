"""The FHIRPath subset as a tree."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.errors import SpecError
from contracts.fhir.expression import Binary, Call, Index, Literal, Member, Negate, This, Variable
from contracts.fhir.fhirpath import parse_expression, type_name


def test_a_path_is_read_from_left_to_right() -> None:
    assert parse_expression("name.given[0]") == Index(Member(Member(None, "name"), "given"), Literal(0, "integer"))


def test_and_binds_tighter_than_or_and_comparison_tighter_than_both() -> None:
    parsed = parse_expression("a or b and c = 1 + 2 * 3")
    product = Binary("*", Literal(2, "integer"), Literal(3, "integer"))
    comparison = Binary("=", Member(None, "c"), Binary("+", Literal(1, "integer"), product))
    assert parsed == Binary("or", Member(None, "a"), Binary("and", Member(None, "b"), comparison))


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (r"'it\'s \u6c49\n'", Literal("it's 汉\n", "string")),
        ("1.50", Literal(Decimal("1.50"), "decimal")),
        ("-2", Negate(Literal(2, "integer"))),
        ("true", Literal(True, "boolean")),
        ("@2024-05-01", Literal("2024-05-01", "date")),
        ("@2024-05-01T08:00:00+08:00", Literal("2024-05-01T08:00:00+08:00", "dateTime")),
        ("@T12:30", Literal("12:30", "time")),
        ("%limit", Variable("limit")),
        ("$this", This()),
        ("`div`", Member(None, "div")),
    ],
)
def test_terms(text: str, node: object) -> None:
    assert parse_expression(text) == node


def test_a_type_argument_may_carry_its_namespace() -> None:
    parsed = parse_expression("value.ofType(FHIR.Quantity)")
    assert isinstance(parsed, Call)
    assert type_name(parsed) == "Quantity"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@@", "no token"),
        ("name.", "too early"),
        ("", "too early"),
        ("name.trace('x')", r"function 'trace\(\)' is not supported"),
        ("a | b", r"operator '\|' is not supported"),
        ("a is b", "operator 'is' is not supported"),
        ("name[0", r"expected '\]'"),
        ("a b", "unexpected 'b'"),
        ("where(", "too early"),
    ],
)
def test_what_is_wrong_or_unsupported_is_named_with_its_place(text: str, named: str) -> None:
    with pytest.raises(SpecError, match=named) as caught:
        parse_expression(text)
    assert "character" in str(caught.value)
