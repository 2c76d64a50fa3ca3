"""Code maps of the HL7 v2 templates say what ``map convert`` says: HL7's mapping tables with our corrections."""

from __future__ import annotations

import pytest

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
    rows = load_map(name, []).rows
    codes = {code: found for code, found in Tables.load().codes[table].items() if found.code}
    assert codes
    for code, found in codes.items():
        assert (rows[code].system, rows[code].code, rows[code].display) == (found.system, found.code, found.display)
