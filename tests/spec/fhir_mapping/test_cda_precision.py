"""What must not be written: what did not happen as done, a word for "unknown" as a code, one person twice."""

from __future__ import annotations

import pytest
from cda_acts import LOINC, XSI, below, code_of, resources, template, value_of

from fhir_mapping.cda import convert_document
from fhir_mapping.cda.times import Clock

CVX = "2.16.840.1.113883.12.292"
DECLINED = "105480006"


def drug(code: str, system: str = "2.16.840.1.113883.6.88") -> str:
    material = f"<manufacturedMaterial>{code_of(code, system)}</manufacturedMaterial>"
    return f"<consumable><manufacturedProduct>{material}</manufacturedProduct></consumable>"


def declined() -> str:
    return below(f"<observation>{code_of('77301-0', LOINC)}{value_of(DECLINED)}</observation>", "REFR")


def test_an_act_that_is_null_as_a_whole_did_not_happen():
    act = f'<substanceAdministration{{}} moodCode="EVN">{template(52)}{drug("88", CVX)}</substanceAdministration>'
    assert resources(act.format(""))["Immunization"][0]["status"] == "completed"
    other = f"<observation>{code_of('8302-2', LOINC)}{value_of('195967001')}</observation>"
    null = act.format(' nullFlavor="NI"')
    assert "Immunization" not in resources(f"{null}</entry><entry>{other}")


@pytest.mark.parametrize(
    ("act", "type_", "status"),
    [
        (f"<substanceAdministration {{}}>{template(16)}{drug('314076')}{{}}</substanceAdministration>",
         "MedicationStatement", "not-taken"),
        (f"<substanceAdministration {{}}>{template(52)}{drug('88', CVX)}{{}}</substanceAdministration>",
         "Immunization", "not-done"),
        (f"<procedure {{}}>{template(14)}{code_of('6025007')}{{}}</procedure>", "Procedure", "not-done"),
    ],
)  # fmt: skip
def test_why_something_was_not_done_is_the_reason_of_that_and_no_finding(act, type_, status):
    found = resources(act.format('moodCode="EVN" negationInd="true"', declined()))
    (one,) = found[type_]
    why = one["statusReason"]
    assert one["status"] == status
    assert (why[0] if isinstance(why, list) else why)["coding"][0]["code"] == DECLINED
    assert "reasonCode" not in one and "Observation" not in found


@pytest.mark.parametrize("system", [CVX, LOINC, "2.16.840.1.113883.5.111"])
def test_a_word_for_unknown_is_no_code_of_a_system_that_does_not_have_it(system):
    (one,) = resources(f'<observation>{code_of("8302-2", LOINC)}<value xsi:type="CD" code="UNK" displayName="Flu" '
                       f'codeSystem="{system}"/></observation>')["Observation"]  # fmt: skip
    assert one["valueCodeableConcept"] == {"text": "Flu"}


def test_units_told_in_words_are_how_the_unit_is_shown():
    unit = ('<value xsi:type="CD" code="10*3/uL" codeSystem="2.16.840.1.113883.6.8"><originalText>THOUS/MCL'
            "</originalText></value>")  # fmt: skip
    units = below(f"<observation>{code_of('246514001')}{unit}</observation>", "COMP")
    value = '<value xsi:type="PQ" value="152" unit="10*3/uL"/>'
    (one,) = resources(f"<observation>{code_of('26515-7', LOINC)}{value}{units}</observation>")["Observation"]
    assert (one["valueQuantity"]["unit"], one["valueQuantity"]["code"]) == ("THOUS/MCL", "10*3/uL")


def _author(number: str, phone: str) -> str:
    name = "<assignedPerson><name><given>Ann</given><family>Lee</family></name></assignedPerson>"
    who = f'{number}<telecom value="tel:{phone}"/>{name}'
    return f'<author><time value="2024"/><assignedAuthor>{who}</assignedAuthor></author>'


@pytest.mark.parametrize(
    ("other", "phone", "count"),
    [
        ('<id root="1.2.3.4.5.6" extension="7"/>', "+1-555", 1),
        ('<id root="1.2.3.4.5.6" extension="7"/>', "+1-777", 2),
        ('<id root="2.16.840.1.113883.4.6" extension="2222222222"/>', "+1-555", 2),
    ],
)
def test_one_name_and_telephone_with_numbers_of_two_authorities_is_one_person(other, phone, count):
    acts = "".join(
        f"<entry><observation>{code_of(code, LOINC)}{value_of('195967001')}{author}</observation></entry>"
        for code, author in (
            ("8302-2", _author('<id root="2.16.840.1.113883.4.6" extension="1111111111"/>', "+1-555")),
            ("29463-7", _author(other, phone)),
            ("3141-9", f'<author><time value="2024"/><assignedAuthor>{other}</assignedAuthor></author>'),
        )
    )
    found = convert_document(f"<section {XSI}>{acts}</section>".encode()).resources
    assert sum(one["resourceType"] == "Practitioner" for one in found) == count


@pytest.mark.parametrize(
    ("places", "count"),
    [(("Elm", "Oak", "Oak"), 2), (("Oak", "Oak", "Oak"), 3), (("Elm", "Elm", "Oak"), 3), (("Elm", "Elm", None), 3)],
)
def test_a_number_of_another_authority_is_the_only_namesakes_at_the_same_address(places, count):
    ids = [("2.16.840.1.113883.4.6", "1111111111"), ("2.16.840.1.113883.4.6", "2222222222"), ("1.2.3", "K7")]
    acts = ""
    for code, (root, number), place in zip(("8302-2", "29463-7", "3141-9"), ids, places, strict=True):
        author = _author(f'<id root="{root}" extension="{number}"/>', "+1-555")
        if place:
            author = author.replace("<telecom", f"<addr><streetAddressLine>{place}</streetAddressLine></addr><telecom")
        acts += f"<entry><observation>{code_of(code, LOINC)}{value_of('195967001')}{author}</observation></entry>"
    found = convert_document(f"<section {XSI}>{acts}</section>".encode()).resources
    assert sum(one["resourceType"] == "Practitioner" for one in found) == count


