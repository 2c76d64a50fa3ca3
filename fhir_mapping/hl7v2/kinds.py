"""From a mapping line's ``as`` (``CX[Identifier]``) and the type of its target to the function that reads the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from contracts.errors import SpecError
from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes import (
    codes,
    composites,
    contacts,
    documents,
    identifiers,
    moments,
    numbers,
    observed,
    people,
    places,
    schedules,
)

Reader = Callable[[Context, str], Any]
"""From a field's repetition to JSON: a value, a list of values, or None."""

_KIND = re.compile(r"(\w+)\[([\w.-]+)\]")


def source_type(kind: str) -> tuple[str, str]:
    """``("CX", "Identifier")`` of ``CX[Identifier]``; a bare ``CX`` is the source alone."""
    match = _KIND.fullmatch(kind)
    return (match[1], match[2]) if match else (kind, "")


def reader(kind: str, target: str, code_map: str, where: str) -> Reader:
    """The function for a field of a v2 type that goes to an element of a FHIR type.

    Raises:
        SpecError: there is none for the two.
    """
    source, named = source_type(kind)
    if (source, named) in _SPECIAL:
        return _SPECIAL[source, named]
    if target in _CODED:
        read = _CODED[target]
        return lambda context, raw: read(context, raw, code_map)
    if target == "CodeableConcept":
        if source in ("ST", "FT", "TX"):
            return _text_concept
        return lambda context, raw: codes.concept(context, raw, code_map)
    by_source = _READERS.get(target)
    if by_source is None:
        raise SpecError(f"{where}: no way to read {kind or 'a field'} as {target}.")
    found = by_source.get(source) or by_source.get("")
    if found is None:
        raise SpecError(f"{where}: {source} cannot become {target}; known are {', '.join(by_source)}.")
    return found


def _plain(context: Context, raw: str) -> str | None:
    """Text; components that a sender put where none belong are joined."""
    if context.message.delimiters.component not in raw:
        return context.text(raw)
    return " ".join(word for part in context.split(raw) if (word := context.text(part))) or None


def _free_text(context: Context, raw: str) -> str | None:
    return context.text(raw)


def _shown(context: Context, raw: str) -> str | None:
    """The words of a CWE: original text, display, or code."""
    parts = context.parts(raw)
    return context.at(parts, 9) or context.at(parts, 2) or context.at(parts, 1)


def _text_concept(context: Context, raw: str) -> Fragment | None:
    text = context.text(raw)
    return {"text": text} if text else None


def _decimal(context: Context, raw: str) -> Any:
    text = context.at(context.split(raw), 1)
    found = numbers.decimal(text)
    if found is None and text:
        context.problem("bad_number")
    return found


def _whole(least: int) -> Reader:
    def read(context: Context, raw: str) -> int | None:
        text = context.at(context.parts(raw), 1)
        found = numbers.integer(text)
        if text and (found is None or found < least):
            context.problem("bad_number")
            return None
        return found

    return read


def _days(context: Context, raw: str) -> Fragment | None:
    found = numbers.compared(context.at(context.split(raw), 1))
    return {**found, "unit": "d", "system": numbers.UCUM, "code": "d"} if found else None


def _unit_only(context: Context, raw: str) -> Fragment | None:
    return numbers.unit(context, raw) or None


def _names(context: Context, raw: str) -> list[Fragment]:
    return [name for name in (people.human_name(context, raw), people.called_by(context, raw)) if name]


def _address_text(context: Context, raw: str) -> Fragment | None:
    text = _plain(context, raw)
    return {"text": text} if text else None


def _annotation(context: Context, raw: str) -> Fragment | None:
    text = context.text(raw)
    return {"text": text} if text else None


def _with_identifier(type_: str, read: Reader) -> Reader:
    def resource(context: Context, raw: str) -> Fragment | None:
        found = read(context, raw)
        return {"resourceType": type_, "identifier": [found]} if found else None

    return resource


def _logical(type_: str, read: Reader) -> Reader:
    """A reference by identifier: the resource itself is not in the message."""

    def reference(context: Context, raw: str) -> Fragment | None:
        found = read(context, raw)
        return {"type": type_, "identifier": found} if found else None

    return reference


def _role(context: Context, raw: str) -> Fragment | None:
    person = people.practitioner(context, raw)
    return {"resourceType": "PractitionerRole", "practitioner": person} if person else None


