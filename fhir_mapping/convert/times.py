"""A record's own time as a FHIR instant, for ``Provenance.recorded`` and ``Bundle.timestamp``."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_V2 = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(?:(\d{2})(?:\.\d{1,4})?)?)?([+-]\d{4})?")
_PARTS = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}:\d{2}))?)?)?")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})")


def v2_instant(text: str, zone: str | None) -> str | None:
    """HL7's ``YYYYMMDDHHMM[SS[.S]][+ZZZZ]`` as an instant; None below the precision of a minute or without an offset.

    >>> v2_instant("20240102030405+0800", None)
    '2024-01-02T03:04:05+08:00'
    """
    found = _V2.fullmatch(text.strip())
    if found is None or found[4] is None or not (found[7] or zone):
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        offset = _offset(found[7]) if found[7] else ZoneInfo(zone or "UTC")
        moment = datetime(year, month, day, hour, minute, second, tzinfo=offset)
        return moment.isoformat(timespec="seconds")
    except ValueError:
        return None


def _offset(text: str) -> tzinfo:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def bounds(value: object) -> tuple[datetime, datetime] | None:
    """First and last moment that a FHIR date or dateTime may stand for; None when it is none.

    Without an offset it may be any: a day begins first at +14:00 and ends last at -12:00.
    """
    found = _PARTS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, day, clock, offset = found.groups()
    try:
        if clock:
            moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock[:8].replace(':60', ':59')}")
            moment = moment.replace(tzinfo=_offset(offset.replace(":", "")) if offset != "Z" else UTC)
            return moment, moment + timedelta(seconds=1)
        low = datetime(int(year), int(month or 1), int(day or 1), tzinfo=_offset("+1400"))
        last = int(day or calendar.monthrange(int(year), int(month or 12))[1])
        return low, datetime(int(year), int(month or 12), last, 23, 59, 59, tzinfo=_offset("-1200"))
    except (ValueError, OverflowError):
        return None


def as_instant(value: object) -> str | None:
    """A FHIR dateTime when it is precise enough to be an instant."""
    return value if isinstance(value, str) and _INSTANT.fullmatch(value) else None
