"""FHIRPath's logic, equality, ordering, arithmetic and concatenation on Python values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts.errors import SpecError

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The value of a choice element ``name[x]`` with the type its key ends in: ``Quantity``, ``String``."""

    type: str
    value: Any


def plain(value: Any) -> Any:
    """The element itself, without the type of its choice."""
    return value.value if isinstance(value, Choice) else value


def number(value: Any) -> int | float:
    """A number as it is computed with: int or double. Raises SpecError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise SpecError("arithmetic on what is not a number")
    return value if isinstance(value, int) else float(value)


def logic(op: str, left: bool | None, right: bool | None) -> list[Any]:
    """Three-valued logic; None is unknown (FHIRPath 6.5)."""
    if op == "and":
        known = False if left is False or right is False else (None if left is None or right is None else True)
    elif op == "or":
        known = True if left or right else (None if left is None or right is None else False)
    else:
        known = None if left is None or right is None else left != right
    return [] if known is None else [known]


def equal(op: str, left: list[Any], right: list[Any]) -> list[Any]:
    """``=`` or ``!=`` of two collections: the same values in the same order; empty when one is empty."""
    if not left or not right:
        return []
    same = len(left) == len(right) and all(_same(plain(a), plain(b)) for a, b in zip(left, right, strict=True))
    return [same if op == "=" else not same]


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return bool(number(left) == number(right))
    return bool(left == right)


def scalar(op: str, left: Any, right: Any) -> list[Any]:
    """Arithmetic, ordering and text concatenation of single values; empty when one is empty (``&``: as '')."""
    if op == "&":
        return [str(left or "") + str(right or "")]
    if left is None or right is None:
        return []
    if isinstance(left, str) and isinstance(right, str):
        if op in _ORDER:
            return [_ORDER[op](left, right)]
        if op == "+":
            return [left + right]
        raise SpecError(f"'{op}' on two texts")
    a, b = number(left), number(right)
    if op in _ORDER:
        return [_ORDER[op](a, b)]
    if op == "/":
        return [] if b == 0 else [a / b]
    return [a + b if op == "+" else a - b if op == "-" else a * b]
