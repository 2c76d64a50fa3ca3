"""Fields that fill several elements at once: TQ, EIP, SPS, race, reference ranges, identifiers with a fixed type."""

from __future__ import annotations

import re
from typing import Any

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes import codes, contacts, identifiers, moments, numbers, people, schedules

_RANGE = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(?:-|--|~|～|–|—|－|至|to)\s*([+-]?\d+(?:\.\d+)?)\s*", re.IGNORECASE)
_BOUND = re.compile(r"\s*(<=|>=|<|>|≤|≥)\s*([+-]?\d+(?:\.\d+)?)\s*")
_SSN = re.compile(r"\d{3}-?\d{2}-?\d{4}")
_CARD = re.compile(r"[1-9]\d{16}[0-9Xx]")
_RACE = re.compile(r"\d{4}-\d")
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_CDC_RACE = "urn:oid:2.16.840.1.113883.6.238"
_ETHNICITY = {"H": ("2135-2", "Hispanic or Latino"), "N": ("2186-5", "Not Hispanic or Latino")}
_CHINA_ETHNIC = "http://hl7.org.cn/fhir/StructureDefinition/ext-person-ethnicGroup"
_UNKNOWN = ("UNK", "U", "ASKU", "PHC1175", "UNKNOWN")
_NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"


def typed(kind: str, display: str) -> Any:
    """EI as an Identifier of a type of table 0203."""

    def read(context: Context, raw: str) -> Fragment | None:
        found = identifiers.entity(context, raw)
        if found is None:
            return None
        coding = {"system": f"{codes.V2_TABLES}0203", "code": kind, "display": display}
        return {"type": {"coding": [coding]}, **found}

    return read


def visit(context: Context, raw: str) -> Fragment | None:
    """CX as a visit number, unless it says that it is something else."""
    found = identifiers.extended(context, raw)
    if found and "type" not in found:
        coding = {"system": f"{codes.V2_TABLES}0203", "code": "VN", "display": "Visit number"}
        found = {"type": {"coding": [coding]}, **found}
    return found


def national(context: Context, raw: str) -> Fragment | None:
    """A person's national number as plain text: Chinese identity card or US social security number, by its form."""
    value = context.at(context.split(raw), 1)
    if value is None:
        return None
    system, kind, shown = f"{codes.V2_TABLES}0203", "SS", "Social Security number"
    if _CARD.fullmatch(value):
        card = {"system": system, "code": "NI", "display": identifiers.NATIONAL}
        return {"type": {"coding": [card]}, "system": identifiers.CHINESE_CARD, "value": value}
    found: Fragment = {"type": {"coding": [{"system": system, "code": kind, "display": shown}]}, "value": value}
    if _SSN.fullmatch(value):
        found["system"] = "http://hl7.org/fhir/sid/us-ssn"
    return found


def insured(kind: str, display: str) -> Any:
    """ST as an Identifier of a type of table 0203."""

    def read(context: Context, raw: str) -> Fragment | None:
        value = context.at(context.split(raw), 1)
        coding = {"system": f"{codes.V2_TABLES}0203", "code": kind, "display": display}
        return {"type": {"coding": [coding]}, "value": value} if value else None

    return read


def contact_for(use: str) -> Any:
    """XTN as ContactPoints for a use, where the number itself names none."""

    def read(context: Context, raw: str) -> list[Fragment]:
        return [point if "use" in point else {**point, "use": use} for point in contacts.contact_points(context, raw)]

    return read


def named_person(context: Context, raw: str) -> Fragment | None:
    """XCN as a Practitioner, also when a sender puts the whole name into the first component."""
    parts = context.split(raw)
    text = context.at(parts, 1) or ""
    is_name = bool(text) and not any(parts[1:]) and (" " in text or not text.isascii())
    if is_name and not any(c.isdigit() for c in text):
        return {"resourceType": "Practitioner", "name": [{"text": text}]}
    return people.practitioner(context, raw)


def person_identifier(context: Context, raw: str) -> Fragment | None:
    """XCN's id alone."""
    found = people.practitioner(context, raw)
    return found.get("identifier", [None])[0] if found else None


def either(context: Context, raw: str, type_: str) -> Fragment | None:
    """EIP as a reference by identifier: the placer's, else the filler's."""
    found = identifiers.placer(context, raw) or identifiers.filler(context, raw)
    return {"type": type_, "identifier": found} if found else None


def both(context: Context, raw: str) -> Fragment | None:
    """EIP as the identifiers of what it names; a bare EI (no sub-components) is the placer's."""
    found = [part for part in (identifiers.placer(context, raw), identifiers.filler(context, raw)) if part]
    return {"identifier": found} if found else None


