"""TQ, RPT, RI and DR: when something is to happen."""

from __future__ import annotations

import re
from typing import Any

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.codes import concept
from fhir_mapping.hl7v2.datatypes.identifiers import cleaned
from fhir_mapping.hl7v2.datatypes.moments import moment
from fhir_mapping.hl7v2.datatypes.numbers import decimal, quantity

_UNITS = {"S": "s", "M": "min", "MIN": "min", "H": "h", "HR": "h", "D": "d", "W": "wk", "WK": "wk", "L": "mo"}
_UNITS |= {"MO": "mo", "MON": "mo", "J": "d", "A": "a", "Y": "a"}
_EVERY = re.compile(r"Q(\d{1,3})([SMHDWL])")
_DAILY = {"QD": 1, "BID": 2, "TID": 3, "QID": 4}
_ABBREVIATION = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
_ABBREVIATIONS = frozenset({"BID", "TID", "QID", "AM", "PM", "QD", "QOD"})


def period(context: Context, raw: str) -> Fragment | None:
    """DR as a Period."""
    parts = context.parts(raw)
    start, end = context.raw_at(parts, 1), context.raw_at(parts, 2)
    found = cleaned({"start": moment(context, start) if start else None, "end": moment(context, end) if end else None})
    return ordered(context, found)


def ordered(context: Context, found: Fragment) -> Fragment | None:
    """A Period whose end is not before its start; else only the start, with a problem."""
    start, end = found.get("start"), found.get("end")
    if start and end and end[:10] < start[: len(end[:10])]:
        context.problem("end_before_start")
        return {"start": start}
    return found or None


def period_start(context: Context, raw: str) -> str | None:
    """The start of a DR."""
    first = context.parts(raw)[0]
    return moment(context, first) if first else None


def repeat(context: Context, pattern: str | None, number: str | None, unit: str | None) -> Fragment:
    """A repeat pattern of table 0335 (``BID``, ``Q6H``) or a stated period as ``Timing.repeat``."""
    code = (pattern or "").upper()
    if code in _DAILY:
        return {"frequency": _DAILY[code], "period": 1, "periodUnit": "d"}
    if every := _EVERY.fullmatch(code):
        return {"frequency": 1, "period": int(every[1]), "periodUnit": _UNITS[every[2]]}
    length = decimal(number)
    named = _UNITS.get((unit or "").upper())
    if length is not None and named and str(length).lstrip("0."):
        return {"frequency": 1, "period": length, "periodUnit": named}
    return {}


def timing(context: Context, raw: str) -> Fragment | None:
    """RPT as a Timing."""
    parts = context.split(raw)
    pattern = context.raw_at(parts, 1)
    code = context.at(context.subsplit(pattern), 1)
    found: Fragment = {}
    if pattern and (named := concept(context, pattern.replace("&", "^"))):
        found["code"] = named
        if code and code.upper() in _ABBREVIATIONS and named.get("coding"):
            named["coding"][0].update(system=_ABBREVIATION, code=code.upper())
    unit = context.at(context.subsplit(context.raw_at(parts, 6)), 1)
    if said := repeat(context, code, context.at(parts, 5), unit):
        found["repeat"] = said
    return found or None


def quantity_timing(context: Context, raw: str) -> dict[str, Any]:
    """TQ taken apart: ``quantity``, ``timing``, ``start``, ``end``, ``priority`` (raw code), ``text``."""
    parts = context.split(raw)
    interval = context.subsplit(context.raw_at(parts, 2))
    pattern = context.at(interval, 1)
    found: dict[str, Any] = {"priority": context.at(parts, 6), "text": context.at(parts, 8) or context.at(parts, 7)}
    if amount := context.raw_at(parts, 1):
        found["quantity"] = quantity(context, amount.replace("&", "^", 1))
    for name, number in (("start", 4), ("end", 5)):
        if stamp := context.raw_at(parts, number):
            found[name] = moment(context, stamp)
    if pattern:
        said = repeat(context, pattern, None, None)
        found["timing"] = {"code": {"text": pattern}, **({"repeat": said} if said else {})}
    return {key: value for key, value in found.items() if value}
