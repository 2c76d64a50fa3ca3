"""Checks of specs as columns: the name of the rule that a record breaks, or null."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from fhir_mapping.identity.id_card import birth_date_column, is_male_column, is_valid_column
from fhir_mapping.rules.conditions import condition_column
from fhir_mapping.spec import dates, numbers
from fhir_mapping.spec.conditions import whole
from fhir_mapping.spec.model import Check
from fhir_mapping.spec.plan import Plan, Stage
from fhir_mapping.spec.text import fold
from fhir_mapping.terminology.code_map import load_map


def check_rules(plan: Plan, check: Check) -> list[tuple[Column, str]]:
    """``(broken rule or null, column)`` for each column that a check looks at."""
    names = check.columns or ((check.column,) if check.column else ())
    found = []
    for name in names:
        broken = _broken(plan, check, name)
        if check.when is not None:
            broken = broken & condition_column(plan, check.when)
        found.append((F.when(broken, F.lit(check.label)), name))
    return found


def _broken(plan: Plan, check: Check, name: str) -> Column:
    """Whether the column breaks the check; never true for no value, except in ``required``."""
    text = plan.text(name)
    if check.rule == "required":
        return text.isNull()
    if check.rule == "id_card":
        valid = plan.define(Stage.CHECKED, ("id_card", name), is_valid_column(text), BooleanType())
        return F.coalesce(~valid, F.lit(False))
    if check.rule == "matches":
        return F.coalesce(~text.rlike(whole(check.pattern or "")), F.lit(False))
    if check.rule == "one_of":
        return text.isNotNull() & ~F.coalesce(text.isin(sorted(fold(v) for v in check.values)), F.lit(False))
    if check.rule == "range":
        value = plan.define(
            Stage.CHECKED, ("range", name), numbers.number_value(numbers.number_text(text)), numbers.DECIMAL_TYPE
        )
        inside = value.isNotNull()
        if check.min is not None:
            inside = inside & (value >= check.min)
        if check.max is not None:
            inside = inside & (value <= check.max)
        return text.isNotNull() & ~F.coalesce(inside, F.lit(False))
    if check.rule == "id_card_sex":
        return F.coalesce(is_male_column(text) != _is_male(plan.text(check.other or "")), F.lit(False))
    if check.rule == "id_card_birth":
        born = F.replace(_date(plan, check, check.other or ""), F.lit("-"), F.lit(""))
        in_card = birth_date_column(text)
        # A birth date of a year or month alone agrees with every day in it.
        return F.coalesce(F.substring(in_card, F.lit(1), F.length(born)) != born, F.lit(False))
    return F.coalesce(_date(plan, check, name) > F.col("_delivery_date"), F.lit(False))


def _date(plan: Plan, check: Check, name: str) -> Column:
    """A column's date to the day; null when it is none."""
    key = ("text", name, (), None, "date", check.formats)
    return F.substring(plan.define(Stage.PARSED, key, dates.canonical(plan.text(name), check.formats)), 1, 10)


def _is_male(text: Column) -> Column:
    """Whether a text says male or female, as ``administrative_gender`` reads it; null for any other."""
    said: dict[str, list[str]] = {}
    for source, target in load_map("administrative_gender", []).rows.items():
        said.setdefault(target.code, []).append(source)
    return F.when(text.isin(sorted(said["male"])), F.lit(True)).when(text.isin(sorted(said["female"])), F.lit(False))
