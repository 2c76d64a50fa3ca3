"""Rules of the C-CDA guide that tie acts together, and what older guides (CCD 1.0, IHE, HITSP C32) say in their way."""

from __future__ import annotations

import pytest
from cda_acts import LOINC, SNOMED, XSI, below, code_of, first_code, resources, template, value_of

from fhir_mapping.cda import convert_document

PROBLEM_ID = '<id root="1.2.3.4.5" extension="p1"/>'


def pointer(number: str = "p1", kind: str = "REFR") -> str:
    return below(f'<act>{template(122)}<id root="1.2.3.4.5" extension="{number}"/><code nullFlavor="NP"/></act>', kind)


def problem(inner: str = "") -> str:
    return f"<observation>{template(4)}{PROBLEM_ID}{value_of('195967001')}{inner}</observation>"


def sections(*entries: str) -> dict[str, list[dict]]:
    told = "".join(f"<component><section><entry>{entry}</entry></section></component>" for entry in entries)
    found: dict[str, list[dict]] = {}
    for one in convert_document(f"<structuredBody {XSI}>{told}</structuredBody>".encode()).resources:
        found.setdefault(one["resourceType"], []).append(one)
    return found


def test_a_goal_addresses_the_problem_it_points_to_wherever_that_is_told():
    goal = f'<observation moodCode="GOL">{template(121)}{code_of("59408-5", LOINC)}{pointer()}</observation>'
    found = sections(goal, problem())
    (one,) = found["Condition"]
    assert found["Goal"][0]["addresses"] == [{"reference": f"Condition/{one['id']}"}]


def test_an_intervention_names_its_goal_and_its_reason():
    goal_id = '<id root="1.2.3.4.5" extension="g1"/>'
    goal = f'<observation moodCode="GOL">{template(121)}{goal_id}{code_of("59408-5", LOINC)}</observation>'
    inner = pointer("g1", "RSON") + pointer("p1", "RSON") + pointer("nowhere", "RSON")
    act = f'<act moodCode="INT">{template(131)}{code_of("423171007")}{inner}</act>'
    found = sections(act, goal, problem())
    (wanted,) = found["ServiceRequest"]
    (extension,) = wanted["extension"]
    assert extension["valueReference"] == {"reference": f"Goal/{found['Goal'][0]['id']}"}
    assert wanted["reasonReference"] == [{"reference": f"Condition/{found['Condition'][0]['id']}"}]


def test_an_indication_of_the_id_of_a_problem_is_that_problem():
    why = below(f"<observation>{template(19)}{PROBLEM_ID}{value_of('195967001')}</observation>", "RSON")
    found = sections(f"<procedure>{template(14)}{code_of('80146002')}{why}</procedure>", problem())
    (done,) = found["Procedure"]
    assert first_code(done["reasonCode"][0]) == "195967001"
    assert done["reasonReference"] == [{"reference": f"Condition/{found['Condition'][0]['id']}"}]


def test_a_health_concern_that_only_points_makes_the_problem_one():
    found = sections(f"<act>{template(132)}{code_of('75310-3', LOINC)}{pointer()}</act>", problem())
    (one,) = found["Condition"]
    assert [first_code(kind) for kind in one["category"]] == ["problem-list-item", "health-concern"]


def test_a_concern_is_named_by_its_own_id_too():
    concern = f'<act>{template(3)}<id root="1.2.3.4.5" extension="c1"/>{below(problem())}</act>'
    visit = f"<encounter>{template(49)}{code_of('185349003')}{pointer('c1', 'RSON')}</encounter>"
    found = sections(visit, concern)
    assert found["Encounter"][0]["reasonReference"] == [{"reference": f"Condition/{found['Condition'][0]['id']}"}]


def test_a_problem_keeps_what_kind_of_problem_it_is():
    symptom = f"<observation>{template(4)}{code_of('418799008')}{value_of('49727002')}</observation>"
    (one,) = resources(symptom, "11450-4")["Condition"]
    assert [first_code(kind) for kind in one["category"]] == ["problem-list-item", "418799008"]


def test_a_performer_known_by_number_alone_is_kept_beside_the_organization():
    place = '<representedOrganization><id root="1.2.3.4.9"/><name>North</name></representedOrganization>'
    who = f'<assignedEntity><id root="2.16.840.1.113883.4.6" extension="1234"/>{place}</assignedEntity>'
    act = f"<procedure>{template(14)}{code_of('80146002')}<performer>{who}</performer></procedure>"
    found = resources(act)
    assert found["Practitioner"][0]["identifier"][0]["value"] == "1234"
    assert found["Procedure"][0]["performer"][0]["onBehalfOf"]["reference"].startswith("Organization/")


