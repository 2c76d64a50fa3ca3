"""HL7 China's core-patient and core-practitioner: what is added, and when it may be claimed."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_mapping.convert.check import Checker
from fhir_mapping.convert.finish import finish
from fhir_mapping.convert.options import Options
from fhir_mapping.convert.profiles.china import as_chinese
from fhir_mapping.convert.profiles.claims import missing, with_claims

CARD = "11010519491231002X"
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [
        {"system": "urn:oid:2.16.156.10011.1.3", "value": CARD},
        {"system": "urn:oid:2.16.156.10011.1.15", "value": "S1"},
    ],
    "name": [{"text": "张三"}],
    "gender": "female",
    "extension": [
        {"url": "http://hl7.org.cn/fhir/StructureDefinition/ext-person-ethnicGroup", "valueCoding": {"code": "01"}}
    ],
}


@pytest.mark.parametrize("version", ["R4", "R5"])
def test_a_patient_with_both_cards_meets_and_claims_the_profile(version: Any) -> None:
    found = with_claims(as_chinese(PATIENT, version, with_identifiers=True), version)
    assert len(found["meta"]["profile"]) == 1 and missing(found, version) == []
    assert [one["value"] for one in found["identifier"]] == [CARD, "S1", CARD, "S1"]
    assert found["_gender"]["extension"][0]["valueCoding"]["code"] == "2"
    assert found["extension"][0]["valueCoding"]["code"] == "HA"
    assert Checker(version).clean(found) == (found, [])


def test_without_a_mandatory_element_nothing_is_claimed_and_a_false_claim_goes() -> None:
    canonical = "http://hl7.org.cn/fhir/StructureDefinition/core-patient"
    bare = {"resourceType": "Patient", "id": "p", "gender": "male", "meta": {"profile": [canonical, "http://x/y"]}}
    found = with_claims(as_chinese(bare, "R4", with_identifiers=True), "R4")
    assert found["meta"] == {"profile": ["http://x/y"]}
    assert missing(found, "R4") == ["identifier IDC", "identifier SIN", "name"]


@pytest.mark.parametrize("version", ["R4", "R5"])
def test_a_practitioner_whose_sex_is_told_meets_and_claims_the_profile(version: Any) -> None:
    doctor = {"resourceType": "Practitioner", "id": "d", "name": [{"text": "李四"}], "gender": "male"}
    found = with_claims(as_chinese(doctor, version, with_identifiers=True), version)
    assert [one.rsplit("/", 1)[1] for one in found["meta"]["profile"]] == ["core-practitioner"]
    assert found["_gender"]["extension"][0]["valueCoding"]["code"] == "1" and found["active"] is True
    assert Checker(version).clean(found) == (found, [])


def test_a_practitioner_that_cannot_meet_the_profile_stays_as_it_is() -> None:
    for body in ({"name": [{"text": "李四"}]}, {"name": [{"text": "李四"}], "active": False}):
        doctor = {"resourceType": "Practitioner", "id": "d", **body}
        assert with_claims(as_chinese(doctor, "R4", with_identifiers=True), "R4") == doctor
    nameless = {"resourceType": "Practitioner", "id": "d", "gender": "male"}
    assert missing(as_chinese(nameless, "R4", with_identifiers=True), "R4") == ["name"]


def test_a_number_that_is_no_id_card_makes_no_slice() -> None:
    wrong = {**PATIENT, "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": CARD[:-1] + "1"}]}
    assert len(as_chinese(wrong, "R4", with_identifiers=True)["identifier"]) == 1


def test_pseudonymous_output_claims_no_profile() -> None:
    done = finish([PATIENT], Options("fhir", key=b"k" * 32, profile="cn"), is_foreign=False)
    assert "meta" not in done.resources[0] and "identifier" not in done.resources[0]
