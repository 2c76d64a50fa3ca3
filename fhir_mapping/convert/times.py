"""A record's own time as a FHIR instant, for ``Provenance.recorded`` and ``Bundle.timestamp``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_V2 = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(?:(\d{2})(?:\.\d{1,4})?)?)?([+-]\d{4})?")
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


def as_instant(value: object) -> str | None:
    """A FHIR dateTime when it is precise enough to be an instant."""
    return value if isinstance(value, str) and _INSTANT.fullmatch(value) else None