def _located_role(context: Context, raw: str) -> Fragment | None:
    """NDL: name, from, to, and a place in components 4 to 11."""
    parts = context.split(raw)
    person = people.numbered(context, parts[0])
    if person is None:
        return None
    found: Fragment = {"resourceType": "PractitionerRole", "practitioner": person}
    start, end = context.raw_at(parts, 2), context.raw_at(parts, 3)
    found["period"] = identifiers.cleaned(
        {
            "start": moments.moment(context, start) if start else None,
            "end": moments.moment(context, end) if end else None,
        }
    )
    # NDL numbers a place as PL does, from point of care (4) to floor (11), facility seventh.
    at = [context.raw_at(parts, n) for n in (4, 5, 6, 7, 8, 9, 10, 11)]
    if place := places.location(context, context.message.delimiters.component.join(at)):
        found["location"] = [place]
    return found


def _related(context: Context, raw: str) -> Fragment | None:
    name = people.human_name(context, raw)
    return {"resourceType": "RelatedPerson", "name": [name]} if name else None


def _mother(context: Context, raw: str) -> Fragment | None:
    found = identifiers.extended(context, raw)
    if found is None:
        return None
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH", "display": "mother"}
    return {"resourceType": "RelatedPerson", "identifier": [found], "relationship": [{"coding": [code]}]}


def _named_practitioner(context: Context, raw: str) -> Fragment | None:
    name = people.human_name(context, raw)
    return {"resourceType": "Practitioner", "name": [name]} if name else None


def _coded_device(context: Context, raw: str) -> Fragment | None:
    found = codes.concept(context, raw)
    return {"resourceType": "Device", "type": found} if found else None


def _authority_device(context: Context, raw: str) -> Fragment | None:
    found = identifiers.named(context, raw)
    return {"resourceType": "Device", "identifier": [found]} if found else None


def _identified(context: Context, raw: str) -> Fragment | None:
    found = identifiers.extended(context, raw)
    return {"resourceType": "Organization", "identifier": [found]} if found else None


def _endpoint(context: Context, raw: str) -> str | None:
    parts = context.parts(raw)
    return identifiers.universal(context.at(parts, 2), context.at(parts, 3)) or identifiers.system_of(context, parts)


def _first_part(context: Context, raw: str) -> str | None:
    return context.at(context.parts(raw), 1)


def _is_partial(context: Context, raw: str) -> bool | None:
    """Completion status PA (partially administered) says that a dose is subpotent."""
    return True if context.at(context.parts(raw), 1) == "PA" else None


def _event(context: Context, raw: str) -> Fragment | None:
    code, event = (codes.code_text(part) for part in context.message.kind)
    if not code and not event:
        return None
    table = "0003" if event else "0076"
    found = {"system": f"http://terminology.hl7.org/CodeSystem/v2-{table}", "code": event or code}
    shown = context.text(raw)
    return {**found, "display": shown} if shown else found


def _subidentifier(context: Context, raw: str) -> Fragment | None:
    """OG, the sub-id of an observation, as HL7's extension for it."""
    parts = context.split(raw)
    names = ("original-sub-identifier", "group", "sequence", "identifier")
    inner = [
        {"url": name, "valueString": value}
        for name, n in zip(names, (1, 2, 3, 4), strict=True)
        if (value := context.at(parts, n))
    ]
    url = "urn:cloister:fhir-extension:observation-sub-id"
    return {"extension": [{"url": url, "extension": inner}]} if inner else None


