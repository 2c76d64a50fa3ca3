"""What an HL7 v2 message becomes, rule by rule."""

from collections import Counter
from pathlib import Path

import pytest

from contracts.errors import SpecError
from fhir_mapping.document import Converted, Resource
from fhir_mapping.hl7v2 import Tables, convert_message

PID = "PID|1||P1^^^HIS^MR||DOE^JANE||19900307|F"


def convert(kind: str, *segments: str, zone: str | None = "Asia/Shanghai") -> Converted:
    header = f"MSH|^~\\&|HIS|H1|LIS|H2|20240301083000||{kind}|M1|P|2.5"
    return convert_message("\r".join([header, *segments]) + "\r", zone=zone)


def one(converted: Converted, type_: str) -> Resource:
    (found,) = [r for r in converted.resources if r["resourceType"] == type_]
    return found


def all_of(converted: Converted, type_: str) -> list[Resource]:
    return [r for r in converted.resources if r["resourceType"] == type_]


@pytest.mark.parametrize(
    ("code", "status"),
    [("F", "final"), ("P", "preliminary"), ("C", "corrected"), ("D", "entered-in-error"), ("W", "entered-in-error"),
     ("X", "cancelled"), ("I", "registered"), ("", "unknown"), ("?", "unknown")],
)  # fmt: skip
def test_a_result_has_the_status_of_obx_11(code, status):
    found = convert("ORU^R01", PID, "OBR|1|||CBC", f"OBX|1|NM|718-7^Hb^LN||12.50|g/dL^^UCUM||||{'|'}{code}")
    assert one(found, "Observation")["status"] == status


@pytest.mark.parametrize(
    ("code", "status"), [("F", "final"), ("C", "corrected"), ("X", "cancelled"), ("P", "preliminary"), ("", "unknown")]
)
def test_a_report_has_the_status_of_obr_25(code, status):
    found = convert("ORU^R01", PID, "OBR|1|O1|F1|CBC" + "|" * 21 + code)
    assert one(found, "DiagnosticReport")["status"] == status


@pytest.mark.parametrize(
    ("event", "status"),
    [("A01", "in-progress"), ("A03", "finished"), ("A05", "planned"), ("A08", "in-progress"), ("A11", "cancelled"),
     ("A13", "in-progress"), ("A12", "in-progress"), ("A23", "entered-in-error"), ("A38", "cancelled")],
)  # fmt: skip
def test_a_visit_has_the_status_of_its_event(event, status):
    assert one(convert(f"ADT^{event}", PID, "PV1|1|I|||||||||||||||||V1"), "Encounter")["status"] == status


def test_the_visit_of_an_admission_and_of_its_cancellation_is_one():
    admitted, cancelled = (
        one(convert(f"ADT^{event}", PID, "PV1|1|I|W^1^2||||||||||||||||V1"), "Encounter") for event in ("A01", "A11")
    )
    assert admitted["id"] == cancelled["id"]


def test_a_correction_has_the_id_of_the_result_it_corrects():
    first, second = (
        one(convert("ORU^R01", PID, "OBR|1|O1|F1|CBC", f"OBX|1|NM|718-7^Hb^LN||{value}||||||{status}"), "Observation")
        for value, status in (("12", "F"), ("13", "C"))
    )
    assert (first["id"], first["valueQuantity"]["value"]) == (second["id"], 12)
    assert (second["status"], second["valueQuantity"]["value"]) == ("corrected", 13)


def test_a_merge_links_the_old_record_with_the_one_that_replaced_it():
    found = convert("ADT^A40", PID, "MRG|P0^^^HIS^MR")
    current, prior = all_of(found, "Patient")
    assert prior["active"] is False
    assert prior["link"] == [{"other": {"reference": f"Patient/{current['id']}"}, "type": "replaced-by"}]
    assert current["link"] == [{"other": {"reference": f"Patient/{prior['id']}"}, "type": "replaces"}]


