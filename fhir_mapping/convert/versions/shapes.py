"""The few shapes that R4 and R5 build differently, one pair of functions each.

A shape takes some elements of its owner out of the walk and puts what they say into the target. Its functions get the
source value and the target as far as the walk has it, and name the elements for which there was no place.
"""

from __future__ import annotations

from dataclasses import dataclass

from fhir_mapping.convert.versions import shapes_clinical as clinical
from fhir_mapping.convert.versions import shapes_documents as documents
from fhir_mapping.convert.versions import shapes_parties as parties
from fhir_mapping.convert.versions.names import Direction
from fhir_mapping.convert.versions.shape_parts import Apply, Value, no_place, only, only_text, wrapped, wrapped_one


@dataclass(frozen=True)
class Shape:
    """What one owner's functions take over in one direction."""

    takes: frozenset[str]
    functions: tuple[Apply, ...]

    def apply(self, source: Value, target: Value) -> list[str]:
        return [name for function in self.functions for name in function(source, target)]


_NONE = Shape(frozenset(), ())

_PARTICIPANTS = (clinical.participants_up, clinical.participants_down)
_CONTACTS = (parties.contact_up, parties.contact_down(has_address=True))
_ROLE_TIMES = (parties.role_times_up, parties.role_times_down)
_TABLE: dict[str, list[tuple[str, str, tuple[Apply, Apply]]]] = {
    "AllergyIntolerance": [
        ("recorder asserter", "participant", (clinical.participants_up, clinical.participants_down))
    ],
    "Appointment": [
        ("comment", "note", wrapped_one("comment", "note", lambda text: {"text": text}, only("text"))),
        (
            "patientInstruction",
            "patientInstruction",
            wrapped_one(
                "patientInstruction",
                "patientInstruction",
                lambda text: {"concept": {"text": text}},
                only("concept", only_text),
            ),
        ),
        ("priority", "priority", (no_place("priority"), no_place("priority"))),
    ],
    "Appointment.participant": [("required", "required", (parties.needed_up, parties.needed_down))],
    "Communication.payload": [
        ("contentString", "contentCodeableConcept", (documents.text_content_up, documents.text_content_down)),
    ],
    "Condition": [
        ("recorder asserter", "participant", _PARTICIPANTS),
        ("evidence", "evidence", (clinical.evidence_up, clinical.evidence_down)),
        ("clinicalStatus", "clinicalStatus", (clinical.clinical_up, clinical.clinical_down)),
    ],
    "Coverage": [("payor", "insurer paymentBy kind", (parties.payor_up, parties.payor_down))],
    "DocumentReference": [
        ("masterIdentifier", "", (documents.master_up, documents.master_down)),
        ("authenticator", "attester", (documents.attester_up, documents.attester_down)),
        (
            "context",
            "context event period facilityType practiceSetting",
            (documents.document_context_up, documents.document_context_down),
        ),
    ],
    "DocumentReference.content": [("format", "profile", (documents.format_up, documents.format_down))],
    "Encounter": [
        ("reasonCode reasonReference", "reason", (clinical.encounter_reason_up, clinical.encounter_reason_down)),
        ("", "dietPreference specialArrangement specialCourtesy", (clinical.admission_up, clinical.admission_down)),
    ],
    "ExplanationOfBenefit.item.adjudication": [("value", "quantity", (parties.money_up, parties.money_down))],
    "Immunization.protocolApplied": [
        (
            "doseNumberPositiveInt doseNumberString seriesDosesPositiveInt seriesDosesString",
            "doseNumber seriesDoses",
            (clinical.doses_up, clinical.doses_down),
        )
    ],
    "Location": [
        ("telecom", "contact", (parties.location_contact_up, parties.contact_down(has_address=False))),
        ("hoursOfOperation availabilityExceptions", "hoursOfOperation", (parties.hours_up, parties.hours_down)),
    ],
    "MedicationAdministration": [("context", "encounter", (clinical.context_up, clinical.context_down))],
    "MedicationDispense": [("context", "encounter", (clinical.context_up, clinical.context_down))],
    "MedicationStatement": [("context", "encounter", (clinical.context_up, clinical.context_down))],
    "Organization": [("telecom address contact", "contact", _CONTACTS)],
    "Practitioner": [("communication", "communication", wrapped("communication", "communication", "language"))],
    "PractitionerRole": [
        ("telecom", "contact", (parties.location_contact_up, parties.contact_down(has_address=False))),
        (
            "availableTime notAvailable availabilityExceptions",
            "availability",
            _ROLE_TIMES,
        ),
    ],
    "SampledData": [("", "intervalUnit", (clinical.sampled_up, clinical.sampled_down))],
    "ServiceRequest": [
        (
            "patientInstruction",
            "patientInstruction",
            wrapped_one(
                "patientInstruction",
                "patientInstruction",
                lambda text: {"instructionMarkdown": text},
                only("instructionMarkdown"),
            ),
        )
    ],
}
"""By owner (its R4 name): elements taken of R4, elements taken of R5, the functions up and down."""


def _shape(owner: str, direction: Direction) -> Shape:
    rows = _TABLE.get(owner)
    if not rows:
        return _NONE
    is_up = direction == "up"
    takes = frozenset(name for r4, r5, _ in rows for name in (r4 if is_up else r5).split())
    return Shape(takes, tuple(functions[0 if is_up else 1] for _, _, functions in rows))


_SHAPES = {(owner, direction): _shape(owner, direction) for owner in _TABLE for direction in ("up", "down")}


def shape_of(owner: str, direction: Direction) -> Shape:
    """What the functions of an owner (by its R4 name) take over."""
    return _SHAPES.get((owner, direction), _NONE)
