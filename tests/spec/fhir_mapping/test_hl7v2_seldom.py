"""HL7 v2 as it is seldom written: other line ends, small letters, stray lines, and segments few systems send."""

import pytest

from fhir_mapping.document import Converted, Resource
from fhir_mapping.hl7v2 import convert_message

PID = "PID|1||P1^^^HIS^MR||DOE^JANE||19900307|F"


def convert(kind: str, *segments: str, encoding: str = "^~\\&", end: str = "\r") -> Converted:
    header = f"MSH|{encoding}|HIS|H1|LIS|H2|20240301083000+0100||{kind}|M1|P|2.5"
    return convert_message(end.join([header, *segments]) + end)


def all_of(converted: Converted, type_: str) -> list[Resource]:
    return [r for r in converted.resources if r["resourceType"] == type_]


def one(converted: Converted, type_: str) -> Resource:
    (found,) = all_of(converted, type_)
    return found


def problems(converted: Converted) -> set[tuple[str, str]]:
    return {(p.rule, p.path) for p in converted.problems}


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\x0b", "\x85", "\\r", "\\n", "\\r\\n"])
def test_whatever_ends_a_segment_the_message_is_read(end):
    found = convert("ADT^A01", PID, "PV1|1|I|W1", end=end)
    assert one(found, "Patient")["birthDate"] == "1990-03-07"
    assert one(found, "Encounter")["class"]["code"] == "IMP"


def test_segment_names_may_be_small_and_a_blank_is_no_escape_character():
    found = convert("ADT^A01", "pid" + PID[3:].replace("JANE", "JA\\NE"), encoding="^~ &")
    assert one(found, "Patient")["name"] == [{"family": "DOE", "given": ["JA\\NE"]}]


def test_a_line_that_is_no_segment_is_told_and_joins_no_field():
    found = convert("ADT^A01", PID, "PV1|1|I|W1||||7^SMITH^ANN", "*** end of page ***")
    assert one(found, "Practitioner")["name"] == [{"family": "SMITH", "given": ["ANN"]}]
    assert ("stray_line", "PV1") in problems(found)


def test_a_line_of_a_text_belongs_to_it():
    found = convert("ORU^R01", PID, "OBR|1|||R^Report^L", "OBX|1|TX|R^Report^L||first", "second||||||F")
    assert one(found, "Observation")["valueString"] == "first\nsecond"
    assert not any(rule == "stray_line" for rule, _ in problems(found))


def test_fields_of_delimiters_and_nulls_make_nothing():
    found = convert(
        "ADT^A01", PID + '|||||||||""', "IN1|1|P1||INSURER", 'IN2||444-55-6666|""|||||||||||||||||||||""', "NK1|1|^^|"
    )
    assert [r["name"] for r in all_of(found, "Organization") if r.get("name") not in ("H1", "H2", "HIS")] == ["INSURER"]
    assert not all_of(found, "Account") and not all_of(found, "RelatedPerson")


def test_goals_and_pathways_address_the_problem_before_them():
    found = convert(
        "PPR^PC1",
        PID,
        "PRB|AD|20240301|I10^Hypertension^I10|PRB1^HIS|||20240101||||||C|ACTIVE",
        "PTH|AD|PW1^Pressure pathway^L|PW-7^HIS|20240102|COMPLETED",
        "GOL|AD|20240301|G1^Below 140/90^L|GI1^HIS|||20240103|20241231|||||||||well on the way|ACTIVE",
        "NTE|1||by diet^^",
        "GOL|DE|20240301|G2^Other^L|GI2^HIS",
    )
    condition = one(found, "Condition")
    addressed = [{"reference": f"Condition/{condition['id']}"}]
    assert condition["verificationStatus"]["coding"][0]["code"] == "confirmed"
    plan, (goal, deleted) = one(found, "CarePlan"), all_of(found, "Goal")
    assert (plan["status"], plan["title"], plan["identifier"][0]["value"]) == ("completed", "Pressure pathway", "PW-7")
    assert (goal["lifecycleStatus"], goal["startDate"], goal["target"]) == (
        "active", "2024-01-03", [{"dueDate": "2024-12-31"}],
    )  # fmt: skip
    assert [note["text"] for note in goal["note"]] == ["well on the way", "by diet"]
    assert plan["addresses"] == goal["addresses"] == addressed
    assert deleted["lifecycleStatus"] == "entered-in-error"


