"""OBX-5: the value of an observation by its type in OBX-2, with the unit of OBX-6.

A value that is not what OBX-2 promises is kept as text, with a problem. A repeating value becomes one ``component``
each, free text one text of several lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes import codes, documents, identifiers, moments, numbers, people, schedules
from fhir_mapping.hl7v2.datatypes.contacts import address, contact_points
from fhir_mapping.hl7v2.datatypes.places import organization
from fhir_mapping.hl7v2.message import NULL, Segment

_TIMES_POWER = re.compile(r"(\d+(?:\.\d+)?)\s*[×xX*]\s*10\^([+-]?\d{1,2})(?!\d)")
"""``2.5×10^5``, whose ``^`` its sender did not escape."""
_DECIMAL_COMMA = re.compile(r"[<>=\s+-]*\d+,\d{1,2}\s*")
_ATTACHMENT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"


def values(context: Context, raw: str) -> Fragment | None:
    """What OBX-5 (and OBX-2, OBX-6) add to an Observation; ``raw`` is the first repetition and not looked at."""
    segment = context.scope["OBX"]
    kind = segment.raw(2).strip().upper()
    repetitions = [r for r in segment.repetitions(5) if r.strip() and r != NULL]
    if not repetitions:
        return None
    if kind in ("ST", "TX", "FT", "") and len(repetitions) > 1:
        lines = [context.text(repetition) or "" for repetition in repetitions]
        return {"valueString": "\n".join(lines)}
    found = [value for repetition in repetitions if (value := _value(context, segment, kind, repetition))]
    if len(found) < 2:
        return found[0] if found else None
    code = codes.concept(context, segment.raw(3))
    return {"component": [{"code": code, **value} for value in found if "extension" not in value]}


def _value(context: Context, segment: Segment, kind: str, raw: str) -> Fragment | None:
    reader = _READERS.get(kind)
    if reader is not None:
        value = reader(context, segment, raw)
        if value:
            return value
        context.problem("bad_value:" + kind.lower(), "OBX-5")
        if reader is _coded:
            # A code system without a code says nothing.
            return None
    text = _as_text(context, kind, raw)
    if text and kind == "NM" and any(map(str.isdigit, text)) and (unit := _unit(context, segment).get("unit")):
        text = f"{text} {unit}"
    return {"valueString": text} if text else None


def _as_text(context: Context, kind: str, raw: str) -> str | None:
    """A value without an element of its own, as text a person can read."""
    if kind in ("XPN", "PN"):
        return people.name_text(context, raw)
    if kind in ("ST", "TX", "FT", "GTS", "SI", ""):
        # Senders forget to escape: what looks like a component separator is part of the text.
        return context.text(raw)
    if _TIMES_POWER.search(raw):
        return context.text(raw)
    words: list[str | None] = [context.text(part) for part in context.split(raw)]
    if kind == "XTN":
        words = [point["value"] for point in contact_points(context, raw)]
    elif kind in ("CX", "EI"):
        words = words[:1]
    elif kind == "XON":
        words = [(organization(context, raw) or {}).get("name")]
    elif kind in ("XAD", "AD") and (found := address(context, raw)):
        words = [*found.get("line", []), *(found.get(k) for k in ("city", "state", "postalCode", "country"))]
    elif kind in ("XCN", "CN") and (person := people.practitioner(context, raw)):
        return people.name_text(context, "^".join(context.split(raw)[1:])) or person["identifier"][0]["value"]
    return " ".join(word for word in words if word) or None


def _unit(context: Context, segment: Segment) -> Fragment:
    raw = segment.raw(6)
    return numbers.unit(context, raw) if raw and raw != NULL else {}


def _number(context: Context, segment: Segment, raw: str) -> Fragment | None:
    text = context.text(raw.rstrip("^&"))
    if text and _DECIMAL_COMMA.fullmatch(text):
        # A number has no thousands' commas in HL7: one before one or two digits is a decimal one.
        text = text.replace(",", ".")
    if text and "^" in text:
        text = _TIMES_POWER.sub(r"\1e\2", text)
    value = numbers.compared(text)
    if value is not None:
        return {"valueQuantity": {**value, **_unit(context, segment)}}
    low, _, high = (text or "").partition("-")
    ends = {"low": numbers.decimal(low.strip()), "high": numbers.decimal(high.strip())}
    if all(end is not None for end in ends.values()):
        unit = _unit(context, segment)
        return {"valueRange": {name: {"value": end, **unit} for name, end in ends.items()}}
    return None


def _structured(context: Context, segment: Segment, raw: str) -> Fragment | None:
    """SN: comparator, number, separator, number."""
    parts = context.split(raw)
    comparator, separator = context.at(parts, 1) or "", context.at(parts, 3) or ""
    first, second = numbers.decimal(context.at(parts, 2)), numbers.decimal(context.at(parts, 4))
    unit = _unit(context, segment)
    if comparator in ("", "=") and separator == "-" and first is not None and second is not None:
        return {"valueRange": {"low": {"value": first, **unit}, "high": {"value": second, **unit}}}
    if separator in (":", "/") and first is not None and second is not None and comparator in ("", "=", "<", ">"):
        top: Fragment = {"value": first, **unit}
        if comparator in ("<", ">"):
            top["comparator"] = comparator
        return {"valueRatio": {"numerator": top, "denominator": {"value": second, **unit}}}
    if not separator and comparator in ("", "=", "<", ">", "<=", ">=") and first is not None:
        value: Fragment = {"value": first, **unit}
        if comparator not in ("", "="):
            value["comparator"] = comparator
        return {"valueQuantity": value}
    words = [context.text(part) for part in parts[:4]]
    shown = " ".join(word for word in [*words, unit.get("unit")] if word)
    return {"valueString": shown} if any(words) else None


def _coded(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found = codes.concept(context, raw)
    return {"valueCodeableConcept": found} if found else None


def _moment(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found = moments.moment(context, raw)
    return {"valueDateTime": found} if found else None


def _time(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found = moments.time(context, raw)
    return {"valueTime": found} if found else None


def _range(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found = numbers.bounds(context, raw, _unit(context, segment))
    return {"valueRange": found} if found else None


def _period(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found = schedules.period(context, raw)
    return {"valuePeriod": found} if found else None


def _quantity(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found = numbers.quantity(context, raw)
    return {"valueQuantity": {**_unit(context, segment), **found}} if found else None


def _sampled(context: Context, segment: Segment, raw: str) -> Fragment | None:
    """NA: an array of numbers; without a time base it is kept as text."""
    words = [word for part in context.split(raw) if (word := context.text(part))]
    return {"valueString": " ".join(words)} if words else None


def _attached(read: Callable[[Context, str], Fragment | None]) -> Callable[[Context, Segment, str], Fragment | None]:
    def reader(context: Context, segment: Segment, raw: str) -> Fragment | None:
        found = read(context, raw)
        return {"extension": [{"url": _ATTACHMENT, "valueAttachment": found}]} if found else None

    return reader


def _joined(context: Context, segment: Segment, raw: str) -> Fragment | None:
    words = [word for part in context.split(raw) if (word := context.text(part))]
    return {"valueString": "-".join(words)} if words else None


def _entity(context: Context, segment: Segment, raw: str) -> Fragment | None:
    found: Any = identifiers.entity(context, raw)
    return {"valueString": found["value"]} if found else None


_READERS: dict[str, Callable[[Context, Segment, str], Fragment | None]] = {
    "NM": _number,
    "SN": _structured,
    "CE": _coded,
    "CWE": _coded,
    "CNE": _coded,
    "CF": _coded,
    "CODED": _coded,
    "ID": _coded,
    "IS": _coded,
    "DT": _moment,
    "TS": _moment,
    "DTM": _moment,
    "TM": _time,
    "NR": _range,
    "DR": _period,
    "CQ": _quantity,
    "MO": _sampled,
    "CP": _sampled,
    "NA": _sampled,
    "MA": _sampled,
    "VR": _joined,
    "ED": _attached(documents.encapsulated),
    "RP": _attached(documents.pointer),
    "EI": _entity,
}
