"""XTN and XAD (SAD): telephone numbers, mail addresses and postal addresses."""

from __future__ import annotations

import re

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.codes import PLACEHOLDERS, plain_code
from fhir_mapping.hl7v2.datatypes.identifiers import cleaned
from fhir_mapping.hl7v2.datatypes.moments import moment
from fhir_mapping.hl7v2.datatypes.numbers import integer

_EQUIPMENT = {
    "PH": "phone",
    "FX": "fax",
    "MD": "other",
    "CP": "phone",
    "SAT": "phone",
    "BP": "pager",
    "INTERNET": "email",
    "X.400": "email",
    "TDD": "other",
    "TTY": "other",
}
_URL = re.compile(r"(?:https?|ftp)://|www\.", re.IGNORECASE)
_MAIL = re.compile(r"\S+@\S+\.\S+")
_NUMBER = re.compile(r"\+?[\d() ./-]{5,}")
_CHINESE_MOBILE = re.compile(r"(?:\+?86[- ]?)?1[3-9]\d{9}")


def contact_points(context: Context, raw: str) -> list[Fragment]:
    """XTN as ContactPoints: one may hold a mail address and a number."""
    parts = context.split(raw)
    equipment = (context.at(parts, 3) or "").upper()
    shared = _shared(context, parts, equipment)
    mail, number = context.at(parts, 4), _number(context, parts)
    if number and _MAIL.fullmatch(number) and not mail:
        mail, number = number, None
    mail, number = (text if text and text.upper() not in PLACEHOLDERS else None for text in (mail, number))
    if mail is None and number is None:
        return []
    found: list[Fragment] = []
    if mail:
        is_mail = "@" in mail or equipment in ("INTERNET", "X.400")
        is_number = not is_mail and _NUMBER.fullmatch(mail) is not None
        system = "email" if is_mail else _EQUIPMENT.get(equipment, "phone") if is_number else "other"
        system = "url" if _URL.match(mail) else system
        found.append(cleaned({"system": system, "value": mail, **shared}))
    for value in [n for n in (number, _other(context, parts, number)) if n]:
        system = _EQUIPMENT.get(equipment, "phone")
        if system == "email":
            # Internet as equipment, but a number.
            system = "phone" if re.search(r"\d{3}", value) else "other"
        if _URL.match(value):
            system = "url"
        found.append(cleaned({"system": system, "value": value, **shared}))
    return found


def _number(context: Context, parts: list[str]) -> str | None:
    """The number as written (component 1), else built from its parts, else the unformatted one."""
    written = context.at(parts, 1)
    local = context.at(parts, 7)
    if written:
        return written
    if local:
        country, area, extension = context.at(parts, 5), context.at(parts, 6), context.at(parts, 8)
        words = [f"+{country.lstrip('+')}" if country else "", area or "", local]
        number = " ".join(word for word in words if word)
        return f"{number} ext. {extension}" if extension else number
    return context.at(parts, 12) or context.at(parts, 9)


def _other(context: Context, parts: list[str], number: str | None) -> str | None:
    """The unformatted number (component 12) when it is another than the one written."""
    unformatted = context.at(parts, 12)
    if not unformatted or number is None or unformatted == number:
        return None
    own, other = re.sub(r"\D", "", number), re.sub(r"\D", "", unformatted)
    return None if other and (other in own or own in other) else unformatted


def _shared(context: Context, parts: list[str], equipment: str) -> Fragment:
    use_raw = context.raw_at(parts, 2)
    use = plain_code(context, use_raw, "TelecommunicationUseCode") if use_raw else None
    if equipment == "CP" or (use is None and _CHINESE_MOBILE.fullmatch(context.at(parts, 1) or "")):
        use = "mobile"
    start, end = context.raw_at(parts, 13), context.raw_at(parts, 14)
    period = {"start": moment(context, start) if start else None, "end": moment(context, end) if end else None}
    rank = integer(context.at(parts, 18))
    return {"use": use, "rank": rank if rank and rank > 0 else None, "period": cleaned(period)}


def address(context: Context, raw: str) -> Fragment | None:
    """XAD as an Address. Component 1 may be a SAD: street address, street name, house number."""
    parts = context.split(raw)
    street, *more = [context.text(part) or "" for part in context.subsplit(context.raw_at(parts, 1))] or [""]
    # Street name and number repeat what the street address says; where it is only a part of them, they are lines.
    lines = [
        street,
        *(part for part in more if not set(part.split()) <= set(street.split())),
        context.at(parts, 2),
        context.at(parts, 19),
    ]
    found: Fragment = {"line": [line for line in lines if line]}
    found["city"], found["state"] = context.at(parts, 3), context.at(parts, 4)
    found["postalCode"], found["country"] = context.at(parts, 5), context.at(parts, 6)
    found["district"] = context.at(parts, 9)
    if not found["line"] and not found["city"] and (whole := context.at(parts, 8)):
        # Japanese senders write the whole address into "other geographic designation".
        found["line"] = [whole]
    if not any(found.values()):
        return None
    _add_kind(context, parts, found)
    found["period"] = _period(context, parts)
    return {key: value for key, value in cleaned(found).items() if value}


def _add_kind(context: Context, parts: list[str], found: Fragment) -> None:
    kind = context.at(parts, 7)
    if kind is None:
        return
    for element, table in (("use", "AddressType[Use]"), ("type", "AddressType[Type]")):
        known = context.code(table, kind)
        if known and known.code:
            found[element] = known.code


def _period(context: Context, parts: list[str]) -> Fragment:
    span = context.subsplit(context.raw_at(parts, 12))
    start = context.raw_at(parts, 13) or context.raw_at(span, 1)
    end = context.raw_at(parts, 14) or context.raw_at(span, 2)
    return cleaned({"start": moment(context, start) if start else None, "end": moment(context, end) if end else None})
