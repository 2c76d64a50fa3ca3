"""Lowest and highest value that a FHIR decimal, date, dateTime or time of limited precision can stand for.

Source: FHIRPath STU lowBoundary/highBoundary; a dateTime without a zone spans the zones +14:00 to -12:00.
"""

from __future__ import annotations

import calendar
import re
from decimal import Decimal

from contracts.errors import SpecError
from contracts.fhir import expression as tree
from contracts.fhir.fhirpath import type_name

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_TIME = re.compile(r"([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?)?")
_ZONE = re.compile(r"(.*?)(Z|[+-][0-9]{2}:[0-9]{2})?")


def boundary_type(node: tree.Call, declared: str | None) -> str | None:
    """The FHIR type a boundary works on: named by ``ofType`` before it, else what the column declares."""
    source = node.source
    if isinstance(source, tree.Call) and source.function == "ofType":
        return type_name(source)
    return declared


def boundary(value: object, type: str | None, *, is_high: bool) -> float | str | None:
    """The low or high boundary of one value; None for a value of another form.

    Args:
        value: a number (its decimals say its precision) or the text of a date, dateTime or time.
        type: FHIR type; None = told from the text.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float | Decimal):
        return decimal_boundary(str(value), is_high=is_high)
    if not isinstance(value, str):
        raise SpecError("a boundary is taken of a number, a date or a time only")
    if type == "time" or (type is None and re.match(r"[0-9]{2}:", value)):
        return _time(value, is_high)
    if type == "date" or (type is None and "T" not in value):
        return _date(value, is_high)
    return _date_time(value, is_high)


def decimal_boundary(text: str, *, is_high: bool) -> float:
    """Half a unit of the last written place below or above: ``1.0`` gives 0.95 and 1.05."""
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    half = Decimal(5).scaleb((exponent if isinstance(exponent, int) else 0) - 1)
    return float(number + half if is_high else number - half)


def _date(text: str, is_high: bool) -> str | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = match.groups()
    month = month or ("12" if is_high else "01")
    if day is None:
        day = f"{calendar.monthrange(int(year), int(month))[1]:02d}" if is_high else "01"
    return f"{year}-{month}-{day}"


def _time(text: str, is_high: bool) -> str | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, fraction = match.groups()
    filler = "59" if is_high else "00"
    padded = (fraction or "").ljust(3, "9" if is_high else "0")
    return f"{hour}:{minute or filler}:{second or filler}.{padded}"


def _date_time(text: str, is_high: bool) -> str | None:
    day, has_time, rest = text.partition("T")
    whole_day = _date(day, is_high)
    match = _ZONE.fullmatch(rest)
    if whole_day is None or match is None:
        return None
    moment = _time(match[1] or ("23" if is_high else "00"), is_high) if has_time else None
    if has_time and moment is None:
        return None
    zone = match[2] or ("-12:00" if is_high else "+14:00")
    return f"{whole_day}T{moment or ('23:59:59.999' if is_high else '00:00:00.000')}{zone}"
