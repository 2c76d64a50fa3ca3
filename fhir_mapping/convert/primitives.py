"""FHIR's primitive types: what text or JSON value each may hold.

Source: https://hl7.org/fhir/R4/datatypes.html (the regular expressions stand there), https://hl7.org/fhir/R5/json.html
(integer64 is a JSON string).
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
from collections.abc import Callable
from typing import Any

from contracts.fhir.json_text import DecimalText

_YEAR = r"([0-9](?:[0-9](?:[0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY = r"(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_OFFSET = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE = re.compile(rf"{_YEAR}(?:-{_DAY})?")
_DATE_TIME = re.compile(rf"{_YEAR}(?:-{_DAY}(?:(?<=-[0-9]{{2}}-[0-9]{{2}})T{_CLOCK}{_OFFSET})?)?")
_INSTANT = re.compile(rf"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T{_CLOCK}{_OFFSET}")
_TIME = re.compile(_CLOCK)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,9})?")
_CODE = re.compile(r"[^\s]+(?: [^\s]+)*")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
_SHORTEST_OID = len("urn:oid:1.2.3.")
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_INTEGER_64 = re.compile(r"0|[-+]?[1-9][0-9]{0,18}")
_MAX = 2**31 - 1


_MIME = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;.*)?", re.A)


def printable(text: str) -> str:
    """Text without the control characters that FHIR does not allow."""
    return _NO_TEXT.sub("", text)


def is_mime_type(text: str) -> bool:
    """``type/subtype`` with or without parameters."""
    return _MIME.fullmatch(text) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, DecimalText) and bool(value.strip())


def _is_string(value: Any) -> bool:
    return _is_text(value) and _NO_TEXT.search(value) is None


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: _is_text(value) and pattern.fullmatch(value) is not None


def is_uri(value: Any) -> bool:
    """Text without white space; an OID or UUID written as a URN must be one."""
    if not _is_text(value) or any(sign.isspace() for sign in value) or _NO_TEXT.search(value):
        return False
    if value.startswith("urn:oid:"):
        return _OID.fullmatch(value) is not None and len(value) >= _SHORTEST_OID
    if value.startswith("urn:uuid:"):
        return _UUID.fullmatch(value) is not None
    return True


def is_absolute(value: str) -> bool:
    """Whether a URI names its scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value) is not None


def _dated(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    """A date of the calendar, up to its own precision."""

    def is_date(value: Any) -> bool:
        found = pattern.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return False
        year, month, day = (int(part or 1) for part in found.groups()[:3])
        return day <= calendar.monthrange(year, month)[1]

    return is_date


def _is_integer(low: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= _MAX


def _is_decimal(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | DecimalText):
        return False
    return _DECIMAL.fullmatch(str(value)) is not None


def _is_base64(value: Any) -> bool:
    try:
        return _is_text(value) and bool(base64.b64decode("".join(value.split()), validate=True))
    except (binascii.Error, ValueError):
        return False


IS_VALID: dict[str, Callable[[Any], bool]] = {
    "base64Binary": _is_base64,
    "boolean": lambda value: isinstance(value, bool),
    "canonical": lambda value: is_uri(value) and (is_absolute(value) or value.startswith("#")),
    "code": _matches(_CODE),
    "date": _dated(_DATE),
    "dateTime": _dated(_DATE_TIME),
    "decimal": _is_decimal,
    "id": _matches(_ID),
    "instant": _dated(_INSTANT),
    "integer": _is_integer(-_MAX - 1),
    "integer64": _matches(_INTEGER_64),
    "markdown": _is_string,
    "oid": _matches(_OID),
    "positiveInt": _is_integer(1),
    "string": _is_string,
    "time": _matches(_TIME),
    "unsignedInt": _is_integer(0),
    "uri": is_uri,
    "url": is_uri,
    "uuid": _matches(_UUID),
    "xhtml": _is_text,
}
"""By type, whether a JSON value is one of its values."""
