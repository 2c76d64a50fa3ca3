from __future__ import annotations

import json
from typing import Any

from fhir_mapping.deidentify import deidentify
from fhir_mapping.identity.ids import resource_id
from fhir_mapping.masking import Known, known_of, mask_text

KEY = bytes(range(32))
GENDER = "http://hl7.org.cn/fhir/connectathon/StructureDefinition/ext-person-gender"
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"lastUpdated": "2026-01-01T00:00:00Z"},
    "text": {"status": "generated", "div": "<div>王小明</div>"},
    "extension": [
        {"url": "http://hl7.org.cn/fhir/StructureDefinition/ext-person-ethnicGroup", "valueCoding": {"code": "HA"}},
        {"url": "http://e.org/shoe-size", "valueInteger": 42},
    ],
    "identifier": [{"system": "urn:x", "value": "110101199003074514"}],
    "name": [{"text": "王小明", "family": "王", "given": ["小明"]}],
    "telecom": [{"system": "phone", "value": "13812345678"}],
    "gender": "male",
    "_gender": {"extension": [{"url": GENDER, "valueCoding": {"system": "urn:gb", "code": "1"}}]},
    "_birthDate": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime"}]},
    "birthDate": "1990-03-07",
    "address": [{"text": "北京市"}],
}
VISIT: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "v1",
    "status": "finished",
    "class": {"code": "AMB"},
    "subject": {"reference": "http://host/fhir/Patient/p1", "display": "王小明"},
    "participant": [{"individual": {"reference": "Practitioner/d1", "display": "李医生"}}],
    "reasonCode": [{"text": "王小明，电话 0571-88990011，身份证 110101199003074514，发热"}],
    "serviceProvider": {"reference": "#org"},
}


def test_what_the_rules_do_not_allow_is_dropped_and_counted_by_path_or_url() -> None:
    found = deidentify(PATIENT, KEY, "north")
    assert found.refused is None
    assert found.resource == {
        "resourceType": "Patient",
        "id": resource_id(KEY, "north", "Patient", "Patient", ["p1"]),
        "extension": [PATIENT["extension"][0]],
        "gender": "male",
        "_gender": PATIENT["_gender"],
        "birthDate": "1990-03-07",
    }
    assert dict(found.dropped) == {
        "Patient.meta": 1,
        "Patient.text": 1,
        "http://e.org/shoe-size": 1,
        "Patient.identifier": 1,
        "Patient.name": 1,
        "Patient.telecom": 1,
        "Patient._birthDate": 1,
        "http://hl7.org/fhir/StructureDefinition/patient-birthTime": 1,
        "Patient.address": 1,
    }


def test_references_are_pseudonyms_and_free_text_is_masked() -> None:
    found = deidentify(VISIT, KEY, "north", known=known_of(PATIENT))
    patient = deidentify(PATIENT, KEY, "north").resource
    assert found.resource is not None and patient is not None
    assert found.resource["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert found.resource["reasonCode"] == [{"text": "***，电话 ***，身份证 ***，发热"}]
    assert "serviceProvider" not in found.resource
    assert found.dropped["Encounter.subject.display"] == 1 and found.dropped["Encounter.serviceProvider.reference"] == 1
    assert "王" not in json.dumps(found.resource, ensure_ascii=False)


def test_free_text_stays_only_where_it_is_allowed() -> None:
    found = deidentify(VISIT, KEY, "north", free_text=())
    assert found.resource is not None and "reasonCode" not in found.resource
    assert found.dropped["Encounter.reasonCode.text"] == 1


def test_an_unknown_modifier_extension_at_any_depth_refuses_the_resource() -> None:
    changed = {**VISIT, "participant": [{"modifierExtension": [{"url": "http://e.org/not"}]}]}
    found = deidentify(changed, KEY, "north")
    assert found.resource is None and found.refused == "unknown_modifier_extension"
    assert deidentify({"resourceType": "Basic"}, KEY, "north").refused == "unknown_resource_type"


def test_malformed_parts_are_dropped_and_never_raise() -> None:
    odd = {"resourceType": "Encounter", "class": "AMB", "subject": "Patient/1", "reasonCode": {"text": 1}, "type": [7]}
    found = deidentify(odd, KEY, "north")
    assert found.resource == {"resourceType": "Encounter"}


def test_known_values_are_masked_in_full_and_half_width() -> None:
    known = Known(names=frozenset({"ZHANG SAN", "Ｌｉ"}), numbers=frozenset({"77881"}))
    assert mask_text("患者ＺＨＡＮＧ　ＳＡＮ，编号７７８８１。Li 来诊", known) == "患者***，编号***。*** 来诊"
    assert mask_text("ZHANG SAN 复诊", known) == "*** 复诊"
    assert mask_text("（无）８项", known) == "（无）８项"


def test_names_and_numbers_are_masked_longest_first() -> None:
    known = Known(frozenset({"王小明", "Smith"}), frozenset({"ZY0012"}))
    assert mask_text("王小明(ZY0012) Mr Smith 138 1234 5678，WBC 12.5", known) == "***(***) Mr *** ***，WBC 12.5"
