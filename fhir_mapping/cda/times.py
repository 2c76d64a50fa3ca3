"""TS, IVL_TS, PIVL_TS and EIVL_TS to FHIR ``date``, ``dateTime``, ``instant``, ``Period`` and ``Timing``.

FHIR wants a zone with every time of day. A time without one takes the offset of the document's own effectiveTime
(unless that is UTC, which programs write wherever they stand), else the converter's zone; where neither is known the
day is kept and the time of day dropped.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fhir_mapping.cda.element import Element, child, children

_TS = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:[T ]?(\d\d)(?:(\d\d)(?:(\d\d)(\.\d+)?)?)?)?)?)?([+-]\d\d(?::?\d\d)?|Z)?$", re.ASCII
)
"""HL7's own form, and DT15 of China's data sets, which has a T before the time of day."""
_PUNCTUATED = re.compile(
    r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:[T ]\s*(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(\.\d+)?)?)?)?)?"
    r"\s*([+-]\d\d(?::?\d\d)?|Z)?$",
    re.ASCII,
)
"""ISO 8601 and its like, as some systems write it; Chinese words are brought to it."""
_CHINESE = str.maketrans("０１２３４５６７８９年月日时点分秒", "0123456789-- ::: ")
_UTC = frozenset({"", "Z", "+00:00", "-00:00"})
_LENGTHS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "wk": timedelta(weeks=1),
}


class Clock:
    """Reads timestamps with the zone of one document.

    Attributes:
        zone: where times without an offset were told, if known.
        offset: the offset of the document itself, ``+08:00``, if known.
    """

    __slots__ = ("_known", "offset", "zone")

    def __init__(self, zone: str | None = None) -> None:
        self.zone = ZoneInfo(zone) if zone else None
        self.offset = ""
        self._known: dict[str, str | None] = {}

    def date_time(self, text: str | None) -> str | None:
        """``201308151030-0800`` as ``2013-08-15T10:30:00-08:00``; None for what is no time. Never more precise."""
        if not text:
            return None
        if text not in self._known:  # a document tells few times, each often
            self._known[text] = self._read(text)
        return self._known[text]

    def _read(self, text: str) -> str | None:
        parts = _parts(text)
        if parts is None:
            return None
        year, month, day, hour, minute, second, fraction, offset = parts
        if not month:
            return year
        if not day:
            return f"{year}-{month}"
        date = f"{year}-{month}-{day}"
        if not hour:
            return date
        clock = f"{hour}:{minute or '00'}:{second or '00'}{(fraction or '')[:10]}"
        local = "" if self.offset in _UTC else self.offset
        zone = _offset(offset) or local or self._local(f"{date}T{clock[:8]}") or self.offset
        return f"{date}T{clock}{zone}" if zone else date

    def date(self, text: str | None) -> str | None:
        """The day (or month, or year) alone."""
        found = self.date_time(text)
        return found[:10] if found else None

    def instant(self, text: str | None) -> str | None:
        """A whole moment, or None."""
        found = self.date_time(text)
        return found if found and len(found) > 10 else None

    def _local(self, moment: str) -> str:
        if self.zone is None:
            return ""
        shift = datetime.fromisoformat(moment).replace(tzinfo=self.zone).strftime("%z")
        return f"{shift[:3]}:{shift[3:5]}"


def _parts(text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None
    value = text.strip()
    if not value.isascii():
        value = " ".join(value.translate(_CHINESE).split()).rstrip("-:")
    match = _PUNCTUATED.match(value) or _TS.match(value)
    if match is None:
        return None
    first, *rest = match.groups(default="")
    # Of punctuated parts one digit is enough; fractions and offsets are as they are.
    parts = (first, *(part.zfill(2) if part else "" for part in rest[:5]), *rest[5:])
    year, month, day, hour, minute, second = parts[:6]
    if day == "00":
        day = hour = minute = second = ""
    if month == "00":
        month = day = hour = minute = second = ""
    try:
        datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0) % 24, int(minute or 0), min(int(second or 0), 59)
        )
    except ValueError:
        return None
    if hour == "24" or second == "60" or year == "0000":
        return None
    return (year, month, day, hour, minute, second, parts[6], parts[7])


def _offset(text: str) -> str:
    if not text:
        return ""
    if text == "Z":
        return "Z"
    digits = text[1:].replace(":", "").ljust(4, "0")
    if int(digits[:2]) > 14 or int(digits[2:]) > 59:
        return ""
    return f"{text[0]}{digits[:2]}:{digits[2:]}"


def offset_of(text: str | None) -> str:
    """The offset that a timestamp names, as FHIR writes it, or empty."""
    parts = _parts(text)
    return _offset(parts[7]) if parts else ""


def point(element: Element | None) -> str | None:
    """The one moment an effectiveTime names: its value, else low, else center, else high."""
    if element is None:
        return None
    value = element.get("value")
    if value:
        return value
    for name in ("low", "center", "high"):
        found = child(element, name)
        if found is not None and found.get("value"):
            return found.get("value")
    return None


def period(element: Element | None, clock: Clock) -> dict[str, str]:
    """A FHIR Period from low and high (a sole value is both); empty where nothing is known or the ends are swapped."""
    if element is None:
        return {}
    low, high, value = child(element, "low"), child(element, "high"), element.get("value")
    start = clock.date_time(low.get("value") if low is not None else value)
    end = clock.date_time(high.get("value") if high is not None else (value if low is None else None))
    if start and high is None:
        end = end or _after(start, child(element, "width"))
    found = {}
    if start:
        found["start"] = start
    if end:
        found["end"] = end
    if start and end and not _ordered(start, end):
        return {"start": start}
    return found


def _after(start: str, width: Element | None) -> str | None:
    """The end of an interval that names its start and its length; None where either is too coarse for the other."""
    if width is None or width.get("value") is None:
        return None
    length = _LENGTHS.get(width.get("unit") or "")
    try:
        size = float(width.get("value") or "")
        if length is None or size != size or size < 0 or (len(start) == 10 and length < timedelta(days=1)):
            return None
        moment = datetime.fromisoformat(start[:-1] + "+00:00" if start.endswith("Z") else start) + size * length
    except (ValueError, OverflowError):
        return None
    if len(start) == 10:
        return f"{moment:%Y-%m-%d}"
    return moment.isoformat(timespec="seconds") if len(start) > 10 else None


def _ordered(start: str, end: str) -> bool:
    """per-1: the start is not after the end; of different precision the common part is compared."""
    if len(start) > 19 and len(end) > 19:
        return datetime.fromisoformat(start[:19] + _zone(start)) <= datetime.fromisoformat(end[:19] + _zone(end))
    size = min(len(start), len(end), 10)
    return start[:size] <= end[:size]


def _zone(moment: str) -> str:
    return "+00:00" if moment.endswith("Z") else moment[-6:]


def within(moment: str, span: dict[str, str]) -> bool:
    """Whether a moment lies in a Period with both ends, as far as both are told; an open one holds its first day."""
    start = span.get("start", "")
    end = span.get("end", "") or start[:10]
    if len(moment) < 10 or len(start) < 10 or len(end) < 10:
        return False
    return _ordered(start, moment) and _ordered(moment, end)


def has_width(element: Element) -> bool:
    """Whether low and high are both named."""
    return any(True for _ in children(element, "low")) and any(True for _ in children(element, "high"))
