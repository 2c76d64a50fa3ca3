"""R4 to R5 and back: valid in the other version, equal after the round trip, nothing lost in silence."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.fhir.json_text import loads
from fhir_mapping.convert.check import Checker
from fhir_mapping.convert.models import model_faults
from fhir_mapping.convert.versions import detect_version, to_r4, to_r5
from fhir_mapping.document import Problem

R4, R5 = Checker("R4"), Checker("R5")
DATA = Path(os.environ.get("CLOISTER_DATA", "../shared/data"))
SUBJECT = {"reference": "Patient/p"}
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

SAMPLES: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "Encounter",
        "status": "triaged",
        "class": {"system": ACT, "code": "AMB"},
        "statusHistory": [{"status": "arrived", "period": {"start": "2024-01-01"}}],
        "participant": [{"individual": {"reference": "Practitioner/a"}}],
        "period": {"start": "2024-01-01"},
        "reasonCode": [{"text": "cough"}],
        "reasonReference": [{"reference": "Condition/c"}],
        "diagnosis": [{"condition": {"reference": "Condition/c"}, "use": {"text": "AD"}, "rank": 1}],
        "hospitalization": {"admitSource": {"text": "x"}, "dietPreference": [{"text": "y"}]},
        "location": [{"location": {"reference": "Location/l"}, "physicalType": {"text": "bed"}}],
    },
    {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": SUBJECT,
        "category": {"text": "c"},
        "performedPeriod": {"start": "2024-01-01"},
        "asserter": {"reference": "Practitioner/a"},
        "complication": [{"text": "x"}],
        "complicationDetail": [{"reference": "Condition/c"}],
        "usedCode": [{"text": "y"}],
    },
    {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": SUBJECT,
        "medicationCodeableConcept": {"text": "m"},
        "reportedReference": {"reference": "Practitioner/a"},
        "reasonCode": [{"text": "r"}],
        "dosageInstruction": [{"asNeededCodeableConcept": {"text": "pain"}}],
        "dispenseRequest": {"performer": {"reference": "Organization/o"}},
    },
    {
        "resourceType": "MedicationStatement",
        "status": "stopped",
        "subject": SUBJECT,
        "medicationReference": {"reference": "Medication/m"},
        "context": {"reference": "EpisodeOfCare/e"},
        "statusReason": [{"text": "s"}],
    },
    {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "subject": SUBJECT,
        "medicationCodeableConcept": {"text": "m"},
        "effectiveDateTime": "2024-01-01",
        "context": {"reference": "Encounter/e"},
        "performer": [{"actor": {"reference": "Practitioner/a"}}],
    },
    {
        "resourceType": "Condition",
        "subject": SUBJECT,
        "recorder": {"reference": "Practitioner/a"},
        "asserter": {"reference": "Patient/p"},
        "evidence": [{"code": [{"text": "e"}], "detail": [{"reference": "Observation/o"}]}],
    },
    {
        "resourceType": "AllergyIntolerance",
        "patient": SUBJECT,
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
            ]
        },
        "type": "allergy",
        "recorder": {"reference": "Practitioner/a"},
        "reaction": [{"manifestation": [{"text": "rash"}]}],
    },
    {
        "resourceType": "DocumentReference",
        "status": "current",
        "masterIdentifier": {"value": "1"},
        "identifier": [{"value": "2"}],
        "authenticator": {"reference": "Practitioner/a"},
        "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/d"}}],
        "content": [{"attachment": {"url": "http://x", "size": 7}, "format": {"system": "urn:x:y", "code": "f"}}],
        "context": {
            "encounter": [{"reference": "Encounter/e"}],
            "related": [{"display": "r"}],
            "period": {"start": "2024"},
        },
    },
    {
        "resourceType": "Immunization",
        "status": "completed",
        "patient": SUBJECT,
        "vaccineCode": {"text": "v"},
        "occurrenceDateTime": "2024-01-01",
        "recorded": "2024-01-02",
        "reportOrigin": {"text": "o"},
        "education": [{"documentType": "d", "publicationDate": "2024"}],
        "protocolApplied": [{"doseNumberPositiveInt": 2, "seriesDosesString": "3"}],
    },
    {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": SUBJECT,
        "subscriberId": "s1",
        "payor": [{"reference": "Organization/o"}, {"reference": "Patient/p"}],
        "class": [{"type": {"text": "plan"}, "value": "v"}],
    },
    {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": SUBJECT,
        "modality": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}],
        "interpreter": [{"reference": "Practitioner/a"}],
        "procedureReference": {"reference": "Procedure/p"},
        "series": [
            {
                "uid": "1.2.3",
                "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
                "bodySite": {"system": "http://snomed.info/sct", "code": "51185008"},
            }
        ],
    },
    {
        "resourceType": "Organization",
        "name": "o",
        "telecom": [{"system": "phone", "value": "1"}],
        "address": [{"city": "a"}, {"city": "b"}],
        "contact": [{"telecom": [{"system": "phone", "value": "2"}]}, {"name": {"text": "n"}}],
    },
    {
        "resourceType": "Specimen",
        "type": {"text": "blood"},
        "processing": [{"procedure": {"text": "spin"}}],
        "container": [{"description": "tube", "capacity": {"value": 5}}],
    },
    {
        "resourceType": "Appointment",
        "status": "cancelled",
        "cancelationReason": {"text": "c"},
        "comment": "note",
        "patientInstruction": "fasting",
        "priority": 3,
        "participant": [{"actor": SUBJECT, "status": "accepted", "required": "information-only"}],
    },
    {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": SUBJECT,
        "code": {"text": "x"},
        "locationCode": [{"text": "ward"}],
        "orderDetail": [{"text": "d"}],
        "patientInstruction": "p",
    },
    {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "t"},
        "date": "2024",
        "title": "t",
        "identifier": {"value": "1"},
        "subject": SUBJECT,
        "author": [{"display": "a"}],
        "confidentiality": "N",
        "attester": [{"mode": "legal"}],
        "relatesTo": [{"code": "replaces", "targetReference": {"reference": "Composition/c"}}],
        "section": [{"title": "s", "mode": "working", "entry": [{"reference": "Observation/o"}]}],
    },
    {"resourceType": "QuestionnaireResponse", "status": "completed", "identifier": {"value": "1"}},
    {"resourceType": "Practitioner", "communication": [{"coding": [{"system": "urn:ietf:bcp:47", "code": "zh"}]}]},
    {
        "resourceType": "PractitionerRole",
        "telecom": [{"system": "phone", "value": "1"}],
        "availableTime": [{"daysOfWeek": ["mon"], "allDay": True}],
        "notAvailable": [{"description": "d"}],
        "availabilityExceptions": "e",
    },
    {
        "resourceType": "Location",
        "name": "l",
        "telecom": [{"system": "phone", "value": "1"}],
        "physicalType": {"text": "ro"},
        "hoursOfOperation": [{"daysOfWeek": ["mon"], "openingTime": "08:00:00"}],
    },
    {
        "resourceType": "Device",
        "status": "unknown",
        "udiCarrier": [{"deviceIdentifier": "1"}],
        "deviceName": [{"name": "n", "type": "model-name"}],
        "patient": SUBJECT,
        "type": {"text": "t"},
    },
    {
        "resourceType": "Provenance",
        "target": [SUBJECT],
        "recorded": "2024-01-01T00:00:00Z",
        "agent": [{"who": SUBJECT}],
    },
    {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": SUBJECT,
        "activity": [{"detail": {"status": "scheduled", "code": {"text": "c"}, "scheduledString": "daily"}}],
    },
    {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueQuantity": {"value": 1}},
    {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "imagingStudy": [{"display": "i"}]},
    {"resourceType": "RelatedPerson", "patient": SUBJECT, "active": True},
    {
        "resourceType": "CareTeam",
        "participant": [{"role": [{"text": "a"}, {"text": "b"}], "period": {"start": "2024"}}],
    },
    {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "g"}, "subject": SUBJECT}
    | {"expressedBy": SUBJECT, "outcomeCode": [{"text": "o"}]},
    {"resourceType": "DeviceUseStatement", "status": "active", "subject": SUBJECT, "device": {"display": "d"}},
)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["resourceType"]))
def test_r4_becomes_valid_r5_and_comes_back_equal(sample: dict[str, Any]) -> None:
    body = {**sample, "id": "x"}
    assert R4.clean(body) == (body, []), "the sample itself is valid R4"
    _assert_round_trip(body)


def _assert_round_trip(body: dict[str, Any]) -> None:
    problems: list[Problem] = []
    raised = to_r5(body, problems)
    checked, faults = R5.clean(raised)
    assert faults == [] and problems == []
    assert checked is not None and model_faults(checked, "R5") is None
    assert to_r4(raised, problems) == body and problems == []


def _synthea(limit: int) -> Iterator[dict[str, Any]]:
    for path in sorted((DATA / "synthea-fhir-r4").glob("bulk*/*.ndjson.gz")):
        with gzip.open(path) as stream:
            for number, line in enumerate(stream):
                if number >= limit:
                    break
                if (body := loads(line)).get("resourceType"):
                    yield body


def test_a_public_export_makes_the_round_trip() -> None:
    if not (DATA / "synthea-fhir-r4").is_dir():
        pytest.skip("public data absent: set CLOISTER_DATA")
    bodies = [found for body in _synthea(8) if (found := R4.clean(body)[0]) is not None]
    assert len(bodies) > 150
    changed = [body["resourceType"] for body in bodies if to_r4(to_r5(body, []), []) != body]
    assert changed == []


def test_what_r4_lacks_is_kept_in_extensions_and_restored() -> None:
    r5 = {
        "resourceType": "Encounter",
        "status": "discharged",
        "class": [{"coding": [{"system": ACT, "code": "IMP"}]}, {"text": "second"}],
        "actualPeriod": {"start": "2024-01-01"},
        "plannedStartDate": "2023-12-31",
        "reason": [{"use": [{"text": "u"}], "value": [{"concept": {"text": "c"}}]}],
        "subjectStatus": {"text": "left"},
    }
    lowered = to_r4(r5, [])
    assert (lowered["status"], lowered["class"]["code"]) == ("finished", "IMP")
    assert R4.clean({**lowered, "id": "x"})[1] == []
    assert to_r5(lowered, []) == r5


def test_standard_names_of_cross_version_extensions_are_read() -> None:
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedStartDate"
    body = {"resourceType": "Encounter", "extension": [{"url": url, "valueDateTime": "2024-01-01"}]}
    assert to_r5(body, [])["plannedStartDate"] == "2024-01-01"


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ({"resourceType": "Encounter", "status": "completed", "class": [{"text": "x"}]}, "R5"),
        ({"resourceType": "Encounter", "status": "finished", "class": {"code": "x"}}, "R4"),
        ({"resourceType": "MedicationRequest", "medication": {"concept": {"text": "x"}}}, "R5"),
        ({"resourceType": "Patient", "gender": "male"}, "R4"),
        ({"resourceType": "DeviceUsage", "status": "active"}, "R5"),
    ],
)
def test_the_version_is_told_from_the_shape(body: dict[str, Any], version: str) -> None:
    assert detect_version(body) == version
