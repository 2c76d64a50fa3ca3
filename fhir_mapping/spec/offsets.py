"""Times told as a distance: minutes after an admission, years before the day an age was taken."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.fhir.elements import Element
from fhir_mapping.spec import dates, numbers, reading
from fhir_mapping.spec.expressions import Offset
from fhir_mapping.spec.parts import Leaf, Part
from fhir_mapping.spec.plan import Plan, Stage

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
_EPOCH_TEXT = 10**11
"""What ``dates.moment`` adds to seconds since 1970."""


def distant(plan: Plan, expression: Offset, element: Element, zone: str) -> Part:
    """The time at a distance from the base, in the zone; for years, the year alone: an age tells no more."""
    number = reading.source_text(plan, expression.offset, expression.null_values)
    form = plan.define(Stage.CHECKED, (*number.key, "number"), numbers.number_text(number.column))
    distance = numbers.number_value(form) * (-1 if expression.before else 1)
    bad_number = F.when(number.column.isNotNull() & form.isNull(), F.lit("not_a_number"))
    key = ("offset", expression, element.type, zone)
    base, rules = _base(plan, expression, zone)
    if expression.unit == "years":
        year = F.substring(base, 1, 4).cast("int") + F.floor(distance).cast("int")
        made = F.lpad(year.cast("string"), 4, "0")
    else:
        seconds = (F.substring(dates.moment(base), 1, 12).cast("bigint") - _EPOCH_TEXT) + F.round(
            distance * _SECONDS[expression.unit]
        ).cast("bigint")
        local = F.from_utc_timestamp(F.timestamp_seconds(seconds), zone)
        made = F.date_format(local, "yyyy-MM-dd'T'HH:mm:ss")
        made = F.substring(made, 1, 10) if element.type == "date" else dates.with_offset(made, zone)
    first, last = plan.years
    fine = bad_number.isNull() & F.substring(made, 1, 4).between(str(first), str(last))
    for rule in rules:
        fine = fine & rule.isNull()
    value = plan.define(Stage.JUDGED, key, F.when(fine, made))
    given = form.isNotNull() & base.isNotNull()
    for rule in rules:
        given = given & rule.isNull()
    implausible = F.when(given & value.isNull(), F.lit("implausible_date"))
    return Part({(): Leaf(value)}, (*number.rules, bad_number, *rules, implausible))


def _base(plan: Plan, expression: Offset, zone: str) -> tuple[Column, tuple[Column, ...]]:
    """The base as a full time with offset, and the rules its text may break."""
    if expression.base is not None:
        return F.lit(_full(expression.base, zone)), ()
    text = reading.source_text(plan, expression.base_column or "")
    key = (*text.key, "date", expression.formats)
    form = plan.define(Stage.PARSED, key, dates.canonical(text.column, expression.formats))
    rule = plan.define(Stage.CHECKED, (*key, "rule", False), dates.judge(text.column, form, plan.years))
    local = plan.define(Stage.CHECKED, (*key, "local", zone), dates.with_offset(dates.full_time(form), zone))
    return local, (*text.rules, rule)


def _full(base: str, zone: str) -> str:
    """A constant base, as checked when the spec was read, filled up to the second and with an offset."""
    filled = base + "0000-01-01T00:00:00"[len(base) :] if len(base) < 19 else base
    moment = datetime.fromisoformat(filled)
    placed = moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment
    return placed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
