"""What must not be written: values in elements of another meaning, one thing twice, placeholders as facts."""

import pytest

from fhir_mapping.document import Converted, Resource
from fhir_mapping.hl7v2 import convert_message

PID = "PID|1||P1^^^HIS^MR||DOE^JANE||19900307|F"
NPI = "http://hl7.org/fhir/sid/us-npi"


def convert(kind: str, *segments: str) -> Converted:
    header = f"MSH|^~\\&|HIS|H1|LIS|H2|20240301083000+0800||{kind}|M1|P|2.5"
    return convert_message("\r".join([header, *segments]) + "\r")


def all_of(converted: Converted, type_: str) -> list[Resource]:
    return [r for r in converted.resources if r["resourceType"] == type_]


def one(converted: Converted, type_: str) -> Resource:
    (found,) = all_of(converted, type_)
    return found


def observed(kind: str, value: str, unit: str = "kg") -> Resource:
    return one(convert("ORU^R01", PID, "OBR|1|O1||X", f"OBX|1|{kind}|W^Weight^L||{value}|{unit}|||||F"), "Observation")


@pytest.mark.parametrize(
    ("authority", "name", "value"),
    [
        ("&1.2.840.114350.1.13&ISO", None, "urn:oid:1.2.840.114350.1.13"),
        ("1.2.840.114350.1.13&1.2.840.114350.1.13&ISO", None, "urn:oid:1.2.840.114350.1.13"),
        ("1.2.840.114350.1.13&LAB&ISO", "LAB", "urn:oid:1.2.840.114350.1.13"),
        ("1.2.840.114350.1.13&ISO", None, "urn:oid:1.2.840.114350.1.13"),
        ("LAB&1.2.840.114350.1.13&ISO", "LAB", "urn:oid:1.2.840.114350.1.13"),
    ],
)
def test_an_oid_is_an_identifier_and_no_name(authority, name, value):
    found = convert("ADT^A08", f"PID|1||P1^^^{authority}^MR||DOE^JANE")
    owner = next(r for r in all_of(found, "Organization") if "identifier" in r)
    assert owner.get("name") == name
    assert owner["identifier"][0]["value"] == one(found, "Patient")["identifier"][0]["system"] == value


def test_numbers_of_known_authorities_have_the_systems_that_fhir_knows():
    doctor = "1234567893^Lee^Dan^^^^^^{}^L^^^NPI"
    by_oid, by_name = (
        one(convert("ADT^A08", PID, f"PD1||||{doctor.format(owner)}"), "Practitioner")["identifier"][0]["system"]
        for owner in ("CMS&2.16.840.1.113883.4.6&ISO", "NPI")
    )
    assert by_oid == by_name == NPI
    code = one(convert("ORU^R01", PID, "OBR|1|||GLU^Glucose^2.16.840.1.113883.6.1"), "DiagnosticReport")["code"]
    assert code["coding"][0]["system"] == "http://loinc.org"


def test_a_number_of_an_authority_stands_once():
    card = "110101199003078515"
    patient = one(convert("ADT^A08", f"PID|1||P1^^^HIS^MR~{card}^^^GA^NI||DOE^JANE{'|' * 14}{card}"), "Patient")
    assert [i["value"] for i in patient["identifier"]] == ["P1", card]


def test_a_written_null_is_no_number():
    patient = one(convert("ADT^A08", "PID|1||P1^^^HIS^MR~null^^^FMP^PN||Null^JANE"), "Patient")
    assert [i["value"] for i in patient["identifier"]] == ["P1"]
    assert patient["name"][0]["family"] == "Null"


def test_a_coded_value_is_no_person():
    visit = one(convert("ADT^A01", PID, "PV1|1|I|||||||CAR^Cardiology^HL70069||||||||||V1"), "Encounter")
    assert "participant" not in visit


def test_the_older_snomed_is_not_snomed_ct():
    found = convert("ADT^A01", PID, "DG1|1||M-80003^Neoplasm^SNM", "DG1|2||73211009^Diabetes^SNM")
    systems = [c["code"]["coding"][0]["system"] for c in all_of(found, "Condition")]
    assert systems == ["urn:id:SNM", "http://snomed.info/sct"]


def test_chinese_words_are_text_and_no_code():
    visit = one(
        convert("ADT^A01", PID, "PV1|1|I", "DG1|1||J18^肺炎^I10|||入院诊断", "DG1|2||J19^x^I10|||主要诊断"), "Encounter"
    )
    first, second = (item["use"] for item in visit["diagnosis"])
    assert first["coding"][0]["code"] == "AD"
    assert second == {"text": "主要诊断"}


