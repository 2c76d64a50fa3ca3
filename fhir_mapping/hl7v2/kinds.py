"""From a mapping line's ``as`` (``CX[Identifier]``) and the type of its target to the function that reads the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from contracts.errors import SpecError
from fhir_mapping.hl7v2.context import Context
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
    resources,
    schedules,
)
from fhir_mapping.hl7v2.datatypes.resources import Reader

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
            return resources.text_concept
        return lambda context, raw: codes.concept(context, raw, code_map)
    by_source = _READERS.get(target)
    if by_source is None:
        raise SpecError(f"{where}: no way to read {kind or 'a field'} as {target}.")
    found = by_source.get(source) or by_source.get("")
    if found is None:
        raise SpecError(f"{where}: {source} cannot become {target}; known are {', '.join(by_source)}.")
    return found


_CODED: dict[str, Callable[[Context, str, str], Any]] = {"code": codes.plain_code, "Coding": codes.single_coding}
_READERS: dict[str, dict[str, Reader]] = {
    "string": {
        "": resources.plain,
        "CWE": resources.shown,
        "XON": resources.first_part,
        "XPN": people.name_text,
        "FT": resources.free_text,
        "TX": resources.free_text,
        "HD": resources.first_part,
    },
    "markdown": {"": resources.free_text, "CWE": resources.shown},
    "id": {"": resources.identity},
    "uri": {"": resources.plain, "HD": resources.endpoint},
    "url": {"": resources.plain, "HD": resources.endpoint},
    "canonical": {"": resources.plain},
    "boolean": {"": codes.boolean},
    "decimal": {"": resources.decimal},
    "integer": {"": resources.whole(-(2**31))},
    "positiveInt": {"": resources.whole(1)},
    "unsignedInt": {"": resources.whole(0)},
    "dateTime": {"": moments.moment, "DR": schedules.period_start},
    "date": {"": moments.date},
    "instant": {"": moments.instant},
    "time": {"": moments.time},
    "Identifier": {
        "": identifiers.simple,
        "CX": identifiers.extended,
        "EI": identifiers.entity,
        "HD": identifiers.named,
        "CWE": identifiers.coded,
        "ST": identifiers.simple,
        "DLN": identifiers.licence,
        "PLN": identifiers.professional,
    },
    "HumanName": {"": resources.names},
    "Address": {"": contacts.address, "ST": resources.address_text},
    "ContactPoint": {"": contacts.contact_points},
    "Period": {"": schedules.period},
    "Timing": {"": schedules.timing},
    "Quantity": {"": numbers.quantity, "CWE": resources.unit_only, "CE": resources.unit_only},
    "Duration": {"": numbers.quantity, "CWE": resources.unit_only},
    "Age": {"": numbers.quantity},
    "Money": {"": numbers.money},
    "Annotation": {"": resources.annotation},
    "Attachment": {"ED": documents.encapsulated, "RP": documents.pointer},
    "Practitioner": {
        "": people.practitioner,
        "CNN": people.numbered,
        "NDL": people.numbered,
        "XPN": resources.named_practitioner,
    },
    "PractitionerRole": {"": resources.role, "NDL": resources.located_role},
    "RelatedPerson": {"": people.related_person, "XPN": resources.related},
    "Organization": {
        "": places.organization,
        "HD": identifiers.authority,
        "CWE": places.coded_organization,
        "ST": places.text_organization,
        "CX": resources.identified,
    },
    "Location": {
        "": places.location,
        "HD": places.simple_place,
        "CWE": places.simple_place,
        "DLD": places.discharge_place,
        "XAD": places.address_place,
        "XON": places.organization_place,
    },
    "Device": {
        "EI": resources.with_identifier("Device", identifiers.entity),
        "HD": resources.authority_device,
        "CWE": resources.coded_device,
        "CX": resources.with_identifier("Device", identifiers.extended),
    },
    "Reference": {
        "XCN": people.practitioner,
        "XON": places.organization,
        "PL": places.location,
        "HD": identifiers.authority,
        "NDL": resources.located_role,
    },
}
for _type in (
    "ServiceRequest",
    "Specimen",
    "Condition",
    "Procedure",
    "Claim",
    "Appointment",
    "Patient",
    "MedicationRequest",
):
    _READERS[_type] = {
        "": resources.logical(_type, identifiers.entity),
        "EI": resources.logical(_type, identifiers.entity),
        "CX": resources.logical(_type, identifiers.extended),
    }
_SPECIAL: dict[tuple[str, str], Reader] = {
    ("varies", "value"): observed.values,
    ("EIP", "Identifier-PlacerAssignedIdentifier"): identifiers.placer,
    ("EIP", "Identifier-FillerAssignedIdentifier"): identifiers.filler,
    ("NM", "Quantity-LengthOfStay"): resources.days,
    ("CX", "RelatedPerson-Mother"): resources.mother,
    ("OG", "Extension-Subidentifier"): resources.subidentifier,
    ("MSG", "Coding"): resources.event,
    ("HD", "MessageHeader.source-endpoint"): resources.endpoint,
    ("HD", "MessageHeader.destination-endpoint"): resources.endpoint,
    ("HD", "MessageHeader.source-name"): resources.first_part,
    ("HD", "MessageHeader.destination-name"): resources.first_part,
    ("XCN", "PractitionerRole"): resources.role,
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
    ("CWE", "string-Code"): resources.first_part,
    ("CX", "string"): resources.first_part,
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
    ("ID", "boolean-Partial"): resources.is_partial,
    ("EI", "DocumentReference"): resources.logical("DocumentReference", identifiers.entity),
    ("EI", "string"): resources.first_part,
    ("DTM", "dateTime-Birth"): moments.birth_time,
}