def test_staff_master_files_are_practitioners_and_their_roles():
    found = convert(
        "MFN^M02",
        "MFI|PRA||UPD|||NE",
        "MFE|MAD|||U1^^PLW|CE",
        "STF|U1^^PLW|U1^^^HIS^EI|GALEN^ANNA^^^DR|P|F|19511004|A|ICU^Intensive Care||^WPN^PH^^1^555^5551003|1 Road^^Town"
        "||||anna@his.example|||CHIEF",
        "PRA|U1^^PLW|GRP^Group One||I|OB/GYN^BOARD^C|1234887609^UPIN",
        "LAN|1|en^English^ISO639",
        "MFE|MDC|||U2^^PLW|CE",
        "STF|U2^^PLW||PARE^PAUL||||I",
    )
    anna, paul = all_of(found, "Practitioner")
    assert [i["value"] for i in anna["identifier"]] == ["U1", "1234887609"]
    assert {t["system"]: t["value"] for t in anna["telecom"]} == {
        "phone": "+1 555 5551003",
        "email": "anna@his.example",
    }
    assert (anna["gender"], anna["birthDate"], anna["active"], paul["active"]) == ("female", "1951-10-04", True, False)
    role = one(found, "PractitionerRole")
    assert role["practitioner"] == {"reference": f"Practitioner/{anna['id']}"}
    assert {"text": "CHIEF"} in role["code"] and {"text": "OB/GYN"} in role["specialty"]
    assert not any(rule == "unmapped_segment" for rule, _ in problems(found))


@pytest.mark.parametrize(
    ("orc", "information", "is_ordered"),
    [
        ("ORC|RE|PL1^EHR|FI1^IIS", "00", True),
        ("ORC|RE||FI1^IIS|||||||||77^Ordering^Otto", "00", True),
        ("ORC|RE||FI1^IIS|||||||||77^Ordering^Otto", "01", False),
        ("ORC|RE||FI1^IIS", "00", False),
    ],
)
def test_a_vaccine_order_is_a_request_where_there_was_one(orc, information, is_ordered):
    found = convert("VXU^V04", PID, orc, f"RXA|0|1|20240301||21^Varicella^CVX|0.5|mL||{information}^^NIP001")
    assert one(found, "Immunization")["vaccineCode"]["coding"][0]["code"] == "21"
    requests = all_of(found, "ServiceRequest")
    assert [r["code"]["coding"][0]["code"] for r in requests] == (["21"] if is_ordered else [])


def test_a_dose_to_give_and_a_dispense_name_their_order():
    given = convert("RGV^O15", PID, "ORC|RE|PL1^EHR|FI1^RX", "RXG|1|1||77^Insulin^L|8||UNIT^unit^L||^Slowly")
    request = one(given, "MedicationRequest")
    assert request["intent"] == "instance-order" and request["dosageInstruction"][0]["text"] == "Slowly"
    dispensed = convert("RDS^O13", PID, "ORC|RE|PL1^EHR|FI1^RX", "RXD|1|77^Insulin^L|20240301|2")
    prescription = one(dispensed, "MedicationDispense")["authorizingPrescription"]
    assert prescription == [{"type": "MedicationRequest", "identifier": {"system": "urn:id:EHR", "value": "PL1"}}]


