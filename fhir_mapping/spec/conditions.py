"""Conditions of specs: ``{ column = "c", in = [...] }`` and its kin, as frozen models."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from contracts.errors import SpecError
from contracts.feature_spec import Frozen
from lake.regex import check_regex

_DOT = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.")
"""An escape, a class, or a dot: only the last is replaced."""


class Condition(Frozen):
    """Exactly one test. Columns are compared as prepared text (trimmed, half-width, null values gone)."""

    column: str | None = None
    in_: tuple[str, ...] | None = Field(default=None, alias="in")
    not_in: tuple[str, ...] | None = None
    matches: str | None = None
    present: str | None = None
    absent: str | None = None
    all_: tuple[Condition, ...] | None = Field(default=None, alias="all")
    any_: tuple[Condition, ...] | None = Field(default=None, alias="any")
    not_: Condition | None = Field(default=None, alias="not")

    @field_validator("matches")
    @classmethod
    def _dialect(cls, value: str | None) -> str | None:
        return checked_regex(value)

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        column_tests = [t for t in (self.in_, self.not_in, self.matches) if t is not None]
        others = [t for t in (self.present, self.absent, self.all_, self.any_, self.not_) if t is not None]
        if (self.column is not None) != bool(column_tests) or len(column_tests) + len(others) != 1:
            raise ValueError("a condition is one of: column with in, not_in or matches; present; absent; all; any; not")
        return self


def checked_regex(pattern: str | None) -> str | None:
    """A pattern of a spec, which must match the whole text, in the dialect that both engines read alike.

    ``^`` and ``$`` at the ends say nothing new and go; ``.`` becomes ``[^\\r\\n]``.

    Raises:
        ValueError: (which pydantic reports) another construct is outside the dialect.
    """
    if pattern is None:
        return None
    plain = _DOT.sub(lambda found: r"[^\r\n]" if found.group() == "." else found.group(), pattern)
    plain = plain.removeprefix("^")
    if plain.endswith("$") and not plain.endswith("\\$"):
        plain = plain[:-1]
    try:
        check_regex(plain)
    except SpecError as error:
        raise ValueError(str(error)) from error
    return plain


def whole(pattern: str) -> str:
    """A checked pattern anchored at both ends."""
    return f"^(?:{pattern})\\z"


def columns_of(condition: Condition | None) -> set[str]:
    """Every source column that a condition reads."""
    if condition is None:
        return set()
    found = {c for c in (condition.column, condition.present, condition.absent) if c is not None}
    for part in (*(condition.all_ or ()), *(condition.any_ or ()), *((condition.not_,) if condition.not_ else ())):
        found |= columns_of(part)
    return found


def matched_columns(condition: Condition) -> set[str]:
    """Every source column of which a condition asks whether it matches a pattern."""
    found = {condition.column} if condition.matches is not None and condition.column is not None else set()
    for part in (*(condition.all_ or ()), *(condition.any_ or ()), *((condition.not_,) if condition.not_ else ())):
        found |= matched_columns(part)
    return found
