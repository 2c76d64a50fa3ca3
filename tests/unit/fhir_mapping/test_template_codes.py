"""Code maps of the templates say what ``map convert`` says: the mapping tables with our corrections, and our own."""

from __future__ import annotations

import pytest

from fhir_mapping.cda.data_tables import rows
from fhir_mapping.hl7v2.tables import Tables
from fhir_mapping.terminology.code_map import load_map

MAPS = {
    "hl7v2_order_status": "OrderStatus",
    "hl7v2_order_control": "OrderControlCode[ServiceRequest.status]",
    "hl7v2_prescription_status": "OrderStatus[MedicationRequest]",
    "hl7v2_prescription_control": "OrderControl[MedicationRequest]",
    "hl7v2_request_priority": "RequestPriority",
    "hl7v2_appointment_status": "FillerStatusCodes[Appointment]",
    "hl7v2_allergy_type": "AllergyType",
    "hl7v2_allergy_category": "AllergenType[AllergyIntoleranceCategory]",
    "hl7v2_allergy_criticality": "AllergySeverity[AllergyIntolerance.criticality]",
    "hl7v2_reaction_severity": "AllergySeverity[AllergyIntolerance.reaction.severity]",
    "hl7v2_immunization_status": "CompletionStatus",
    "hl7v2_document_status": "DocumentCompletionStatus",
    "hl7v2_relationship": "Relationship",
    "hl7v2_contact_role": "ContactRole",
    "hl7v2_subscriber_relationship": "SubscriberRelationship",
    "hl7v2_diagnosis_role": "DiagnosisType",
    "hl7v2_specimen_type": "SpecimenType",
    "hl7v2_route": "RouteOfAdministration",
}


@pytest.mark.parametrize(("name", "table"), MAPS.items())
def test_a_map_has_every_code_of_its_table(name: str, table: str) -> None:
    found_rows = load_map(name, []).rows
    codes = {code: found for code, found in Tables.load().codes[table].items() if found.code}
    assert codes
    for code, found in codes.items():
        assert (found_rows[code].system, found_rows[code].code, found_rows[code].display) == (
            found.system,
            found.code,
            found.display,
        )


def test_measurements_of_chinese_documents_are_those_of_the_converter() -> None:
    codes = {row["element"]: row["loinc"] for row in rows("cn_elements") if row["loinc"]}
    assert {element: target.code for element, target in load_map("cn_measurement", []).rows.items()} == codes


def test_kinds_of_allergies_are_those_of_the_converter() -> None:
    for name in ("type", "category"):
        codes = {row["snomed"]: row[name] for row in rows("allergy_kinds") if row[name]}
        assert {code: target.code for code, target in load_map(f"snomed_allergy_{name}", []).rows.items()} == codes