def test_one_relative_in_several_segments_is_one_person():
    found = convert(
        "ADT^A01",
        PID,
        "NK1|1|DOE^TOM|SPO|1 Road^^Town",
        "IN1|1|P1||ONE||||||||||||DOE^TOM|SPO|19800101|1 Road^^Town",
        "IN1|2|P2||TWO||||||||||||DOE^TOM|SPO|19800101|1 Road^^Town",
        "IN1|3|P3||THREE||||||||||||DOE^TOM|CHD|20100101|1 Road^^Town",
        "IN1|4|P4||FOUR||||||||||||DOE^JANE|4^SELF|19900307",
    )
    spouse, child = all_of(found, "RelatedPerson")
    assert (spouse["birthDate"], child["birthDate"]) == ("1980-01-01", "2010-01-01")
    subscribers = [c["subscriber"]["reference"].split("/")[0] for c in all_of(found, "Coverage")]
    assert subscribers == ["RelatedPerson", "RelatedPerson", "RelatedPerson", "Patient"]


def test_the_coding_method_of_old_versions_names_the_code_system():
    found = convert("ADT^A01", PID, "DG1|1|I9|428.0|Heart failure", "DG1|2|A|599.0", "PR1|1|C4|93458")
    systems = [r["code"]["coding"][0].get("system") for r in [*all_of(found, "Condition"), one(found, "Procedure")]]
    assert systems == ["http://hl7.org/fhir/sid/icd-9", None, "http://www.ama-assn.org/go/cpt"]


def test_a_code_system_without_a_code_is_no_value():
    found = convert("ORU^R01", PID, "OBR|1|||R", "OBX|1|CE|1^One^L||^^99LAB||||||F")
    assert "valueString" not in one(found, "Observation")


def test_an_address_in_one_piece_and_a_number_in_the_place_of_a_mail_address():
    found = one(
        convert("ADT^A01", "PID|||1||A^B||||||^^^^422-8033^JPN^H^静岡県静岡市登呂1-3-5||^^PH^+4541126549"), "Patient"
    )
    assert found["address"][0]["line"] == ["静岡県静岡市登呂1-3-5"]
    assert (found["telecom"][0]["system"], found["telecom"][0]["value"]) == ("phone", "+4541126549")


def test_the_accession_of_a_specimen_is_its_order_at_the_laboratory():
    segments = ["OBR|1|PL1|FI1|R^Report^L", "SPM|1|S1||SER"]
    assert one(convert("ORU^R01", PID, *segments), "Specimen")["accessionIdentifier"]["value"] == "FI1"
    own = one(convert("ORU^R01", PID, *segments, "SAC||ACC7"), "Specimen")
    assert own["accessionIdentifier"]["value"] == "ACC7"


def test_of_a_next_of_kin_every_organization_is_kept():
    found = convert("ADT^A01", PID, "NK1|1||OTH||||||||||ONE^L^1~TWO^L^2")
    contacts = [c["organization"]["reference"] for c in one(found, "Patient")["contact"]]
    names = {f"Organization/{r['id']}": r["name"] for r in all_of(found, "Organization")}
    assert [names[reference] for reference in contacts] == ["ONE", "TWO"]


def test_persons_named_with_more_and_with_less_are_one():
    found = convert(
        "ADT^A01",
        PID,
        "PD1||||7^SMITH^ANN^^^^^^F&1.2.3.4.5&ISO",
        "NK1|1|DOE^TOM^^^^^L|FTH^Father^HL70063|1 Road^^Town",
        "PV1|1|I|W1||||7^SMITH^ANN|7^OTHER^OTTO",
        "GT1|1|G1^^^F|DOE^TOM||1 Road^^Town||||M|I|FTH",
    )
    assert [p["name"][0]["family"] for p in all_of(found, "Practitioner")] == ["SMITH", "OTHER"]
    assert [p["gender"] for p in all_of(found, "RelatedPerson")] == ["male"]


def test_a_document_names_the_orders_it_is_about():
    found = convert("MDM^T02", PID, "ORC|RE|O1", "OBR|1|O1||X^Chest^L", "TXA|1|HP|TX||||||||D1", "OBX|1|TX|T^T^L||text")
    request = one(found, "ServiceRequest")
    assert one(found, "DocumentReference")["context"]["related"] == [{"reference": f"ServiceRequest/{request['id']}"}]