def specimen_source(context: Context, raw: str) -> Fragment | None:
    """SPS (OBR-15, replaced by SPM): type, additive, method, body site."""
    parts = context.split(raw)
    found: Fragment = {"type": _inner(context, parts, 1, "SpecimenType")}
    additive, site = _inner(context, parts, 2, ""), _inner(context, parts, 4, "")
    method = context.at(parts, 3) or context.at(context.subsplit(context.raw_at(parts, 6)), 2)
    collection = identifiers.cleaned({"bodySite": site, "method": {"text": method} if method else None})
    if additive:
        found["container"] = [{"additiveCodeableConcept": additive}]
    if collection:
        found["collection"] = collection
    return identifiers.cleaned(found) or None


def _inner(context: Context, parts: list[str], number: int, table: str) -> Fragment | None:
    raw = context.raw_at(parts, number)
    if not raw:
        return None
    separator, inner = context.message.delimiters.component, context.message.delimiters.subcomponent
    return codes.concept(context, raw.replace(inner, separator) if inner else raw, table)


def source_type(context: Context, raw: str) -> Fragment | None:
    """The type alone of an SPS."""
    return _inner(context, context.split(raw), 1, "SpecimenType")


def financial_class(context: Context, raw: str) -> Fragment | None:
    """FC: the class of component 1."""
    return _inner(context, context.split(raw), 1, "FinancialClass")


def collected(context: Context, raw: str) -> Fragment | None:
    """DR as the time a specimen was collected: a moment, or a period when it has an end."""
    parts = context.split(raw)
    if not context.raw_at(parts, 2):
        start = moments.moment(context, raw)
        return {"collectedDateTime": start} if start else None
    found = schedules.period(context, raw)
    return {"collectedPeriod": found} if found else None


def reference_range(context: Context, raw: str) -> Fragment | None:
    """OBX-7: always the text; the limits too where they can be read."""
    text = context.text(raw)
    segment = context.scope.get("OBX")
    ends = segment.repetitions(7) if segment else []
    if text and len(ends) == 2 and ends[0] != ends[1] and _RANGE.fullmatch("~".join(ends)):
        # ``4.0~5.5``: one range, whose tilde happens to be a delimiter.
        text = "~".join(ends) if raw == ends[0] else None
    if text is None:
        return None
    found: Fragment = {"text": text}
    unit = numbers.unit(context, segment.raw(6)) if segment and segment.raw(6) else {}
    bare = text.removesuffix(str(unit.get("unit", "")))
    if both_ends := _RANGE.fullmatch(bare):
        low, high = numbers.decimal(both_ends[1]), numbers.decimal(both_ends[2])
        if low is not None and high is not None and float(high) < 0 <= float(low):
            # ``3.50--9.50``: two hyphens are one dash.
            high = numbers.decimal(both_ends[2][1:])
        if low is not None and high is not None and float(low) <= float(high):
            found |= {"low": {"value": low, **unit}, "high": {"value": high, **unit}}
    elif bound := _BOUND.fullmatch(bare):
        end = "high" if bound[1] in ("<", "<=", "≤") else "low"
        found[end] = {"value": numbers.decimal(bound[2]), **unit}
    return found


def race(context: Context, raw: str) -> Fragment | None:
    """PID-10 as US Core's race when it is coded so (table 0005, CDC); other values have no common element."""
    inner: list[Fragment] = []
    words: list[str] = []
    for repetition in context.scope["PID"].repetitions(10):
        parts = context.split(repetition)
        code, shown = context.at(parts, 1) or "", context.at(parts, 2) or context.at(parts, 9)
        if _RACE.fullmatch(code):
            inner.append(_coding("ombCategory", _CDC_RACE, code, shown))
        elif code.upper() in _UNKNOWN:
            inner.append(_coding("ombCategory", _NULL_FLAVOR, "UNK", None))
        if shown or code:
            words.append(shown or code)
    if not words:
        return None
    if not inner and not all(word.isascii() for word in words):
        group = context.scope["PID"].repetitions(10)[0]
        again = [codes.concept(context, raw) or {} for raw in context.scope["PID"].repetitions(22)]
        told = _words(codes.concept(context, group) or {})
        return None if told and any(_words(one) == told for one in again) else _chinese(context, group)
    inner = inner[:5] if len({str(item) for item in inner}) > 1 else inner[:1]
    return {"extension": [{"url": f"{_US_CORE}race", "extension": [*inner, _text(words)]}]}


