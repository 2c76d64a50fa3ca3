"""Times told as a distance: minutes after an admission, years before the day an age was taken."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

from contracts.fhir.elements import Element
from fhir_mapping.spec import dates, numbers, reading
from fhir_mapping.spec.expressions import Offset
from fhir_mapping.spec.parts import Leaf, Part
from fhir_mapping.spec.plan import Plan, Stage

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
_EPOCH_TEXT = 10**11
"""What ``dates.moment`` adds to seconds since 1970."""
_FARTHEST = 10**11
"""Seconds, about 3,000 years."""


def distant(plan: Plan, expression: Offset, element: Element, zone: str) -> Part:
    """The time at a distance from the base, in the zone; for years, the year alone: an age tells no more.

    Each step is a stage of the plan: written into one another, the steps would multiply.
    """
    number = reading.source_text(plan, expression.offset, expression.null_values)
    form = plan.define(Stage.PARSED, (*number.key, "offset"), numbers.number_text(number.column))
    bad_number = F.when(number.column.isNotNull() & form.isNull(), F.lit("not_a_number"))
    base, rules = _base(plan, expression, zone)
    distance = numbers.number_value(form) * (-1 if expression.before else 1)
    key = ("offset", expression, zone)
    if expression.unit == "years":
        year = plan.define(Stage.JUDGED, key, base + _within(F.floor(distance)), LongType())
        made = F.lpad(year.cast("string"), 4, "0")
    else:
        seconds = base + _within(F.round(distance * _SECONDS[expression.unit]))
        local = F.from_utc_timestamp(F.timestamp_seconds(seconds), zone)
        text = plan.define(Stage.JUDGED, key, F.date_format(local, "yyyy-MM-dd'T'HH:mm:ss"))
        made = F.substring(text, 1, 10) if element.type == "date" else dates.with_offset(text, zone)
        made = plan.define(Stage.PLACED, (*key, element.type), made)
        year = F.substring(text, 1, 4).cast("bigint")
    fine = F.coalesce(year.between(*plan.years), F.lit(False))
    given = form.isNotNull() & (F.lit(True) if expression.base is not None else base.isNotNull())
    implausible = F.when(given & ~fine, F.lit("implausible_date"))
    return Part({(): Leaf(F.when(fine, made))}, (*number.rules, bad_number, *rules, implausible))


def _within(distance: Column) -> Column:
    """A distance as a whole number; null where no date could be made of it, which engines answer with an error."""
    whole = distance.try_cast("bigint")
    return F.when(whole.between(-_FARTHEST, _FARTHEST), whole)


def _base(plan: Plan, expression: Offset, zone: str) -> tuple[Column, tuple[Column, ...]]:
    """The base as a number (a year, or seconds since 1970; null where its text is wrong) and the rules it may break."""
    in_years = expression.unit == "years"
    if expression.base is not None:
        return F.lit(int(expression.base[:4]) if in_years else _epoch(expression.base, zone)), ()
    text = reading.source_text(plan, expression.base_column or "")
    key = (*text.key, "date", expression.formats)
    form = plan.define(Stage.PARSED, key, dates.canonical(text.column, expression.formats))
    rule = plan.define(Stage.CHECKED, (*key, "rule", False), dates.judge(text.column, form, plan.years))
    if in_years:
        number = F.substring(form, 1, 4).cast("bigint")
    else:
        local = plan.define(Stage.CHECKED, (*key, "full", zone), dates.with_offset(dates.full_time(form), zone))
        number = F.substring(dates.moment(local), 1, 12).cast("bigint") - _EPOCH_TEXT
    return F.when(rule.isNull(), number), (*text.rules, rule)


def _epoch(base: str, zone: str) -> int:
    """Seconds since 1970 of a constant base, filled up to the second; a local one stands in the zone."""
    filled = base + "0000-01-01T00:00:00"[len(base) :] if len(base) < 19 else base
    moment = datetime.fromisoformat(filled)
    placed = moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment
    return int(placed.astimezone(UTC).timestamp())