def test_what_stands_behind_the_visit_of_a_referral_is_its_note():
    found = convert("REF^I12", "RF1|A|R||||R1", PID, "PV1|1|O", "NTE|1||please see")
    assert one(found, "ServiceRequest")["note"] == [{"text": "please see"}]


def test_chinese_flags_and_bare_names_are_understood():
    found = convert("ORU^R01", PID, "OBR|1|||R" + "|" * 12 + "李四", "OBX|1|NM|1^白细胞^L||12.5|10^9/L||↑|||F")
    assert one(found, "Practitioner")["name"] == [{"text": "李四"}]
    assert one(found, "Observation")["interpretation"][0]["coding"][0]["code"] == "H"


def test_a_dose_whose_time_cannot_be_read_is_kept():
    vaccine = one(convert("VXU^V04", PID, "ORC|RE||F1", "RXA|0|1|201208a4||21^Varicella^CVX|0.5"), "Immunization")
    assert vaccine["occurrenceString"] == "unknown" and "_occurrenceDateTime" not in vaccine
    dose = one(convert("RAS^O17", PID, "ORC|RE||F1", "RXA|0|1|||77^Aspirin^L|1"), "MedicationAdministration")
    assert dose["effectivePeriod"]["extension"][0]["valueCode"] == "unknown"


def test_an_order_without_pid_is_kept_for_a_patient_without_a_name():
    found = convert("ORM^O01", "ORC|NW|O1", "OBR|1|O1||X^Chest^L")
    assert one(found, "ServiceRequest")["subject"] == {"reference": f"Patient/{one(found, 'Patient')['id']}"}
    assert not all_of(convert("ORU^R01", "OBX|1|NM|1^One^L||5||||||F"), "Patient")


@pytest.mark.parametrize(
    ("kind", "name", "drug", "dose", "unit", "rate"),
    [("RDE^O11", "RXE", 2, 3, 5, 23), ("OMP^O09", "RXO", 1, 2, 4, 21), ("RGV^O15", "RXG", 4, 5, 7, 15)],
)
def test_the_rate_of_an_infusion_stands_beside_its_dose(kind, name, drug, dose, unit, rate):
    fields = {drug: "NS^Saline^L", dose: "1000", unit: "mL", rate: "125", rate + 1: "mL/h^millilitre an hour^UCUM"}
    segment = "|".join([name, *[fields.get(i, "") for i in range(1, rate + 2)]])
    found = one(convert(kind, PID, "ORC|NW|P1", segment), "MedicationRequest")
    (amount,) = found["dosageInstruction"][0]["doseAndRate"]
    assert amount["doseQuantity"]["value"] == 1000
    assert (amount["rateQuantity"]["value"], amount["rateQuantity"]["code"]) == (125, "mL/h")


@pytest.mark.parametrize("unit", ["MIN", "minutes", "M"])
def test_minutes_of_an_appointment_are_told_in_several_ways(unit):
    found = convert("SIU^S12", f"SCH|A1|F1|||||||30|{unit}|^^^20240510090000^20240510093000", PID)
    assert one(found, "Appointment")["minutesDuration"] == 30


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1990年3月7日", "1990-03-07"),
        ("１９９０年０３月", "1990-03"),
        ("1990/3/7", "1990-03-07"),
        ("1990.03.07", "1990-03-07"),
        ("1990-3-7 8:09", "1990-03-07T08:09:00+01:00"),
        ("1990年3月7日 8时9分5秒", "1990-03-07T08:09:05+01:00"),
        ("1990-03-07T08:09:05.25Z", "1990-03-07T08:09:05.25Z"),
    ],
)
def test_times_are_read_with_points_and_chinese_words(written, read):
    found = convert("ADT^A08", PID + "|" * 21 + written)
    assert one(found, "Patient")["deceasedDateTime"] == read and not problems(found)


