"""Conditions of specs as boolean columns; never null."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from fhir_mapping.spec.conditions import Condition, whole
from fhir_mapping.spec.plan import Plan
from fhir_mapping.spec.text import fold


def tests_of(plan: Plan, condition: Condition) -> list[str]:
    """Names of the plan's boolean columns that all hold where the condition holds."""
    if condition.all_ is not None:
        return list(dict.fromkeys(name for part in condition.all_ for name in tests_of(plan, part)))
    with plan.everywhere():
        return [plan.test(condition, condition_column(plan, condition))]


def condition_column(plan: Plan, condition: Condition) -> Column:
    """Whether the condition holds for a record; texts are compared prepared."""
    if condition.present is not None:
        return plan.text(condition.present).isNotNull()
    if condition.absent is not None:
        return plan.text(condition.absent).isNull()
    if condition.all_ is not None:
        return reduce(lambda a, b: a & b, (condition_column(plan, part) for part in condition.all_), F.lit(True))
    if condition.any_ is not None:
        return reduce(lambda a, b: a | b, (condition_column(plan, part) for part in condition.any_), F.lit(False))
    if condition.not_ is not None:
        return ~condition_column(plan, condition.not_)
    assert condition.column is not None
    text = plan.text(condition.column)
    if condition.matches is not None:
        return F.coalesce(text.rlike(whole(condition.matches)), F.lit(False))
    if condition.in_ is not None:
        return F.coalesce(text.isin(_folded(condition.in_)), F.lit(False))
    return ~F.coalesce(text.isin(_folded(condition.not_in or ())), F.lit(False))


def _folded(values: tuple[str, ...]) -> list[str]:
    return sorted({fold(value) for value in values})
