"""TS, DTM, DT and TM: as precise as the sender wrote them, with an offset wherever there is a time.

FHIR wants an offset with a time (``2024-03-01T08:30:00+08:00``): the value's own, else that of MSH-7, else that of the
zone the caller gives; without any the time is dropped and the date stays.
"""

from __future__ import annotations

import re
from datetime import datetime

from fhir_mapping.hl7v2.context import Context

_DTM = re.compile(
    r"(?P<year>\d{4})(?:-?(?P<month>\d\d)(?:-?(?P<day>\d\d)(?:[T ]?(?P<hour>\d\d)(?::?(?P<minute>\d\d)"
    r"(?::?(?P<second>\d\d)(?P<fraction>\.\d+)?)?)?)?)?)?\s*(?P<offset>Z|[+-]\d\d:?\d\d)?"
)
_PUNCTUATED = re.compile(
    r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:(?: *T *| +)(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?"
    r"((?:\.\d+)?\s*(?:Z|[+-]\d\d:?\d\d)?)",
    re.ASCII,
)
_CHINESE = str.maketrans("年月日号时点分秒", "--  ::: ")
_TM = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.\d+)?)?)?(?:[+-]\d{4})?")


def moment(context: Context, raw: str) -> str | None:
    """A FHIR ``dateTime`` of any precision; a value that is no time is a ``bad_date`` problem."""
    text = context.text(context.split(raw)[0])
    if text is None:
        return None
    match = _DTM.fullmatch(_plain(text))
    built = _build(context, match) if match else None
    if built is None:
        context.problem("bad_date")
    return built


def birth_time(context: Context, raw: str) -> str | None:
    """A FHIR ``dateTime`` with a time of day; midnight is what programs fill up a date with."""
    found = instant(context, raw)
    return found if found and not found[11:].startswith("00:00:00") else None


def date(context: Context, raw: str) -> str | None:
    """A FHIR ``date``: what stands before the time."""
    found = moment(context, raw)
    return found.split("T")[0] if found else None


def instant(context: Context, raw: str) -> str | None:
    """A FHIR ``instant``: only a value with time and offset is one."""
    found = moment(context, raw)
    return found if found and "T" in found else None


def time(context: Context, raw: str) -> str | None:
    """A FHIR ``time``; of a whole time stamp its time."""
    text = _plain(context.text(context.split(raw)[0]) or "")
    if len(text) > 6 and (stamp := _DTM.fullmatch(text)) and stamp["hour"]:
        text = stamp["hour"] + (stamp["minute"] or "00") + (stamp["second"] or "00")
    match = _TM.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2] or 0) > 59 or int(match[3] or 0) > 59:
        if text:
            context.problem("bad_time")
        return None
    # Fractions are dropped: validators refuse them in a time, though the standard's pattern has them.
    return f"{match[1]}:{match[2] or '00'}:{match[3] or '00'}"


def _plain(text: str) -> str:
    """Other ways to write a time as HL7's: full-width digits, ``2024/3/1 8:05``, ``2024年3月1日 8时5分``."""
    if not text.isascii():
        text = "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in text)
        text = " ".join(text.translate(_CHINESE).split()).rstrip("-:")
    if not (match := _PUNCTUATED.fullmatch(text)):
        return text
    year, month, day, hour, minute, second, rest = match.groups(default="")
    date = "".join([year, month.zfill(2), day and day.zfill(2)])
    return date + "".join(part.zfill(2) for part in (hour, minute, second) if part) + rest


def _build(context: Context, match: re.Match[str]) -> str | None:
    year, month, day, hour = match["year"], match["month"], match["day"], match["hour"]
    # "20240300" and "00000000" are how some systems write what they do not know.
    if year == "0000":
        return None
    if month in (None, "00"):
        return year
    if day in (None, "00"):
        return f"{year}-{month}" if "01" <= month <= "12" else None
    minute, second = match["minute"] or "00", match["second"] or "00"
    is_midnight_end = hour == "24" and int(minute) == int(second) == 0
    try:
        local = datetime(int(year), int(month), int(day), 0 if is_midnight_end else int(hour or 0), int(minute))
    except ValueError:
        return None
    if hour is None or is_midnight_end or int(second) > 60:
        return f"{year}-{month}-{day}"
    offset = _offset(match["offset"]) or context.offset_at(local)
    if offset is None:
        return f"{year}-{month}-{day}"
    return f"{year}-{month}-{day}T{hour}:{minute}:{min(int(second), 59):02d}{(match['fraction'] or '')[:10]}{offset}"


def _offset(text: str | None) -> str | None:
    """``+0800`` as ``+08:00``; None when it is none that exists."""
    if not text or text == "Z":
        return "Z" if text else None
    digits = text[1:].replace(":", "")
    if int(digits[:2]) > 14 or int(digits[2:]) > 59 or (digits[:2] == "14" and digits[2:] != "00"):
        return None
    return f"{text[0]}{digits[:2]}:{digits[2:]}"