@pytest.mark.parametrize("written", ["1990年13月7日", "07/03/1990", "1990-3-7.5", "1990-2-30", "昨天"])
def test_what_is_no_time_is_a_problem(written):
    assert ("bad_date", "PID-29") in problems(convert("ADT^A08", PID + "|" * 21 + written))


def test_chinese_words_in_coded_fields_get_the_standard_codes_and_stay_as_text():
    found = convert(
        "ADT^A01",
        "PID|1||P1||张三||19900307|男|||||||汉语|20^已婚",
        "NK1|1|李四|配偶",
        "PV1|1|住院",
        "AL1|1|药物过敏|^青霉素|重度|皮疹",
        "IN1|1|01^城镇职工|YB" + "|" * 13 + "张三|本人",
    )
    patient = one(found, "Patient")
    assert patient["maritalStatus"]["coding"][0]["code"] == "M" and patient["maritalStatus"]["text"] == "已婚"
    assert one(found, "Encounter")["class"]["code"] == "IMP"
    (relative,) = one(found, "RelatedPerson")["relationship"]
    assert relative["coding"][0]["code"] == "SPS" and relative["text"] == "配偶"
    allergy = one(found, "AllergyIntolerance")
    assert (allergy["category"], allergy["criticality"], allergy["type"]) == (["medication"], "high", "allergy")
    assert one(found, "Coverage")["relationship"]["coding"][0]["code"] == "self"
    assert not problems(found)


@pytest.mark.parametrize(
    ("diagnosis", "system"),
    [
        ("DG1|1|ICD-10|H81.400x003^眩晕", "urn:oid:2.16.156.10011.2.3.3.11"),
        ("DG1|1||I10.x00x002^高血压^ICD10", "urn:oid:2.16.156.10011.2.3.3.11"),
        ("DG1|1|国家临床版2.0|I10.x00x002^高血压", "urn:cn:nhc:icd-10:clinical:2"),
        ("DG1|1||J18.900^肺炎^医保版V2.0", "urn:cn:nhsa:icd-10:2"),
        ("DG1|1||J18.900^肺炎^ICD10^^^^国家临床版2.0", "urn:cn:nhc:icd-10:clinical:2"),
        ("DG1|1||J18.9^Pneumonia^ICD10", "http://hl7.org/fhir/sid/icd-10"),
        ("DG1|1||T36.0X1A^Poisoning^I10C", "http://hl7.org/fhir/sid/icd-10-cm"),
    ],
)
def test_a_chinese_diagnosis_has_the_system_of_its_edition(diagnosis, system):
    (coding,) = one(convert("ADT^A01", PID, "PV1|1|I", diagnosis), "Condition")["code"]["coding"]
    assert coding["system"] == system


@pytest.mark.parametrize(
    ("procedure", "system"),
    [
        ("PR1|1|ICD9-CM-3|33.2401^支气管镜检查", "urn:oid:2.16.156.10011.2.3.3.12"),
        ("PR1|1||33.2400x001^支气管镜检查", "urn:oid:2.16.156.10011.2.3.3.12"),
        ("PR1|1||33.2401^支气管镜检查^国家临床版3.0", "urn:cn:nhc:icd-9-cm-3:clinical:3"),
        ("PR1|1||99213^Visit^C4", "http://www.ama-assn.org/go/cpt"),
    ],
)
def test_a_chinese_procedure_has_the_system_of_its_edition(procedure, system):
    (coding,) = one(convert("ADT^A01", PID, "PV1|1|I", procedure), "Procedure")["code"]["coding"]
    assert coding["system"] == system


