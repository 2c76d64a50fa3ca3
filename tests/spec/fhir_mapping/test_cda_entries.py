"""Rules of the C-CDA mapping, one small entry each."""

from __future__ import annotations

import pytest
from cda_acts import LOINC, XSI, below, code_of, first_code, resources, template, value_of

from fhir_mapping.cda import convert_document


def allergy(*, negated: str = "false", substance: str = "", kind: str = "419199007", inner: str = "") -> str:
    entity = f"<participantRole><playingEntity>{code_of(substance)}</playingEntity></participantRole>"
    named = f'<participant typeCode="CSM">{entity}</participant>' if substance else ""
    observation = f'<observation negationInd="{negated}">{template(7)}{value_of(kind)}{named}{inner}</observation>'
    return f'<act>{template(30)}<statusCode code="active"/>{below(observation)}</act>'


def test_an_allergy_has_its_substance_and_kind():
    (one,) = resources(allergy(substance="91936005", kind="414285001"))["AllergyIntolerance"]
    assert (first_code(one["code"]), one["type"], one["category"]) == ("91936005", "allergy", ["food"])


@pytest.mark.parametrize(
    ("kind", "wanted"), [("419199007", "716186003"), ("416098002", "409137002"), ("414285001", "429625007")]
)
def test_no_allergy_at_all_is_a_code_of_its_own(kind, wanted):
    (one,) = resources(allergy(negated="true", kind=kind))["AllergyIntolerance"]
    assert (first_code(one["code"]), first_code(one["verificationStatus"])) == (wanted, "confirmed")


def test_an_allergy_denied_is_refuted():
    (one,) = resources(allergy(negated="true", substance="762952008"))["AllergyIntolerance"]
    assert first_code(one["verificationStatus"]) == "refuted"


def test_a_reaction_takes_its_own_severity():
    severity = below(f"<observation>{template(8)}{value_of('24484000')}</observation>")
    reaction = below(f"<observation>{template(9)}{value_of('247472004')}{severity}</observation>", "MFST")
    (one,) = resources(allergy(substance="1", inner=reaction))["AllergyIntolerance"]
    (shown,) = one["reaction"]
    assert (first_code(shown["manifestation"][0]), shown["severity"]) == ("247472004", "severe")


def problem(value: str = "233604007", *, negated: str = "false", time: str = "", outer: str = "active") -> str:
    observation = f'<observation negationInd="{negated}">{template(4)}{time}{value_of(value)}</observation>'
    return f'<act>{template(3)}<statusCode code="{outer}"/>{below(observation)}</act>'


@pytest.mark.parametrize(
    ("high", "outer", "status"),
    [
        ("", "active", "active"),
        ('<high value="2011"/>', "completed", "resolved"),
        ('<high nullFlavor="UNK"/>', "active", "resolved"),
        ("", "completed", "inactive"),
    ],
)
def test_a_problem_is_over_where_its_time_is(high, outer, status):
    time = f'<effectiveTime><low value="2010"/>{high}</effectiveTime>'
    (one,) = resources(problem(time=time, outer=outer), "11450-4")["Condition"]
    assert (first_code(one["clinicalStatus"]), one["onsetDateTime"]) == (status, "2010")
    assert first_code(one["category"][0]) == "problem-list-item"


@pytest.mark.parametrize(
    ("value", "wanted"), [("55607006", ("160245001", "confirmed")), ("73211009", ("73211009", "refuted"))]
)
def test_no_known_problem_is_a_code_of_its_own_and_a_denied_one_refuted(value, wanted):
    (one,) = resources(problem(value, negated="true"))["Condition"]
    assert (first_code(one["code"]), first_code(one["verificationStatus"])) == wanted


def drug(mood: str = "EVN", *, negated: str = "false", inner: str = "", number: int = 16) -> str:
    material = f"<manufacturedMaterial>{code_of('573621', '2.16.840.1.113883.6.88')}</manufacturedMaterial>"
    return (
        f'<substanceAdministration moodCode="{mood}" negationInd="{negated}">{template(number)}'
        '<statusCode code="active"/><effectiveTime xsi:type="IVL_TS"><low value="20120806"/></effectiveTime>'
        '<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="6" unit="h"/></effectiveTime>'
        f'<doseQuantity value="1.50" unit="mg"/><consumable><manufacturedProduct>{material}</manufacturedProduct>'
        f"</consumable>{inner}</substanceAdministration>"
    )