def test_a_dose_is_not_made_of_an_amount_and_another_ones_unit():
    request = one(
        convert("OMP^O09", PID, "ORC|NW|1", "TQ1|1|1^TAB|BID", "RXO|860975^Metformin^RXNORM|500||mg", "RXR|PO"),
        "MedicationRequest",
    )
    (dosage,) = request["dosageInstruction"]
    assert [(d["doseQuantity"]["value"], d["doseQuantity"]["unit"]) for d in dosage["doseAndRate"]] == [
        (1, "TAB"),
        (500, "mg"),
    ]
    assert dosage["route"] and dosage["timing"]


def test_the_timing_and_the_dose_of_an_encoded_order_are_one_instruction():
    request = one(convert("RDE^O11", PID, "ORC|NW|1", "RXE|^BID^^20240305|1^Drug^L|500||mg"), "MedicationRequest")
    (dosage,) = request["dosageInstruction"]
    assert dosage["timing"]["repeat"]["frequency"] == 2
    assert dosage["doseAndRate"] == [
        {"doseQuantity": {"value": 500, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}
    ]


def test_a_person_or_a_code_is_no_number_and_a_unit_alone_no_amount():
    request = one(
        convert("OMP^O09", PID, "ORC|NW|1", f"RXO|1^Drug^L{'|' * 10}TAB^Tablet^L|BOX|555^Order^Olga"),
        "MedicationRequest",
    )
    assert "dispenseRequest" not in request


@pytest.mark.parametrize(
    ("kind", "value", "element", "expected"),
    [
        ("NM", "70,5", "valueQuantity", "70.5"),
        ("NM", "1,234", "valueString", "1,234 kg"),
        ("ST", "70,5", "valueString", "70,5"),
        ("NM", "about 70", "valueString", "about 70 kg"),
    ],
)
def test_a_decimal_comma_is_read_where_it_can_be_nothing_else(kind, value, element, expected):
    found = observed(kind, value)[element]
    assert str(found["value"] if element == "valueQuantity" else found) == expected


def test_not_applicable_is_no_unit():
    assert observed("NM", "1", "NA^not applicable^HL70353")["valueQuantity"] == {"value": 1}


def test_an_allergy_to_nothing_is_none():
    found = convert("ADT^A60", PID, 'IAM|1|DA|""|||X|A4^EHR', "IAM|2|DA|||||A5^EHR", 'AL1|3|DA|""', "IAM|4||||RASH")
    assert len(all_of(found, "AllergyIntolerance")) == 1
    assert ("missing:AllergyIntolerance.code", "IAM") in {(p.rule, p.path) for p in found.problems}
    deleted = one(convert("ADT^A60", PID, 'IAM|1|DA|""|||D|A4^EHR'), "AllergyIntolerance")
    assert deleted["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


def test_a_visit_segment_for_the_form_alone_is_no_visit():
    assert not all_of(convert("ADT^A40", PID, "MRG|P2^^^HIS^MR", "PV1|1|N"), "Encounter")
    assert all_of(convert("ADT^A31", PID, "PV1|1|N|W^1"), "Encounter")


def test_the_number_that_a_visit_had_before_a_merge_is_an_old_one():
    visit = one(convert("ADT^A42", PID, "MRG|P2^^^HIS^MR||||V1", f"PV1|1|I{'|' * 17}V2"), "Encounter")
    assert [(i.get("use"), i["value"]) for i in visit["identifier"]] == [(None, "V2"), ("old", "V1")]


@pytest.mark.parametrize(("event", "status"), [("S12", "planned"), ("S15", "cancelled"), ("S26", "cancelled")])
def test_the_visit_of_an_appointment_has_not_begun(event, status):
    found = convert(f"SIU^{event}", "SCH|A1", PID, "PV1|1|O|CLINIC")
    assert one(found, "Encounter")["status"] == status


def test_what_an_order_is_for_is_no_diagnosis_of_the_visit():
    found = convert("OML^O21", PID, "PV1|1|O", "ORC|NW|1", "OBR|1|1||CBC", "DG1|1||D64.9^Anemia^I10C")
    reason = {"reference": f"Condition/{one(found, 'Condition')['id']}"}
    assert one(found, "ServiceRequest")["reasonReference"] == [reason]
    assert "diagnosis" not in one(found, "Encounter")


def test_a_charged_procedure_that_is_described_is_one():
    charge = f"FT1|1|T1||20240304||CG|X{'|' * 13}555^Doc^D|||||99213^Visit^C4"
    found = convert("DFT^P03", PID, charge, "PR1|1||99213^Visit^C4||20240304")
    done = one(found, "Procedure")
    assert one(found, "ChargeItem")["service"] == [{"reference": f"Procedure/{done['id']}"}]
    assert done["performer"]


def test_the_text_of_a_deleted_document_is_no_finding():
    text = "OBX|1|TX|18842-5^Discharge summary^LN||Admitted.||||||F"
    found = convert("MDM^T11", PID, f"TXA|1|DS|TX{'|' * 9}D1", text)
    assert one(found, "Observation")["status"] == one(found, "DocumentReference")["status"] == "entered-in-error"


def test_a_department_and_a_practice_are_two_organizations():
    found = convert(
        "MFN^M02", "MFE|MAD|1||1|CWE", "STF|1|1^^^HIS||Doe^Jo||||CARD^Cardiology", "PRA|1|GRP^Group practice"
    )
    assert {r["name"] for r in all_of(found, "Organization")} >= {"Cardiology"}
    assert all(len(r.get("identifier", [])) < 2 for r in all_of(found, "Organization"))


def test_relatives_with_one_social_security_number_are_one_with_each_relationship_once():
    found = convert(
        "ADT^A01",
        PID,
        f"NK1|1|DOE^JON|FTH{'|' * 9}E1^^^F{'|' * 25}333-22-1111",
        "GT1|1|G1^^^F|DOE^JON||||||||FTH^Father|333-22-1111",
    )
    (person,) = all_of(found, "RelatedPerson")
    assert len(person["relationship"]) == 1


def test_what_nobody_says_has_a_reason_instead_of_a_word():
    reason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    content = one(convert("MDM^T01", PID, f"TXA|1|DS|{'|' * 9}D1"), "DocumentReference")["content"]
    assert content[0]["attachment"]["extension"][0]["url"] == reason
    payor = one(convert("ADT^A01", PID, f"IN1|1|PPO{'|' * 34}POL1"), "Coverage")["payor"]
    assert payor[0]["extension"][0]["url"] == reason


def test_a_count_of_doses_without_a_unit_is_no_dose():
    order = ("ORC|NW|1", "RXE|1^BID|1^Drug^L|500||mg")
    (dosage,) = one(convert("RDE^O11", PID, *order), "MedicationRequest")["dosageInstruction"]
    assert [d["doseQuantity"]["value"] for d in dosage["doseAndRate"]] == [500]
    (alone,) = one(convert("RDE^O11", PID, "ORC|NW|1", "RXE|1^BID|1^Drug^L"), "MedicationRequest")["dosageInstruction"]
    assert alone["doseAndRate"] == [{"doseQuantity": {"value": 1}}]


def test_results_that_all_stand_behind_the_specimen_are_the_report_s():
    result = "OBX|{}|NM|{}^x^L||1||||||F"
    order = ("ORC|RE|1", "OBR|1|1||CULT")
    behind = convert("ORU^R01", PID, *order, "SPM|1|S1", result.format(1, "A"), result.format(2, "B"))
    assert len(one(behind, "DiagnosticReport")["result"]) == 2
    both = convert("ORU^R01", PID, *order, result.format(1, "A"), "SPM|1|S1", result.format(2, "B"))
    assert len(one(both, "DiagnosticReport")["result"]) == 1


@pytest.mark.parametrize("unit", ["10^9/L", "×10^9/L", "x10^9/L", "*10^9/L", "X10^3/uL"])
def test_a_power_of_ten_is_no_part_of_a_unit_alone(unit):
    found = observed("NM", "12.35", unit)["valueQuantity"]
    assert (found["unit"], found["code"]) == (unit, f"10*{unit.partition('^')[2]}")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("3.50--9.50", "3.50", "9.50"), ("-3--1", -3, -1), ("3.5–9.5", "3.5", "9.5"), ("1至2", 1, 2)],
)
def test_limits_are_read_whatever_the_dash(text, low, high):
    found = one(convert("ORU^R01", PID, "OBR|1|O1||X", f"OBX|1|NM|W||4|g/L|{text}||||F"), "Observation")
    (limits,) = found["referenceRange"]
    assert (limits["low"]["value"], limits["high"]["value"]) == (low, high)