@pytest.mark.parametrize("person", ["S01^李检验", "S01&李检验^20240301080000", "S01^SMITH^JOHN"])
def test_an_interpreter_of_results_keeps_the_name_however_it_is_cut(person):
    found = convert("ORU^R01", PID, "OBR|1|||R^Report^L" + "|" * 28 + person)
    (name,) = one(found, "Practitioner")["name"]
    assert name.get("text", name.get("family")) in ("李检验", "SMITH")
    assert not problems(found)


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("MDC", "urn:iso:std:iso:11073:10101"),
        ("lnc", "http://loinc.org"),
        ("ICD9CM", "http://hl7.org/fhir/sid/icd-9-cm"),
    ],
)
def test_further_names_of_code_systems_are_known(name, system):
    found = convert("ORU^R01", PID, "OBR|1|||R^Report^L", f"OBX|1|NM|147842^Heart rate^{name}||80||||||F")
    assert one(found, "Observation")["code"]["coding"][0]["system"] == system


@pytest.mark.parametrize("written", ["4.0~5.5", "4.0-5.5mmol/L", "4.0-5.5 mmol/L"])
def test_a_reference_range_with_a_tilde_or_a_unit_is_one_range_with_both_limits(written):
    found = convert("ORU^R01", PID, "OBR|1|||R^Report^L", f"OBX|1|NM|1^Glucose^L||5.1|mmol/L|{written}||||F")
    (limits,) = one(found, "Observation")["referenceRange"]
    assert limits["text"] == written
    assert (limits["low"]["value"], limits["high"]["value"], limits["low"]["code"]) == ("4.0", "5.5", "mmol/L")


@pytest.mark.parametrize(
    ("written", "value"),
    [("2.5×10^5", {"value": "2.5e5"}), ("<1*10^3", {"value": "1e3", "comparator": "<"}), ("约2×10^5", None)],
)
def test_a_number_times_a_power_of_ten_is_read_or_kept_as_written(written, value):
    found = convert("ORU^R01", PID, "OBR|1|||R^Report^L", f"OBX|1|NM|1^RNA^L||{written}|[IU]/mL^^UCUM|||||F")
    kept = one(found, "Observation")
    assert {k: v for k, v in kept.get("valueQuantity", {}).items() if k in ("value", "comparator")} == (value or {})
    assert value or kept["valueString"].startswith(written)


def test_a_bare_chinese_name_of_an_interpreter_is_no_number():
    found = convert("ORU^R01", PID, "OBR|1|||R^Report^L" + "|" * 28 + "李技师")
    assert one(found, "Practitioner")["name"] == [{"text": "李技师"}] and "identifier" not in one(found, "Practitioner")


def test_equal_charges_without_a_transaction_number_are_two_unless_one_is_said_twice():
    line = "FT1|{}|{}||20240304||CG|96372^Injection^C4|||1"
    two = convert("DFT^P03", PID, line.format(1, ""), line.format(2, ""), line.format(2, ""))
    assert len(all_of(two, "ChargeItem")) == 2
    assert len(all_of(convert("DFT^P03", PID, line.format(1, "T1"), line.format(2, "T1")), "ChargeItem")) == 1


@pytest.mark.parametrize(
    ("race", "ethnic", "groups"),
    [("01^汉族", "HA^汉族^GB3304", [["01", "HA"]]), ("汉族", "汉族", [[]]), ("01^汉族", "02^蒙古族", [["01"], ["02"]])],
)
def test_an_ethnic_group_told_twice_is_one_with_the_codes_of_both(race, ethnic, groups):
    patient = one(convert("ADT^A04", f"PID|1||P1||张三|||M||{race}" + "|" * 12 + ethnic), "Patient")
    found = [e["valueCodeableConcept"] for e in patient["extension"] if e["url"].endswith("ethnicGroup")]
    assert [[coding["code"] for coding in group.get("coding", [])] for group in found] == groups


@pytest.mark.parametrize("written", ["http://x.y/z^WPN^Internet", "^NET^Internet^https://x.y", "www.x.y"])
def test_a_web_address_is_no_telephone_number(written):
    (contact,) = one(convert("ADT^A04", f"PID|1||P1||DOE^J||||||||{written}"), "Patient")["telecom"]
    assert contact["system"] == "url" and "x.y" in contact["value"]
