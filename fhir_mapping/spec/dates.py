"""Dates and times as native columns: local texts to FHIR strings, precision kept.

Two steps: ``canonical`` reads the text into ``yyyy[-MM[-dd[THH:mm:ss[.fff]]]]`` (or FHIR's own form with offset), then
``judge`` says what is wrong with it and ``with_offset`` gives local times the offset of their zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

from fhir_mapping.spec.formats import FIELDS, DateFormat, compile_format

EARLIEST, LATEST = 1850, 2100
"""Years outside are implausible in a record of a patient."""

_OFFSET = "(Z|[+-][0-9]{2}:[0-9]{2})"
_ISO = f"^[0-9]{{4}}(-[0-9]{{2}}(-[0-9]{{2}}(T[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]+)?)?{_OFFSET}?)?)?)?\\z"
_CLOCK = r"[ T]*[0-9]{1,2}[:时点]([0-9]{1,2}([:分]([0-9]{1,2}(秒|\.[0-9]{1,9})?)?)?)?"
_SEPARATED = f"^[0-9]{{4}}(年|[-/.年] ?[0-9]{{1,2}}(月|[-/.月] ?[0-9]{{1,2}}日?({_CLOCK})?)?)\\z"
_COMPACT = "^[0-9]{4}[0-9]{2}[0-9]{2}([0-9]{2}[0-9]{2}([0-9]{2})?)?\\z"
_MARKS = ("", "-", "-", "T", ":", ":", ".")


def canonical(text: Column, formats: Sequence[str]) -> Column:
    """The text in canonical form by the first format that fits; null when none does.

    Args:
        text: prepared text, a stored column (it is used several times).
    """
    branches = [branch for name in formats for branch in _branches(text, name)]
    case = F.when(*branches[0])
    for test, value in branches[1:]:
        case = case.when(test, value)
    return case


def judge(text: Column, form: Column, *, instant: bool = False) -> Column:
    """Name of the rule that the canonical form breaks, or null.

    Args:
        instant: whether the element wants a full time.
    """
    day, length = F.substring(form, 1, 10), F.length(form)
    year = F.substring(form, 1, 4)
    whole_day = (
        F.when(length >= 10, day)
        .when(length == 7, F.concat(day, F.lit("-01")))
        .otherwise(F.concat(year, F.lit("-01-01")))
    )
    bad_time = (length > 10) & ~F.substring(form, 12, 8).rlike("^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\z")
    bad_offset = form.rlike("[+-](1[5-9]|[2-9][0-9]):[0-9]{2}\\z") & (length > 19)
    rule = (
        F.when(text.isNull(), None)
        .when(form.isNull(), F.lit("bad_date"))
        .when(whole_day.try_cast("date").isNull() | bad_time | bad_offset, F.lit("impossible_date"))
        .when(~year.between(str(EARLIEST), str(LATEST)), F.lit("implausible_date"))
    )
    return rule.when(length <= 10, F.lit("bad_date")) if instant else rule


def with_offset(form: Column, zone: str) -> Column:
    """FHIR dateTime: a canonical form with a time and no offset gets the one that ``zone`` had then."""
    known_from, fixed = _constant_since(zone)
    local = F.try_to_timestamp(F.substring(form, 1, 19), F.lit("yyyy-MM-dd'T'HH:mm:ss"))
    seconds = F.unix_timestamp(local) - F.unix_timestamp(F.to_utc_timestamp(local, zone))
    minutes = F.abs(seconds) / 60
    computed = F.concat(
        F.when(seconds < 0, F.lit("-")).otherwise(F.lit("+")),
        F.lpad(F.floor(minutes / 60).cast("string"), 2, "0"),
        F.lit(":"),
        F.lpad(F.floor(minutes % 60).cast("string"), 2, "0"),
    )
    offset = computed
    if known_from <= LATEST:
        offset = F.when(F.substring(form, 1, 4) >= str(known_from), F.lit(fixed)).otherwise(computed)
    is_local = (F.length(form) > 10) & ~F.substring(form, 20, 40).rlike(_OFFSET)
    return F.when(is_local, F.concat(form, offset)).otherwise(form)


def full_time(form: Column) -> Column:
    """A canonical form filled up to the second: the start of its year, month or day."""
    start = F.substring(F.lit("yyyy-01-01T00:00:00"), F.length(form) + 1, F.lit(19))
    return F.when(F.length(form) < 19, F.concat(form, start)).otherwise(form)


def moment(full: Column) -> Column:
    """The moment of a full time with offset, as text that sorts like time; null for no or no real time.

    Seconds since 1970 in UTC plus 10^11 (so that none is negative), 12 digits, then the fraction.
    """
    seconds = F.unix_timestamp(F.try_to_timestamp(F.substring(full, 1, 19), F.lit("yyyy-MM-dd'T'HH:mm:ss")))
    hours = F.regexp_extract(full, "([+-][0-9]{2}):[0-9]{2}\\z", 1).try_cast("int")
    minutes = F.regexp_extract(full, "[+-][0-9]{2}:([0-9]{2})\\z", 1).try_cast("int")
    signed = F.when(full.rlike("-[0-9]{2}:[0-9]{2}\\z"), -minutes).otherwise(minutes)
    utc = seconds - F.coalesce(hours * 3600 + signed * 60, F.lit(0))
    return F.concat(F.lpad((utc + 10**11).cast("string"), 12, "0"), F.regexp_extract(full, "\\.([0-9]+)", 1))


def _branches(text: Column, name: str) -> list[tuple[Column, Column]]:
    if name == "iso":
        return [(text.rlike(_ISO), _complete_iso(text))]
    if name == "any":
        compact = _positions(text, compile_format("yyyyMMddHHmmss"))
        return [
            (text.rlike(_ISO), _complete_iso(text)),
            (text.rlike(_SEPARATED), _parts(text, FIELDS)),
            (text.rlike(_COMPACT), _cut(compact, F.length(text))),
        ]
    compiled = compile_format(name)
    form = _positions(text, compiled) if compiled.offsets else _parts(text, compiled.order, compiled.leads)
    return [(text.rlike(compiled.pattern), form)]


def _complete_iso(text: Column) -> Column:
    """FHIR's form; a time without seconds gets ``:00``."""
    short = F.concat(F.substring(text, 1, 16), F.lit(":00"), F.substring(text, 17, 10))
    lacks_seconds = (F.length(text) > 10) & (F.substring(text, 17, 1) != ":")
    return F.when(lacks_seconds, short).otherwise(text)