def test_results_hang_on_their_report_and_order():
    found = convert(
        "ORU^R01", PID, "PV1|1|O|||||||||||||||||V1", "ORC|RE|O1|F1", "OBR|1|O1|F1|CBC|||20240301", "OBX|1|NM|A||1",
        "OBX|2|NM|B||2", "NTE|1||well", "OBR|2|O2|F2|BMP", "OBX|1|NM|A||3",
    )  # fmt: skip
    reports = all_of(found, "DiagnosticReport")
    assert [len(report["result"]) for report in reports] == [2, 1]
    assert len(all_of(found, "ServiceRequest")) == len({report["basedOn"][0]["reference"] for report in reports}) == 2
    assert [o.get("note") for o in all_of(found, "Observation")] == [None, [{"text": "well"}], None]
    assert all("encounter" in r for r in all_of(found, "Observation"))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("NM", "065.88", ("valueQuantity", {"value": "65.88"})),
        ("NM", "<0.5", ("valueQuantity", {"value": "0.5", "comparator": "<"})),
        ("NM", "3-5", ("valueRange", {"low": {"value": 3}, "high": {"value": 5}})),
        ("NM", "阴性", ("valueString", "阴性")),
        ("SN", "^1^:^128", ("valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 128}})),
        ("SN", ">^10", ("valueQuantity", {"value": 10, "comparator": ">"})),
        ("SN", "^2^-^4", ("valueRange", {"low": {"value": 2}, "high": {"value": 4}})),
        ("ST", "a^b & c", ("valueString", "a^b & c")),
        ("TX", "one~two", ("valueString", "one\ntwo")),
        ("CE", "POS^Positive^L", ("valueCodeableConcept", {"coding": [{"code": "POS", "display": "Positive"}]})),
        ("DT", "20240301", ("valueDateTime", "2024-03-01")),
        ("TM", "0830", ("valueTime", "08:30:00")),
        ("DR", "20240301^20240302", ("valuePeriod", {"start": "2024-03-01", "end": "2024-03-02"})),
    ],
)
def test_a_value_is_what_obx_2_says(kind, value, expected):
    found = one(convert("ORU^R01", PID, "OBR|1|||X", f"OBX|1|{kind}|A||{value}||||||F"), "Observation")
    assert (expected[0], found.get(expected[0])) == expected


def test_a_repeated_number_is_components_and_a_picture_is_a_report():
    found = convert("ORU^R01", PID, "OBR|1|||X", "OBX|1|NM|A||1~2", "OBX|2|ED|IMG^scan^L||^IM^JPEG^Base64^aGk=||||||F")
    assert [c["valueQuantity"]["value"] for c in one(found, "Observation")["component"]] == [1, 2]
    picture = all_of(found, "DiagnosticReport")[1]
    assert picture["presentedForm"] == [{"contentType": "image/jpeg", "data": "aGk="}]


def test_a_vaccine_is_an_immunization_and_a_dose_of_medicine_is_not():
    rxa = "RXA|0|1|20240301||03^MMR^CVX|0.5|mL^^UCUM||00||||||LOT1||MSD^Merck^MVX|||CP|A"
    shot = one(convert("VXU^V04", PID, "ORC|RE||F1", rxa, "RXR|IM^^HL70162|LA^^HL70163"), "Immunization")
    assert (shot["status"], shot["lotNumber"], shot["primarySource"]) == ("completed", "LOT1", True)
    dose = one(
        convert("RAS^O17", PID, "ORC|RE||F1", "RXA|0|1|20240301||123^Aspirin^L|1|tab"), "MedicationAdministration"
    )
    assert dose["effectiveDateTime"] == "2024-03-01"


def test_a_prescription_and_its_dispense_are_two_resources():
    found = convert(
        "RDS^O13", PID, "ORC|RE|O1|F1", "RXO|123^Aspirin^L|1||tab", "RXE||123^Aspirin^L|1||tab", "RXR|PO^Oral^HL70162",
        "RXD|1|123^Aspirin^L|20240301|10|tab||RX1",
    )  # fmt: skip
    assert [r["intent"] for r in all_of(found, "MedicationRequest")] == ["order", "original-order"]
    assert one(found, "MedicationDispense")["authorizingPrescription"][0]["reference"].startswith("MedicationRequest/")


@pytest.mark.parametrize(("event", "status"), [("S12", "booked"), ("S15", "cancelled"), ("S26", "noshow")])
def test_an_appointment_has_start_end_and_the_status_of_its_event(event, status):
    found = one(
        convert(f"SIU^{event}", "SCH|A1|B1||||||CHECKUP|30|MIN|^^30^202403010900^202403010930", PID,
                "RGS|1", "AIP|1||D1^House^G||||||||BOOKED"),
        "Appointment",
    )  # fmt: skip
    assert found["status"] == status
    assert (found["start"], found["end"]) == ("2024-03-01T09:00:00+08:00", "2024-03-01T09:30:00+08:00")
    assert Counter(p["actor"]["reference"].split("/")[0] for p in found["participant"]) == {
        "Practitioner": 1,
        "Patient": 1,
    }


def test_a_document_has_its_text_once():
    found = convert("MDM^T02", PID, "TXA|1|DS^Summary^L|TX|202403010900||||||||DOC1|||||AU||AV",
                    "OBX|1|TX|B||line one", "OBX|2|TX|B||line two")  # fmt: skip
    document = one(found, "DocumentReference")
    assert document["content"][0]["attachment"]["contentType"] == "text/plain"
    assert (document["status"], document["docStatus"]) == ("current", "final")