def test_repeats_of_an_order_are_its_fills_and_repeats_of_a_drug_its_doses():
    material = f"<manufacturedMaterial>{code_of('573621', '2.16.840.1.113883.6.88')}</manufacturedMaterial>"
    product = f"<consumable><manufacturedProduct>{material}</manufacturedProduct></consumable>"
    supply = below(f'<supply moodCode="INT">{template(17)}<repeatNumber value="1"/></supply>', "REFR")
    text = f'<substanceAdministration moodCode="INT">{template(42)}<repeatNumber value="3"/>{product}{supply}'
    drug, fill = resources(text + "</substanceAdministration>")["MedicationRequest"]
    assert drug["dosageInstruction"][0]["timing"] == {"repeat": {"count": 3}}
    assert fill["dispenseRequest"] == {"numberOfRepeatsAllowed": 0}


def test_a_udi_told_beside_the_device_of_a_procedure_is_the_device_s():
    parts = "".join(
        f"<component><observation>{template(number)}<value {kind}</observation></component>"
        for number, kind in ((309, 'xsi:type="TS" value="20221015"/>'), (315, 'xsi:type="ED">L7</value>'))
    )
    udi = f'<entryRelationship typeCode="COMP"><organizer>{template(311)}{parts}</organizer></entryRelationship>'
    device = f"<playingDevice>{code_of('90412006')}</playingDevice>"
    role = f'<participantRole classCode="MANU">{template(37)}{device}</participantRole>'
    act = f'<procedure>{template(14)}{code_of("1")}<participant typeCode="DEV">{role}</participant>{udi}</procedure>'
    (made,) = resources(act)["Device"]
    assert (made["expirationDate"], made["lotNumber"]) == ("2022-10-15", "L7")


def test_an_organizer_of_functional_status_holds_its_observations():
    inner = f"<component><observation>{code_of('1')}{value_of('2')}</observation></component>"
    text = f'<organizer classCode="CLUSTER">{template(66)}{code_of("d5", "2.16.840.1.113883.6.254")}{inner}</organizer>'
    whole = next(one for one in resources(text, "47420-5")["Observation"] if "hasMember" in one)
    assert (first_code(whole["code"]), len(whole["hasMember"])) == ("d5", 1)


def test_a_qualifier_stays_in_the_words_of_its_code():
    side = '<qualifier><name displayName="Laterality"/><value displayName="Left"/></qualifier>'
    site = f'<targetSiteCode code="302509004" codeSystem="{SNOMED}" displayName="Heart">{side}</targetSiteCode>'
    (one,) = resources(f"<observation>{template(4)}{value_of('1')}{site}</observation>")["Condition"]
    assert one["bodySite"][0]["text"] == "Heart (Laterality: Left)"


def older(root: str) -> str:
    return f'<templateId root="{root}"/>'


def test_an_allergy_of_an_older_guide_is_an_allergy():
    entity = f"<playingEntity>{code_of('1191', '2.16.840.1.113883.6.88')}<name>Aspirin</name></playingEntity>"
    part = f'<participant typeCode="CSM"><participantRole>{entity}</participantRole></participant>'
    kinds = older("2.16.840.1.113883.10.20.1.28") + older("1.3.6.1.4.1.19376.1.5.3.1.4.6")
    text = f"<observation>{kinds}{code_of('59037007')}<value xsi:type='CD'/>{part}</observation>"
    act = f"<act>{older('2.16.840.1.113883.10.20.1.27')}{below(text)}</act>"
    found = resources(act, "48765-2")
    (one,) = found["AllergyIntolerance"]
    assert (one["code"]["text"], one["type"], one["category"]) == ("Aspirin", "intolerance", ["medication"])
    assert "Condition" not in found


@pytest.mark.parametrize(
    ("root", "section", "wanted"),
    [
        ("2.16.840.1.113883.10.20.1.24", "10160-0", "MedicationStatement"),
        ("2.16.840.1.113883.10.20.1.24", "11369-6", "Immunization"),
        ("1.3.6.1.4.1.19376.1.5.3.1.4.12", "", "Immunization"),
    ],
)
def test_a_substance_of_an_older_guide_goes_where_its_section_says(root, section, wanted):
    material = f"<manufacturedMaterial>{code_of('88', '2.16.840.1.113883.12.292')}</manufacturedMaterial>"
    product = f"<consumable><manufacturedProduct>{material}</manufacturedProduct></consumable>"
    found = resources(f"<substanceAdministration>{older(root)}{product}</substanceAdministration>", section)
    assert wanted in found