_CODED: dict[str, Callable[[Context, str, str], Any]] = {"code": codes.plain_code, "Coding": codes.single_coding}
_READERS: dict[str, dict[str, Reader]] = {
    "string": {"": _plain, "CWE": _shown, "XON": _first_part, "XPN": people.name_text, "FT": _free_text,
               "TX": _free_text, "HD": _first_part},
    "markdown": {"": _free_text, "CWE": _shown},
    "uri": {"": _plain, "HD": _endpoint},
    "url": {"": _plain, "HD": _endpoint},
    "canonical": {"": _plain},
    "boolean": {"": codes.boolean},
    "decimal": {"": _decimal},
    "integer": {"": _whole(-(2**31))},
    "positiveInt": {"": _whole(1)},
    "unsignedInt": {"": _whole(0)},
    "dateTime": {"": moments.moment, "DR": schedules.period_start},
    "date": {"": moments.date},
    "instant": {"": moments.instant},
    "time": {"": moments.time},
    "Identifier": {"": identifiers.simple, "CX": identifiers.extended, "EI": identifiers.entity,
                   "HD": identifiers.named,
                   "CWE": identifiers.coded, "ST": identifiers.simple, "DLN": identifiers.licence,
                   "PLN": identifiers.professional},
    "HumanName": {"": _names},
    "Address": {"": contacts.address, "ST": _address_text},
    "ContactPoint": {"": contacts.contact_points},
    "Period": {"": schedules.period},
    "Timing": {"": schedules.timing},
    "Quantity": {"": numbers.quantity, "CWE": _unit_only, "CE": _unit_only},
    "Duration": {"": numbers.quantity, "CWE": _unit_only},
    "Age": {"": numbers.quantity},
    "Money": {"": numbers.money},
    "Annotation": {"": _annotation},
    "Attachment": {"ED": documents.encapsulated, "RP": documents.pointer},
    "Practitioner": {"": people.practitioner, "CNN": people.numbered, "NDL": people.numbered,
                     "XPN": _named_practitioner},
    "PractitionerRole": {"": _role, "NDL": _located_role},
    "RelatedPerson": {"": people.related_person, "XPN": _related},
    "Organization": {"": places.organization, "HD": identifiers.authority, "CWE": places.coded_organization,
                     "ST": places.text_organization, "CX": _identified},
    "Location": {"": places.location, "HD": places.simple_place, "CWE": places.simple_place,
                 "DLD": places.discharge_place, "XAD": places.address_place, "XON": places.organization_place},
    "Device": {"EI": _with_identifier("Device", identifiers.entity), "HD": _authority_device, "CWE": _coded_device,
               "CX": _with_identifier("Device", identifiers.extended)},
    "Reference": {"XCN": people.practitioner, "XON": places.organization, "PL": places.location,
                  "HD": identifiers.authority, "NDL": _located_role},
}  # fmt: skip
for _type in ("ServiceRequest", "Specimen", "Condition", "Procedure", "Claim", "Appointment", "Patient"):
    _READERS[_type] = {
        "": _logical(_type, identifiers.entity),
        "EI": _logical(_type, identifiers.entity),
        "CX": _logical(_type, identifiers.extended),
    }
_SPECIAL: dict[tuple[str, str], Reader] = {
    ("varies", "value"): observed.values,
    ("EIP", "Identifier-PlacerAssignedIdentifier"): identifiers.placer,
    ("EIP", "Identifier-FillerAssignedIdentifier"): identifiers.filler,
    ("NM", "Quantity-LengthOfStay"): _days,
    ("CX", "RelatedPerson-Mother"): _mother,
    ("OG", "Extension-Subidentifier"): _subidentifier,
    ("MSG", "Coding"): _event,
    ("HD", "MessageHeader.source-endpoint"): _endpoint,
    ("HD", "MessageHeader.destination-endpoint"): _endpoint,
    ("HD", "MessageHeader.source-name"): _first_part,
    ("HD", "MessageHeader.destination-name"): _first_part,
    ("XCN", "PractitionerRole"): _role,
    ("varies", "race"): composites.race,
    ("varies", "ethnicity"): composites.ethnicity,
    ("ST", "Identifier-National"): composites.national,
    ("ST", "Identifier-Medicare"): composites.insured("MC", "Patient's Medicare number"),
    ("ST", "Identifier-Medicaid"): composites.insured("MA", "Patient Medicaid number"),
    ("ST", "Identifier-Military"): composites.insured("MI", "Military ID number"),
    ("XPN", "HumanName-First"): people.human_name,
    ("XTN", "ContactPoint-Home"): composites.contact_for("home"),
    ("XTN", "ContactPoint-Work"): composites.contact_for("work"),
    ("CX", "Identifier-Visit"): composites.visit,
    ("EI", "Identifier-Placer"): composites.typed("PLAC", "Placer Identifier"),
    ("EI", "Identifier-Filler"): composites.typed("FILL", "Filler Identifier"),
    ("EI", "Identifier-Group"): composites.typed("PGN", "Placer Group Number"),
    ("XCN", "Identifier"): composites.person_identifier,
    ("XCN", "Practitioner-Named"): composites.named_person,
    ("CWE", "string-Code"): _first_part,
    ("CX", "string"): _first_part,
    ("FC", "CodeableConcept"): composites.financial_class,
    ("SPS", "CodeableConcept"): composites.source_type,
    ("SPS", "Specimen"): composites.specimen_source,
    ("SPS", "Specimen-Source"): composites.specimen_source,
    ("ST", "ReferenceRange"): composites.reference_range,
    ("DR", "Collected"): composites.collected,
    ("EIP", "SpecimenIdentifiers"): composites.both,
    ("EIP", "ServiceRequest"): lambda context, raw: composites.either(context, raw, "ServiceRequest"),
    ("EIP", "Specimen"): lambda context, raw: composites.either(context, raw, "Specimen"),
    ("TQ", "ServiceRequest"): composites.service_timing,
    ("TQ", "MedicationRequest"): composites.medication_timing,
    ("TQ", "Appointment"): composites.appointment_timing,
    ("ID", "boolean-Partial"): _is_partial,
    ("EI", "DocumentReference"): _logical("DocumentReference", identifiers.entity),
    ("EI", "string"): _first_part,
}
