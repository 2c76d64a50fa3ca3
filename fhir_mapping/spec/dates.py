"""Dates and times as native columns: local texts to FHIR strings, precision kept.

Two steps: ``canonical`` reads the text into ``yyyy[-MM[-dd[THH:mm:ss[.fff]]]]`` (or FHIR's own form with offset), then
``judge`` says what is wrong with it and ``with_offset`` gives local times the offset of their zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

from fhir_mapping.spec.formats import FIELDS, DateFormat, compile_format

EARLIEST, LATEST = 1850, 2100
"""Years for which the offset of a zone is looked up beforehand; the engine computes it for others."""

_OFFSET = "(Z|[+-][0-9]{2}:[0-9]{2})"
_ISO = f"^[0-9]{{4}}(-[0-9]{{2}}(-[0-9]{{2}}(T[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\\.[0-9]+)?)?{_OFFSET}?)?)?)?\\z"
_FULL = f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:[.][0-9]+)?{_OFFSET}?)?\\z"
"""Part of ``_ISO``: a canonical form already."""
_DAY = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-9]{2})?"
USUAL = f"^[0-9]{{4}}-{_DAY}(?:{_TIME})?\\z"
_CLOCK = r"[ T]*[0-9]{1,2}[:时点]([0-9]{1,2}([:分]([0-9]{1,2}(秒|\.[0-9]{1,9})?)?)?)?"
_SEPARATED = f"^[0-9]{{4}}(年|[-/.年] ?[0-9]{{1,2}}(月|[-/.月] ?[0-9]{{1,2}}日?({_CLOCK})?)?)\\z"
_PLAIN = r"^[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?\z"
_COMPACT = "^[0-9]{4}[0-9]{2}[0-9]{2}([0-9]{2}[0-9]{2}([0-9]{2})?)?\\z"
_MARKS = ("", "-", "-", "T", ":", ":", ".")


def is_usual(text: Column) -> Column:
    """Whether a text is FHIR's form of a day that every year has, with a possible time or none: most texts are."""
    return text.rlike(USUAL)


def knows_usual(formats: Sequence[str]) -> bool:
    """Whether a text that ``is_usual`` is its own canonical form by these formats."""
    return formats[0] in ("iso", "any")


def canonical(text: Column, formats: Sequence[str], usual: Column | None = None) -> Column:
    """The text in canonical form by the first format that fits; null when none does.

    Args:
        text: prepared text, a stored column (it is used several times).
        usual: ``is_usual`` of the text, a stored column; only where ``knows_usual``.
    """
    branches = [branch for name in formats for branch in _branches(text, name)]
    if usual is not None:
        branches[0] = (usual, text)
    case = F.when(*branches[0])
    for test, value in branches[1:]:
        case = case.when(test, value)
    return case