def test_a_segment_of_nulls_is_nothing():
    nulls = [f'{name}|1||""' for name in ("DG1", "PR1", "AL1", "GT1", "NK1")]
    found = convert("ADT^A08", PID, "PV1|1|I", *nulls, 'IN1|1|""|""', "OBX|1||||||||||F")
    types = {r["resourceType"] for r in found.resources}
    assert types == {"Device", "Encounter", "MessageHeader", "Organization", "Patient"}
    assert "diagnosis" not in one(found, "Encounter")


def test_who_ordered_a_charged_service_is_told_from_who_did_it():
    charge = f"FT1|1|T1||20240304||CG|X{'|' * 13}5^Perf^Pia|6^Ord^Olga"
    done, ordered = one(convert("DFT^P03", PID, charge), "ChargeItem")["performer"]
    assert "function" not in done
    assert ordered["function"]["coding"][0]["code"] == "OP"


def test_a_diagnosis_on_admission_and_in_the_end_is_one_condition():
    said = ("DG1|1||I21.9^MI^I10C|||A", "DG1|2||I21.9^MI^I10C|||F|||||||||1", "DG1|3||I21.9^MI^I10C||2020|W")
    found = convert("ADT^A03", PID, "PV1|1|I", *said)
    conditions = [f"Condition/{r['id']}" for r in all_of(found, "Condition")]
    uses = [(conditions.index(d["condition"]["reference"]), d["use"]["coding"][0]["code"])
            for d in one(found, "Encounter")["diagnosis"]]  # fmt: skip
    assert uses == [(0, "AD"), (0, "F"), (1, "W")]


