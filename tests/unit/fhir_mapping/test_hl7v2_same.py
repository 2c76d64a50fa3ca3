"""One person or organization that a message names several times is one resource."""

from __future__ import annotations

from typing import Any

from fhir_mapping.hl7v2 import convert_message
from fhir_mapping.hl7v2.same import unite

HEAD = "MSH|^~\\&|A|B|C|D|20240101101010+0800||{}|1|P|2.5.1"
PID = "PID|1||77^^^HOSP^MR||Doe^J"


def resources(kind: str, *segments: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in convert_message("\r".join([HEAD.format(kind), *segments])).resources:
        found.setdefault(resource["resourceType"], []).append(resource)
    return found


def doctors(*names: str) -> list[dict[str, Any]]:
    visit = f"PV1|1|I|||||{names[0]}|{'~'.join(names[1:])}"
    return resources("ADT^A01", PID, visit)["Practitioner"]


def test_a_doctor_with_and_without_a_title_is_one_with_all_parts_of_the_name():
    (found,) = doctors("12^Smith^Ann^^^Dr^^^NPI", "12^SMITH^ANN^B^^^^^NPI", "12^^^^^^^^NPI")
    assert found["name"] == [{"prefix": ["Dr"], "family": "Smith", "given": ["ANN", "B"]}]
    assert [identifier["value"] for identifier in found["identifier"]] == ["12"]


def test_equal_numbers_with_different_names_or_authorities_are_different_doctors():
    assert len(doctors("12^Smith^Ann^^^^^^NPI", "12^Jones^Ann^^^^^^NPI")) == 2
    assert len(doctors("12^Smith^Ann^^^^^^NPI", "12^Smith^Ann^^^^^^OTHER")) == 2


def test_a_number_alone_stays_apart_when_two_doctors_have_it():
    assert len(doctors("12^Smith^Ann", "12^Jones^Eve", "12")) == 3


def test_references_follow_the_resource_that_stays_and_stand_once():
    person = {"resourceType": "Practitioner", "id": "a", "identifier": [{"value": "1"}], "name": [{"family": "X"}]}
    other = {**person, "id": "b", "name": [{"family": "X", "prefix": ["Dr"]}]}
    role = {"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/a"}}
    host = {"resourceType": "DiagnosticReport", "id": "r", "performer": [{"reference": "PractitionerRole/1"},
            {"reference": "PractitionerRole/2"}]}  # fmt: skip
    twin = {**role, "id": "2", "practitioner": {"reference": "Practitioner/b"}}
    found = {f"{r['resourceType']}/{r['id']}": r for r in (person, other, {**role, "id": "1"}, twin, host)}
    unite(found)
    assert len(found) == 3
    assert len(host["performer"]) == 1
    assert host["performer"][0]["reference"] in found


def test_an_organization_that_is_only_named_is_the_one_that_is_described():
    found = resources("ORU^R01", PID.replace("HOSP", "LAB&2.16.840.1.113883.19.7&ISO"), "OBR|1|1|2|3^X^L",
                      "OBX|1|NM|4^Y^L||1|||||F|||||||||||||LAB")  # fmt: skip
    named = [o for o in found["Organization"] if o["name"] == "LAB"]
    assert len(named) == 1
    assert named[0]["identifier"][0]["value"] == "urn:oid:2.16.840.1.113883.19.7"
    assert found["Observation"][0]["performer"] == [{"reference": f"Organization/{named[0]['id']}"}]