def test_what_is_not_understood_is_named_and_the_rest_is_kept():
    found = convert("ZZZ^Z01", PID, "ZPI|1|x", "QQQ|1")
    assert one(found, "Patient")["name"] == [{"family": "DOE", "given": ["JANE"]}]
    assert {(p.rule, p.path) for p in found.problems} == {("unmapped_segment", "ZPI"), ("unmapped_segment", "QQQ")}


def test_the_same_segment_twice_is_one_resource():
    found = convert("ADT^A01", PID, "AL1|1|DA|PEN^Penicillin", "AL1|2|DA|PEN^Penicillin", "AL1|3|DA|ASA^Aspirin")
    assert len(all_of(found, "AllergyIntolerance")) == 2


def test_chinese_senders_are_understood():
    found = convert(
        "ADT^A01",
        "PID|1||P9^^^HIS^PI~110101199003078830^^^^身份证||张三丰||19900307|1||01^汉族|朝阳区1号^^北京^^100022^CN^H||13800138000",
        "PV1|1|I|内科^301^02^某医院||||0101^王医生|||03.01^呼吸内科",
    )
    patient = one(found, "Patient")
    assert (patient["name"], patient["gender"]) == ([{"text": "张三丰"}], "male")
    assert patient["identifier"][1]["system"] == "urn:oid:2.16.156.10011.1.3"
    assert patient["telecom"] == [{"system": "phone", "value": "13800138000", "use": "mobile"}]
    assert one(found, "Encounter")["serviceType"] == {"coding": [{"code": "03.01", "display": "呼吸内科"}]}


def test_without_zone_and_offset_a_time_is_cut_to_its_date():
    found = convert("ORU^R01", PID, "OBR|1|||X|||202403010900", zone=None)
    assert one(found, "DiagnosticReport")["effectiveDateTime"] == "2024-03-01"


def test_a_site_overrides_single_lines(tmp_path):
    (tmp_path / "segments.csv").write_text(
        "# our registration desk\nmap,source,when,target,as,codes,value\n"
        "PID[Patient],PID-8,,,,,\nPID[Patient],PID-27,PID-8 valued,extension[vet].url,,,urn:site:veteran\n"
        "PID[Patient],PID-27,PID-8 valued,extension[vet].valueString,CWE[string],,\n",
        "utf-8",
    )
    (tmp_path / "codes.csv").write_text("map,code,to,system,display\nMaritalStatus,M,L,urn:site:m,同居\n", "utf-8")
    tables = Tables.load(tmp_path)
    message = f"MSH|^~\\&|||||||ADT^A01|1\r{PID}||||||||M" + "|" * 11 + "V^veteran\r"
    patient = next(r for r in convert_message(message, tables).resources if r["resourceType"] == "Patient")
    assert "gender" not in patient
    assert patient["extension"] == [{"url": "urn:site:veteran", "valueString": "veteran"}]
    assert patient["maritalStatus"]["coding"] == [{"system": "urn:site:m", "code": "L", "display": "同居"}]
    assert patient["birthDate"] == "1990-03-07"


@pytest.mark.parametrize(
    "line",
    ["PID[Patient],PID-5,,nam,XPN[HumanName],,", "PID[Patient],PID-5,PID-8 maybe,name,XPN[HumanName],,",
     "PID[Patient],PID-x,,name,XPN[HumanName],,", "PID[Patient],PID-5,,meta,XPN[Meta],,"],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_place(tmp_path, line):
    (tmp_path / "segments.csv").write_text(f"map,source,when,target,as,codes,value\n{line}\n", "utf-8")
    with pytest.raises(SpecError, match=r"segments\.csv:2"):
        convert_message(f"MSH|^~\\&|||||||ADT^A01|1\r{PID}\r", Tables.load(tmp_path))


def test_the_example_of_the_reference_page_runs(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "reference" / "hl7v2-mapping.md").read_text("utf-8")
    (tmp_path / "segments.csv").write_text(page.split("```csv\n")[1].split("```")[0], "utf-8")
    message = f"MSH|^~\\&|||||||ADT^A01|1\r{PID}" + "|" * 19 + "CARD7\r"
    patient = next(
        r for r in convert_message(message, Tables.load(tmp_path)).resources if r["resourceType"] == "Patient"
    )
    assert patient["identifier"][-1] == {"value": "CARD7", "system": "urn:oid:2.16.156.10011.1.15"}
    assert "gender" not in patient