@pytest.mark.parametrize(
    ("written", "has_time"), [("19750806", False), ("197508060000", False), ("19750806083000", True)]
)
def test_midnight_is_no_time_of_birth(written, has_time):
    patient = one(convert("ADT^A08", f"PID|1||P1||DOE^JANE||{written}"), "Patient")
    assert patient["birthDate"] == "1975-08-06"
    assert ("_birthDate" in patient) is has_time


def test_words_for_unknown_are_no_names_numbers_and_telephones():
    patient = "PID|1||000^^^HIS^MR~P1^^^HIS^MR~UNKNOWN^^^X^PI||DOE^JANE~Unknown^Unknown||||||||UNKNOWN~+1 555|NONE"
    found = convert("ADT^A01", patient, "PV1|1|I|||||UNKNOWN^UNKNOWN~1^Doc^Dan||0000")
    person = one(found, "Patient")
    assert [i["value"] for i in person["identifier"]] == ["P1"]
    assert [n["family"] for n in person["name"]] == ["DOE"]
    assert [t["value"] for t in person["telecom"]] == ["+1 555"]
    assert [r["name"][0]["family"] for r in all_of(found, "Practitioner")] == ["Doc"]
    assert len(one(found, "Encounter")["participant"]) == 1


def test_patients_without_a_number_are_not_one():
    first, second = (
        one(convert("ADT^A08", f"PID|1||{number}^^^HIS^MR||{name}"), "Patient")["id"]
        for number, name in (("UNKNOWN", "DOE^JANE"), ("UNKNOWN", "ROE^JON"))
    )
    assert first != second


def test_a_name_told_twice_stands_once_with_all_that_is_told():
    patient = one(convert("ADT^A08", "PID|1||P1||DOE^JANE^^^MRS^^L~DOE^JANE^^^^^L~ROE^JANE^^^^^M"), "Patient")
    assert [(n["family"], n.get("prefix")) for n in patient["name"]] == [("DOE", ["MRS"]), ("ROE", None)]


def test_a_blank_line_of_a_text_is_no_finding():
    lines = [f"OBX|{n}|TX|A^Text^L|1|{text}||||||F" for n, text in enumerate(("one", "", "two"), start=1)]
    found = convert("ORU^R01", PID, "OBR|1|O1||A", *lines)
    assert [o["valueString"] for o in all_of(found, "Observation")] == ["one", "two"]


def test_a_document_of_an_order_makes_no_report_without_results():
    found = convert("MDM^T02", PID, "OBR|1|O1||A", f"TXA|1|DS|TX{'|' * 9}D1", "OBX|1|TX|A^Text^L||words||||||F")
    assert not all_of(found, "DiagnosticReport")


def test_one_name_in_large_and_small_letters_is_one_organization_and_one_place():
    found = convert("ADT^A01", "PID|1||P1^^^Good Lab^MR~P2^^^GOOD LAB^PI", "PV1|1|I|W1^1^1^GOOD LAB|||W2^2^^GOOD LAB")
    names = [r["name"] for r in all_of(found, "Organization")]
    assert sum(name.casefold() == "good lab" for name in names) == 1
    assert [r["name"] for r in all_of(found, "Location")].count("GOOD LAB") == 1


def test_a_place_told_twice_is_one_with_all_that_is_told():
    found = convert("ADT^A01", PID, "PV1|1|I|W1^1^1^H^^C|||W1^1^1^H")
    assert [r["name"] for r in all_of(found, "Location")] == ["H", "W1", "1", "1"]
    now, before = (item["location"] for item in one(found, "Encounter")["location"])
    assert now == before