def test_an_order_behind_its_request_is_no_second_one_and_the_leading_specimen_is_that_of_its_results():
    found = resources("OUL^R22", PID, "SPM|1|S1||BLD", "OBR|1|P1^A|F1^A|3^X^L||||||||||||||||||||||F",
                      "ORC|RE|P1^A|F1^A|||||||||9^Ord^O", "OBX|1|NM|4^Y^L||1|||||F", "SPM|2|S2||UR",
                      "OBR|2|P2^A|F2^A|5^Z^L||||||||||||||||||||||F", "ORC|RE|P2^A|F2^A",
                      "OBX|1|NM|6^W^L||1|||||F")  # fmt: skip
    assert len(found["ServiceRequest"]) == len(found["DiagnosticReport"]) == 2
    assert "requester" in found["ServiceRequest"][0]
    specimens = [f"Specimen/{s['id']}" for s in found["Specimen"]]
    assert [o["specimen"]["reference"] for o in found["Observation"]] == specimens
    assert [r["specimen"][0]["reference"] for r in found["DiagnosticReport"]] == specimens
    assert all(len(report["result"]) == 1 for report in found["DiagnosticReport"])


def test_a_national_number_has_the_code_of_the_table_and_the_country_as_text():
    (patient,) = resources("ADT^A01", "PID|1||77^^^H^NNFRA||Doe^J")["Patient"]
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NNxxx"}
    assert patient["identifier"][0]["type"] == {"coding": [coding], "text": "NNFRA"}


def test_a_strength_stands_with_the_drug_that_has_it():
    order = ["ORC|NW|P1^A", "RXO|A1^Aspirin^NDC|1||TAB" + "|" * 14 + "500|mg||||||5|mL"]
    (drug,) = resources("OMP^O09", PID, *order)["Medication"]
    (ingredient,) = drug["ingredient"]
    assert ingredient["itemCodeableConcept"] == drug["code"]
    assert ingredient["strength"]["numerator"]["value"] == 500
    assert ingredient["strength"]["denominator"]["code"] == "mL"


def test_a_second_doctor_where_there_is_place_for_one_stays_a_doctor_of_his_own():
    found = resources("OML^O21", PID, "ORC|NW|P1^A", "OBR|1|P1^A||3^X^L" + "|" * 12 + "1^Ann^A~2^Ann^A~3^Bob^B")
    assert [p["name"][0]["family"] for p in found["Practitioner"]] == ["Ann", "Bob"]
    assert [i["value"] for i in found["Practitioner"][0]["identifier"]] == ["1", "2"]
    assert found["PractitionerRole"][0]["practitioner"]["reference"] == f"Practitioner/{found['Practitioner'][0]['id']}"


def test_the_timing_segment_of_an_appointment_prevails_over_the_timing_of_its_header():
    (found,) = resources("SIU^S12", "SCH|1^A|2^B|||||||||^^30^20201001100000^20201001103000",
                         "TQ1|1||||||20210818100000|20210818110000", PID)["Appointment"]  # fmt: skip
    assert (found["start"], found["end"]) == ("2021-08-18T10:00:00+08:00", "2021-08-18T11:00:00+08:00")


def test_a_number_with_and_without_its_authority_stands_once_but_not_when_the_types_differ():
    typed = [{"system": "urn:id:A", "value": "1"}, {"value": "1"}, {"value": "1", "type": {"text": "filler"}}]
    found = {"Specimen/s": {"resourceType": "Specimen", "id": "s", "identifier": typed}}
    unite(found)
    assert found["Specimen/s"]["identifier"] == [typed[0], typed[2]]


def test_places_that_say_ever_more_are_the_one_that_says_most():
    bed = {"resourceType": "Location", "name": "B", "partOf": {"reference": "Location/w"}}
    resources = {
        "Location/w": {"resourceType": "Location", "id": "w", "name": "W", "mode": "instance", "status": "active"},
        **{f"Location/{key}": {"id": key, **bed, **more}
           for key, more in (("a", {}), ("b", {"mode": "instance"}), ("c", {"mode": "instance", "status": "active"}))},
        "Encounter/e": {"resourceType": "Encounter", "id": "e", "location": [
            {"location": {"reference": f"Location/{key}"}, "status": key} for key in "abc"]},
    }  # fmt: skip
    unite(resources)
    assert {one["location"]["reference"] for one in resources["Encounter/e"]["location"]} == {"Location/c"}
    assert set(resources) == {"Location/w", "Location/c", "Encounter/e"}