def test_a_null_flavor_written_as_a_code_is_no_code():
    entity = '<playingEntity><code code="UNK"><originalText>Not available</originalText></code><name>Latex</name>'
    part = f'<participant typeCode="CSM"><participantRole>{entity}</playingEntity></participantRole></participant>'
    (one,) = resources(f"<observation>{template(7)}{value_of('419199007')}{part}</observation>")["AllergyIntolerance"]
    assert one["code"] == {"text": "Latex"}


HEADER = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc">
<versionNumber value="2"/><effectiveTime value="20200101"/>
<recordTarget><patientRole><id root="1.2.3.4.5" extension="9"/><patient><languageCommunication><languageCode code="en"/>
<modeCode code="ESP" codeSystem="2.16.840.1.113883.5.60"/>
<proficiencyLevelCode code="G" codeSystem="2.16.840.1.113883.5.61"/></languageCommunication></patient></patientRole>
</recordTarget>
<inFulfillmentOf><order><id root="1.2.3.4.6" extension="O1"/></order></inFulfillmentOf>
<documentationOf><serviceEvent classCode="PCPR"><effectiveTime><low value="2019"/></effectiveTime>
<performer typeCode="PRF"><functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88"/><assignedEntity>
<id root="2.16.840.1.113883.4.6" extension="77"/><assignedPerson><name><family>Lin</family></name></assignedPerson>
</assignedEntity></performer></serviceEvent></documentationOf></ClinicalDocument>"""


def test_the_header_tells_the_care_team_the_order_the_version_and_how_well_a_language_is_spoken():
    found = {one["resourceType"]: one for one in convert_document(HEADER.encode()).resources}
    (member,) = found["CareTeam"]["participant"]
    assert (first_code(member["role"][0]), found["CareTeam"]["period"]) == ("PCP", {"start": "2019"})
    assert member["member"]["reference"] == f"Practitioner/{found['Practitioner']['id']}"
    (spoken,) = found["Patient"]["communication"]
    assert [part["valueCoding"]["code"] for part in spoken["extension"][0]["extension"]] == ["G", "ESP"]
    assert found["Composition"]["extension"][0]["valueString"] == "2"
    assert found["DocumentReference"]["context"]["related"][0]["identifier"]["value"] == "O1"


def test_the_visit_of_the_header_told_again_in_the_body_is_one_encounter():
    number = '<id root="1.2.3.4.5" extension="v1"/>'
    rank = below('<observation><templateId root="2.16.840.1.113883.10.20.24.3.166"/><value value="1"/></observation>')
    found_then = f"<observation>{template(4)}{value_of('195967001')}{rank}</observation>"
    diagnosed = below(f"<act>{template(80)}{below(found_then)}</act>")
    entry = f"<encounter>{template(49)}{number}{code_of('185349003')}{diagnosed}</encounter>"
    header = f"<componentOf><encompassingEncounter>{number}<effectiveTime><low value='2020'/></effectiveTime>"
    text = (
        f"<ClinicalDocument {XSI}><recordTarget><patientRole>{number}</patientRole></recordTarget>{header}"
        f"</encompassingEncounter></componentOf><component><section><entry>{entry}</entry></section></component>"
        "</ClinicalDocument>"
    )
    found = [one for one in convert_document(text.encode()).resources if one["resourceType"] == "Encounter"]
    assert [(one["period"], first_code(one["type"][0]), one["class"]["code"]) for one in found] == [
        ({"start": "2020"}, "185349003", "AMB")
    ]
    assert [one["rank"] for one in found[0]["diagnosis"]] == [1]


def test_a_value_that_is_a_file_is_a_document_and_no_string():
    value = '<value xsi:type="ED" mediaType="application/pdf" representation="B64">JVBERi0xLjQ=</value>'
    found = resources(f"<observation>{code_of('18748-4', LOINC)}{value}</observation>")
    (one,), (kept,) = found["Observation"], found["DocumentReference"]
    assert "valueString" not in one and one["derivedFrom"] == [{"reference": f"DocumentReference/{kept['id']}"}]
    assert kept["content"][0]["attachment"]["contentType"] == "application/pdf"