def judge(
    text: Column, form: Column, years: tuple[int, int], *, instant: bool = False, usual: Column | None = None
) -> Column:
    """Name of the rule that the canonical form breaks, or null.

    Args:
        years: first and last year that is plausible.
        instant: whether the element wants a full time.
        usual: as ``canonical`` takes it.
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
    first, last = (f"{year:04d}" for year in years)
    # ":" is greater than what follows a year.
    is_plausible = (form >= max(first, "0001")) & (form < last + ":")
    if instant:
        is_plausible = is_plausible & (length > 10)
    told = F.when(text.isNull(), None) if usual is None else F.when(text.isNull() | (usual & is_plausible), None)
    rule = (
        told.when(is_usual(form) & is_plausible, None)
        .when(form.isNull(), F.lit("bad_date"))
        .when(whole_day.try_cast("date").isNull() | bad_time | bad_offset, F.lit("impossible_date"))
        .when(~year.between(first, last), F.lit("implausible_date"))
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
    is_local = (F.length(form) > 10) & ~F.substring(form, 20, 40).rlike(_OFFSET)
    if known_from > LATEST:
        return F.when(is_local, F.concat(form, computed)).otherwise(form)
    is_known = form >= str(known_from)
    offset = F.when(is_known, F.lit(fixed)).otherwise(computed)
    return (
        # To the second, and so without an offset: most forms.
        F.when((F.length(form) == 19) & is_known, F.concat(form, F.lit(fixed)))
        .when(is_local, F.concat(form, offset))
        .otherwise(form)
    )


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
    """``(test, form)`` of a format; the commonest texts first, since a test that holds ends the search."""
    if name == "iso":
        return [(text.rlike(_FULL), text), (text.rlike(_ISO), _complete_iso(text))]
    if name == "any":
        return [
            (text.rlike(_FULL), text),
            (text.rlike(_PLAIN), _plain(text)),
            (text.rlike(_ISO), _complete_iso(text)),
            (text.rlike(_SEPARATED), _separated(text)),
            (text.rlike(_COMPACT), _cut(_positions(text, compile_format("yyyyMMddHHmmss")), F.length(text))),
        ]
    compiled = compile_format(name)
    form = _positions(text, compiled) if compiled.offsets else _runs(text, compiled)
    return [(text.rlike(compiled.pattern), form)]


def _plain(text: Column) -> Column:
    """``2024-03-01 08:05`` with two digits throughout, and maybe seconds."""
    day = F.translate(F.substring(text, 1, 10), "/.", "--")
    return F.concat(day, F.lit("T"), F.substring(F.concat(F.substring(text, 12, 8), F.lit(":00")), 1, 8))


def _complete_iso(text: Column) -> Column:
    """FHIR's form; a time without seconds gets ``:00``."""
    short = F.concat(F.substring(text, 1, 16), F.lit(":00"), F.substring(text, 17, 10))
    lacks_seconds = (F.length(text) > 10) & (F.substring(text, 17, 1) != ":")
    return F.when(lacks_seconds, short).otherwise(text)


def _separated(text: Column) -> Column:
    """Year, month, day, hour, minute, second between any marks; what is not there is left out."""

    def form(padded: Column) -> Column:
        day = F.rtrim(F.substring(padded, 2, 10), F.lit("-"))
        clock = F.translate(F.rtrim(F.substring(padded, 13, 8), F.lit("-")), "-", ":")
        full = F.concat(day, F.lit("T"), F.substring(F.concat(clock, F.lit(":00:00")), 1, 8))
        return F.when(clock != "", full).otherwise(day)

    fraction = F.regexp_extract(text, ":[0-9]{1,2}(\\.[0-9]+)\\z", 1)
    return F.concat(_once(_padded(text), form), fraction)


def _runs(text: Column, compiled: DateFormat) -> Column:
    """Fields of an open width, found by the marks between them."""
    offsets, position = [], 2
    for name in compiled.order:
        offsets.append((position, 4 if name == "y" else 2))
        position += 5 if name == "y" else 3
    found = DateFormat(compiled.pattern, tuple(n for n in compiled.order if n != "S"), tuple(offsets))
    form = _once(_padded(text), lambda padded: _positions(padded, found))
    if "S" not in compiled.order:
        return form
    return F.concat(form, F.lit("."), F.regexp_extract(text, "([0-9]+)[^0-9]*\\z", 1))


def _padded(text: Column) -> Column:
    """Runs of digits, each of at least two, with ``-`` before and after each: ``-2024-03-01-08-05-``."""
    marked = F.concat(F.lit("-"), F.regexp_replace(text, "[^0-9]+", "-"), F.lit("-"))
    # Twice, since neighbours share a mark and a match consumes it.
    once = F.regexp_replace(marked, "-([0-9])-", "-0$1-")
    return F.regexp_replace(F.regexp_replace(once, "-([0-9])-", "-0$1-"), "^--", "-")


def _once(value: Column, body: Callable[[Column], Column]) -> Column:
    """``body(value)`` with ``value`` computed once, and only where the branch it stands in is taken."""
    return F.get(F.transform(F.array(value), body), F.lit(0))


def _positions(text: Column, compiled: DateFormat) -> Column:
    """Fields at fixed positions; minutes and seconds that the format lacks become 00."""
    found = dict(zip(compiled.order, compiled.offsets, strict=False))
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