def _chinese(context: Context, raw: str) -> Fragment | None:
    """An ethnic group of GB/T 3304; told in PID-10 and in PID-22 it is one, with the codes of both."""
    found = codes.concept(context, raw)
    if found is None:
        return None
    group = context.scope["PID"].repetitions(10)[:1]
    first = codes.concept(context, group[0]) if group and group[0] != raw else None
    if first and _words(found) and _words(first) == _words(found):
        found = {**found, "coding": [*first.get("coding", []), *found.get("coding", [])]}
        if not found["coding"]:
            del found["coding"]
    return {"extension": [{"url": _CHINA_ETHNIC, "valueCodeableConcept": found}]}


def _words(concept: Fragment) -> str:
    """What a group is called."""
    return concept.get("text") or next((one.get("display", "") for one in concept.get("coding", [])), "")


def ethnicity(context: Context, raw: str) -> Fragment | None:
    """PID-22 as US Core's ethnicity when it is coded so; a Chinese value is an ethnic group of GB/T 3304."""
    parts = context.split(raw)
    code, shown = context.at(parts, 1) or "", context.at(parts, 2)
    word = shown or code
    if not word:
        return None
    if not word.isascii() or re.fullmatch(r"\d\d", code):
        return _chinese(context, raw)
    inner: list[Fragment] = []
    if code in _ETHNICITY or _RACE.fullmatch(code):
        known = _ETHNICITY.get(code, (code, shown))
        inner.append(_coding("ombCategory", _CDC_RACE, known[0], known[1]))
    return {"extension": [{"url": f"{_US_CORE}ethnicity", "extension": [*inner, _text([word])]}]}


def _coding(url: str, system: str, code: str, display: str | None) -> Fragment:
    coding: Fragment = {"system": system, "code": code}
    if display:
        coding["display"] = display
    return {"url": url, "valueCoding": coding}


def _text(words: list[str]) -> Fragment:
    return {"url": "text", "valueString": ", ".join(dict.fromkeys(words))}


def _priority(context: Context, code: str | None) -> str | None:
    found = context.code("RequestPriority", (code or "")[:4]) if code else None
    return found.code if found else None


def service_timing(context: Context, raw: str) -> Fragment | None:
    """TQ of an order for a service."""
    said = schedules.quantity_timing(context, raw)
    found: Fragment = {"priority": _priority(context, said.get("priority"))}
    if said.get("quantity"):
        found["quantityQuantity"] = said["quantity"]
    if said.get("timing"):
        found["occurrenceTiming"] = _bounded(said)
    elif said.get("start") and said.get("end"):
        found["occurrencePeriod"] = schedules.ordered(context, {"start": said["start"], "end": said["end"]})
    elif said.get("start"):
        found["occurrenceDateTime"] = said["start"]
    if said.get("text"):
        found["note"] = [{"text": said["text"]}]
    return identifiers.cleaned(found)


def _bounded(said: dict[str, Any]) -> Fragment:
    timing: Fragment = dict(said["timing"])
    period = {key: said[key] for key in ("start", "end") if key in said}
    if period:
        timing["repeat"] = {**timing.get("repeat", {}), "boundsPeriod": period}
    return timing


_DOSES = (("RXE", 3), ("RXO", 2), ("RXG", 5))
"""Where an order tells its dose: beside one, a number without a unit in TQ only counts doses."""


def _is_valued(context: Context, name: str, field: int) -> bool:
    segment = context.scope.get(name)
    return segment is not None and bool(segment.raw(field))


def medication_timing(context: Context, raw: str) -> Fragment | None:
    """TQ of an order for a medicine."""
    said = schedules.quantity_timing(context, raw)
    dosage: Fragment = {}
    if said.get("timing") or said.get("start") or said.get("end"):
        dosage["timing"] = _bounded({"timing": {}, **said})
    amount = said.get("quantity")
    if amount and ("unit" in amount or not any(_is_valued(context, *field) for field in _DOSES)):
        dosage["doseAndRate"] = [{"doseQuantity": amount}]
    if said.get("text"):
        dosage["additionalInstruction"] = [{"text": said["text"]}]
    found: Fragment = {"priority": _priority(context, said.get("priority"))}
    if dosage:
        found["dosageInstruction"] = [dosage]
    return identifiers.cleaned(found)


def appointment_timing(context: Context, raw: str) -> Fragment | None:
    """TQ of an appointment: its start and end."""
    said = schedules.quantity_timing(context, raw)
    return {key: said[key] for key in ("start", "end") if "T" in said.get(key, "")} or None