def test_what_was_taken_is_a_statement_and_its_numbers_keep_their_text():
    (one,) = resources(drug())["MedicationStatement"]
    assert (one["status"], one["effectivePeriod"]) == ("active", {"start": "2012-08-06"})
    assert one["dosage"][0]["doseAndRate"][0]["doseQuantity"]["value"] == "1.50"
    assert one["dosage"][0]["timing"]["repeat"] == {"frequency": 1, "period": 6, "periodUnit": "h"}


def test_what_is_meant_to_be_taken_is_a_request_with_its_bounds():
    (one,) = resources(drug("INT"))["MedicationRequest"]
    bounds = one["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"]
    assert (one["intent"], bounds) == ("plan", {"start": "2012-08-06"})


def test_a_drug_not_taken_says_so():
    (one,) = resources(drug(negated="true"))["MedicationStatement"]
    assert one["status"] == "not-taken"


def test_an_order_and_a_dispense_are_their_own_resources():
    order = f'<supply moodCode="INT">{template(17)}<repeatNumber value="2"/><quantity value="75"/></supply>'
    given = f'<supply moodCode="EVN">{template(18)}<statusCode code="completed"/><quantity value="30"/></supply>'
    found = resources(drug(inner=below(order, "REFR") + below(given, "REFR")))
    (wanted,), (dispensed,) = found["MedicationRequest"], found["MedicationDispense"]
    assert wanted["dispenseRequest"] == {"numberOfRepeatsAllowed": 1, "quantity": {"value": 75}}
    assert (dispensed["status"], dispensed["quantity"]) == ("completed", {"value": 30})


def test_a_refused_vaccine_is_not_done():
    refusal = below(f"<observation>{template(53)}{code_of('PATOBJ', '2.16.840.1.113883.5.8')}</observation>")
    (one,) = resources(drug(negated="true", inner=refusal, number=52))["Immunization"]
    assert (one["status"], first_code(one["statusReason"])) == ("not-done", "PATOBJ")


def test_systolic_and_diastolic_of_one_moment_are_one_blood_pressure():
    def measured(loinc: str, value: int) -> str:
        amount = f'<value xsi:type="PQ" value="{value}" unit="mm[Hg]"/>'
        time = '<effectiveTime value="20120910"/>'
        return f"<component><observation>{template(27)}{code_of(loinc, LOINC)}{time}{amount}</observation></component>"

    both = measured("8480-6", 132) + measured("8462-4", 88)
    pressure, panel = resources(f"<organizer>{template(26)}{both}</organizer>")["Observation"]
    parts = [(first_code(part["code"]), part["valueQuantity"]["value"]) for part in pressure["component"]]
    assert (first_code(pressure["code"]), parts) == ("85354-9", [("8480-6", 132), ("8462-4", 88)])
    assert panel["hasMember"] == [{"reference": f"Observation/{pressure['id']}"}]


def test_a_finding_denied_is_a_question_answered_no():
    text = f'<observation negationInd="true"><code code="ASSERTION"/>{value_of("77386006")}</observation>'
    (one,) = resources(text)["Observation"]
    assert (first_code(one["code"]), one["valueBoolean"]) == ("77386006", False)


def test_a_value_that_is_null_says_why():
    text = f'<observation>{code_of("1", LOINC)}<value xsi:type="CD" nullFlavor="ASKU"/></observation>'
    (one,) = resources(text)["Observation"]
    assert first_code(one["dataAbsentReason"]) == "asked-unknown"


def procedure(mood: str, number: int, negated: str = "false") -> str:
    played = f"<participantRole><playingDevice>{code_of('40388003')}</playingDevice></participantRole>"
    device = f'<participant typeCode="DEV">{played}</participant>'
    head = f'<procedure moodCode="{mood}" negationInd="{negated}">{template(number)}{code_of("73761001")}'
    return f'{head}<statusCode code="completed"/>{device}</procedure>'


def test_a_planned_procedure_is_a_request():
    (one,) = resources(procedure("RQO", 41))["ServiceRequest"]
    assert (one["intent"], first_code(one["code"])) == ("order", "73761001")


def test_a_procedure_has_its_device_and_one_not_done_has_none():
    done, refused = resources(procedure("EVN", 14)), resources(procedure("EVN", 14, "true"))
    (device,) = done["Device"]
    assert done["Procedure"][0]["focalDevice"][0]["manipulated"]["reference"] == f"Device/{device['id']}"
    assert (refused["Procedure"][0]["status"], "Device" in refused) == ("not-done", False)