def test_a_local_time_takes_the_offset_that_the_document_tells():
    clock = Clock("Asia/Shanghai")
    for offset, told in (("-05:00", "-05:00"), ("+00:00", "+08:00"), ("", "+08:00")):
        clock = Clock("Asia/Shanghai")
        clock.offset = offset
        assert clock.date_time("20240501083000") == f"2024-05-01T08:30:00{told}"


@pytest.mark.parametrize(
    ("oid", "name", "code", "system"),
    [
        ("2.16.840.1.113883.5.6", "LOINC", "75323-6", "http://loinc.org"),
        ("2.16.840.1.113883.5.6", "SNOMED CT", "195967001", "http://snomed.info/sct"),
        ("2.16.840.1.113883.5.6", "LOINC", "ABC", "urn:oid:2.16.840.1.113883.5.6"),
        ("2.16.840.1.113883.5.6", "", "75323-6", "urn:oid:2.16.840.1.113883.5.6"),
        ("2.16.840.1.113883.1.11.19563", "", "SPS", "http://terminology.hl7.org/CodeSystem/v3-RoleCode"),
        ("2.16.840.1.113883.5.53", "", "207Q00000X", "http://nucc.org/provider-taxonomy"),
    ],
)
def test_a_wrong_oid_gives_way_to_the_system_that_is_named_and_a_value_set_to_its_system(oid, name, code, system):
    value = f'<value xsi:type="CD" code="{code}" codeSystem="{oid}" codeSystemName="{name}"/>'
    (one,) = resources(f"<observation>{code_of('8302-2', LOINC)}{value}</observation>")["Observation"]
    assert one["valueCodeableConcept"]["coding"][0]["system"] == system


def test_an_organizer_of_results_among_vital_signs_is_their_panel():
    value = '<value xsi:type="PQ" value="85" unit="/min"/>'
    pulse = f'<observation><effectiveTime value="2024"/>{code_of("8867-4", LOINC)}{value}</observation>'
    found = resources(f"<organizer>{template(1)}<component>{pulse}</component></organizer>", "8716-3")
    assert "DiagnosticReport" not in found
    assert {o["category"][0]["coding"][0]["code"] for o in found["Observation"]} == {"vital-signs"}


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ('moodCode="EVN" negationInd="true"', "completed", "cancelled"),
        ('moodCode="INT"', "cancelled", "cancelled"),
        ('moodCode="INT"', "active", "planned"),
        ('moodCode="EVN"', "completed", "finished"),
    ],
)
def test_an_encounter_that_did_not_happen_is_cancelled(attributes, status, expected):
    act = f'<encounter {attributes}>{template(49)}{code_of("185349003")}<statusCode code="{status}"/></encounter>'
    assert resources(act)["Encounter"][0]["status"] == expected


def test_what_is_denied_and_has_no_word_in_fhir_is_left_out():
    goal = f'<observation moodCode="GOL" negationInd="true">{template(121)}{code_of("59408-5", LOINC)}</observation>'
    role = f"<participantRole>{template(37)}<playingDevice>{code_of('87405001')}</playingDevice></participantRole>"
    what = f'{template(50)}<participant typeCode="PRD">{role}</participant>'
    cane = f'<supply moodCode="EVN" negationInd="true">{what}</supply>'
    other = f"<observation>{code_of('8302-2', LOINC)}{value_of('195967001')}</observation>"
    found = resources(f"{goal}</entry><entry>{cane}</entry><entry>{other}")
    assert not found.keys() & {"Goal", "Device", "DeviceUseStatement"}


def test_a_nullified_concern_takes_its_problems_and_a_nullified_panel_its_results():
    problem = f"<observation>{template(4)}{value_of('195967001')}</observation>"
    (condition,) = resources(f'<act>{template(3)}<statusCode code="nullified"/>{below(problem)}</act>')["Condition"]
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition
    value = '<value xsi:type="PQ" value="5" unit="mmol/L"/>'
    result = f'<observation><statusCode code="completed"/>{code_of("2345-7", LOINC)}{value}</observation>'
    panel = f'<organizer>{template(1)}<statusCode code="nullified"/><component>{result}</component></organizer>'
    assert resources(panel, "30954-2")["Observation"][0]["status"] == "entered-in-error"


def test_a_guarantor_is_no_practitioner():
    name = "<name><given>Karl</given><family>Payer</family></name>"
    entity = '<assignedEntity><id root="1.2.3.4.5.{}" extension="1"/>{}</assignedEntity>'
    performers = "".join(
        f"<performer>{template(number)}{entity.format(number, who)}</performer>"
        for number, who in (
            (87, "<representedOrganization><name>Insurer</name></representedOrganization>"),
            (88, f"<assignedPerson>{name}</assignedPerson>"),
        )
    )
    found = resources(
        f'<act moodCode="EVN">{template(60)}{below(f"<act>{template(61)}{performers}</act>", "COMP")}</act>'
    )
    assert found["RelatedPerson"][0]["relationship"][0]["coding"][0]["code"] == "GUAR"
    assert "Practitioner" not in found and len(found["Coverage"][0]["payor"]) == 1