def _parts(text: Column, order: Sequence[str], leads: bool = False) -> Column:
    """Fields as runs of digits, in the format's order; ``leads``: other text stands before the first.

    An absent minute or second of a time becomes 00.
    """
    runs = F.split(text, "[^0-9]+")
    cell = {name: F.get(runs, F.lit(position)) for position, name in enumerate(order, start=int(leads))}
    padded = {name: (value if name in "yS" else F.lpad(value, 2, "0")) for name, value in cell.items()}
    form = padded["y"]
    for name, mark in zip(FIELDS[1:], _MARKS[1:], strict=True):
        if name in ("m", "s") and "H" in cell:
            filled = F.coalesce(padded[name], F.lit("00")) if name in cell else F.lit("00")
            part = F.when(F.coalesce(cell["H"], F.lit("")) != "", F.concat(F.lit(mark), filled))
        elif name in cell:
            part = F.when(cell[name] != "", F.concat(F.lit(mark), padded[name]))
        else:
            continue
        form = F.concat(form, F.coalesce(part, F.lit("")))
    return form


def _positions(text: Column, compiled: DateFormat) -> Column:
    """Fields at fixed positions; minutes and seconds that the format lacks become 00."""
    found = dict(zip(compiled.order, compiled.offsets, strict=True))
    parts: list[Column] = []
    for name, mark in zip(FIELDS, _MARKS, strict=True):
        if name in found:
            start, width = found[name]
            parts += [F.lit(mark), F.substring(text, start, width)]
        elif name in ("m", "s") and "H" in found:
            parts.append(F.lit(mark + "00"))
    return F.concat(*parts)


def _cut(form: Column, digits: Column) -> Column:
    """Canonical form of 8, 12 or 14 compact digits, from that of 14."""
    minutes = F.concat(F.substring(form, 1, 16), F.lit(":00"))
    return F.when(digits == 8, F.substring(form, 1, 10)).when(digits == 12, minutes).otherwise(form)


@cache
def _constant_since(zone: str) -> tuple[int, str]:
    """First year from which the zone keeps one offset until LATEST, and that offset (``+08:00``)."""
    info = ZoneInfo(zone)
    last = datetime(LATEST, 12, 31, tzinfo=UTC).astimezone(info).utcoffset() or timedelta()
    year = LATEST
    while year >= EARLIEST and all(
        datetime(year, month, day, tzinfo=UTC).astimezone(info).utcoffset() == last
        for month in range(1, 13)
        for day in (1, 15)
    ):
        year -= 1
    minutes = int(last.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return year + 2, f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