def test_an_office_visit_is_ambulatory_and_its_billing_code_the_type():
    (one,) = resources(f'<encounter moodCode="EVN">{code_of("99213", "2.16.840.1.113883.6.12")}</encounter>')[
        "Encounter"
    ]
    assert (one["class"]["code"], first_code(one["type"][0])) == ("AMB", "99213")


def test_the_same_act_told_twice_is_one_resource_with_all_that_was_told():
    head = f'<procedure moodCode="EVN"><id root="1.2.3456.7" extension="p"/>{code_of("73761001")}'
    brief, full = f"{head}</procedure>", f'{head}<effectiveTime value="2012"/></procedure>'
    text = f"<section><entry>{brief}</entry><entry>{full}</entry></section>"
    (one,) = [r for r in convert_document(text.encode()).resources if r["resourceType"] == "Procedure"]
    assert one["performedDateTime"] == "2012"


def test_words_are_found_in_the_narrative():
    told = '<value xsi:type="CD" nullFlavor="OTH"><originalText><reference value="#a1"/></originalText></value>'
    text = (
        f'<section {XSI}><text><table><tr><td ID="a1">Peanut rash</td></tr></table></text>'
        f"<entry><observation>{code_of('1', LOINC)}{told}</observation></entry></section>"
    )
    (one,) = [r for r in convert_document(text.encode()).resources if r["resourceType"] == "Observation"]
    assert one["valueCodeableConcept"] == {"text": "Peanut rash"}


def test_a_dicom_study_has_its_series_and_instances_by_uid():
    dicom, uid = "1.2.840.10008.2.16.4", "1.2.840.113619.2.62.1"
    name, value = code_of("121139", dicom, name="name"), code_of("CR", dicom, name="value")
    series_code = f'<code code="113015" codeSystem="{dicom}"><qualifier>{name}{value}</qualifier></code>'
    image = (
        f'<observation><id root="{uid}.3"/>{code_of("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.2.6.1")}</observation>'
    )
    series = f'<act>{template(63)}<id root="{uid}.2"/>{series_code}{below(image)}</act>'
    text = f'<act><templateId root="2.16.840.1.113883.10.20.6.2.6"/><id root="{uid}"/>{below(series)}</act>'
    (one,) = resources(text, "121181")["ImagingStudy"]
    (told,) = one["series"]
    assert (one["identifier"][0]["value"], told["uid"], told["modality"]["code"]) == (
        f"urn:oid:{uid}",
        f"{uid}.2",
        "CR",
    )
    assert told["instance"][0]["sopClass"]["code"] == "urn:oid:1.2.840.10008.5.1.4.1.1.1"


def test_a_patient_who_writes_is_no_practitioner():
    number = '<id root="1.2.3456.9" extension="p1"/>'
    name = "<name><given>Eve</given><family>Everywoman</family></name>"
    author = f"<author><assignedAuthor>{number}<assignedPerson>{name}</assignedPerson></assignedAuthor></author>"
    target = f"<recordTarget><patientRole>{number}<patient>{name}</patient></patientRole></recordTarget>"
    time = '<effectiveTime value="20240501"/>'
    found = convert_document(f"<ClinicalDocument>{time}{target}{author}</ClinicalDocument>".encode()).resources
    kinds = [one["resourceType"] for one in found]
    (composition,) = [one for one in found if one["resourceType"] == "Composition"]
    assert "Practitioner" not in kinds
    assert composition["author"][0]["reference"].startswith("Patient/")


def test_what_happened_in_the_visit_is_linked_to_it_and_history_is_not():
    visit = (
        '<encompassingEncounter><id root="1.2.3456.8"/><effectiveTime><low value="20240501"/><high value="20240503"/>'
    )
    header = f"<componentOf>{visit}</effectiveTime></encompassingEncounter></componentOf>"
    role = '<recordTarget><patientRole><id root="1.2.3456.9" extension="p1"/></patientRole></recordTarget>'
    acts = "".join(
        f'<entry><procedure moodCode="EVN">{code_of("73761001")}<effectiveTime value="{day}"/></procedure></entry>'
        for day in ("20240502", "20120502")
    )
    body = f"<component><structuredBody><component><section>{acts}</section></component></structuredBody></component>"
    document = f"<ClinicalDocument>{role}{header}{body}</ClinicalDocument>"
    found = convert_document(document.encode()).resources
    linked = {one["performedDateTime"]: "encounter" in one for one in found if one["resourceType"] == "Procedure"}
    assert linked == {"2024-05-02": True, "2012-05-02": False}
