"""Structures of the WS/T 500 parts themselves: headers, nested and mislabelled elements, numbers left out."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda import convert_document

Found = dict[str, list[dict[str, Any]]]


def element(code: str, value: str, label: str = "", inner: str = "") -> str:
    return f'<observation><code code="{code}" displayName="{label}"/>{value}{inner}</observation>'


def words(text: str) -> str:
    return f'<value xsi:type="ST">{text}</value>'


def coded(code: str, shown: str = "", text: str = "") -> str:
    return (
        f'<value xsi:type="CD" code="{code}" codeSystem="2.16.156.10011.2.3.1.85" displayName="{shown}">{text}</value>'
    )


def below(act: str) -> str:
    return f'<entryRelationship typeCode="COMP">{act}</entryRelationship>'


def group(*acts: str, name: str = "organizer") -> str:
    return f"<{name}><statusCode/>{''.join(f'<component>{act}</component>' for act in acts)}</{name}>"


def document(kind: str, entries: str, *, section: str = "29548-5", numbers: str = "", head: str = "") -> Found:
    person = '<id root="2.16.156.10011.1.3" extension="110101199001011234"/><name>张三</name>'
    text = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<realmCode code="CN"/><code code="{kind}" codeSystem="2.16.156.10011.2.4"/>'
        f'<effectiveTime value="20240501120000"/><recordTarget><patientRole>{numbers}<patient>{person}</patient>'
        f"</patientRole></recordTarget>{head}<component><section>"
        f'<code code="{section}"/>{entries}</section></component></ClinicalDocument>'
    )
    found: Found = {}
    for one in convert_document(text.encode()).resources:
        found.setdefault(one["resourceType"], []).append(one)
    return found


def entry(act: str) -> str:
    return f"<entry>{act}</entry>"


def author(name: str) -> str:
    who = f'<id root="2.16.156.10011.1.7" extension=""/><assignedPerson><name>{name}</name></assignedPerson>'
    return f"<author><assignedAuthor>{who}</assignedAuthor></author>"


def test_a_number_left_out_makes_no_identifier_and_joins_nobody():
    signed = author("李").replace("assignedAuthor", "assignedEntity").replace("author", "legalAuthenticator")
    found = document("C0002", "", numbers='<id root="2.16.156.10011.1.19"/>', head=author("王") + signed)
    assert [one["name"][0]["text"] for one in found["Practitioner"]] == ["王", "李"]
    assert all("identifier" not in one for one in found["Practitioner"])
    assert [one["value"] for one in found["Patient"][0]["identifier"]] == ["110101199001011234"]


def test_the_kind_of_patient_decides_before_numbers_that_are_empty():
    kind = '<patientType><patienttypeCode code="3" codeSystem="2.16.156.10011.2.3.1.271"/></patientType>'
    for told in (kind, ""):
        numbers = '<id root="2.16.156.10011.1.11" extension=""/><id root="2.16.156.10011.1.12" extension="Z1"/>'
        (visit,) = document("C0007", "", numbers=numbers + told)["Encounter"]
        assert visit["class"]["code"] == "IMP"


def test_the_way_of_admission_is_no_kind_of_visit():
    code = '<code code="1" codeSystem="2.16.156.10011.2.3.1.270" displayName="急诊"/>'
    head = f"<componentOf><encompassingEncounter>{code}</encompassingEncounter></componentOf>"
    (visit,) = document("C0032", "", head=head)["Encounter"]
    assert (visit["class"]["code"], visit["hospitalization"]["admitSource"]["coding"][0]["code"]) == ("IMP", "1")
    assert "type" not in visit


def test_nationality_occupation_employer_and_registered_address_are_kept():
    more = (
        '<nationality code="156" codeSystem="2.16.156.10011.2.3.3.1"/><household><place><addr><city>戊市</city></addr>'
        "</place></household><employerOrganization><name>第一工厂</name></employerOrganization>"
        '<occupation><occupationCode code="13" codeSystem="2.16.156.10011.2.3.3.13"/></occupation>'
        '<age value="34" unit="岁"/>'
    )
    text = "</patientRole></recordTarget>"
    head = f"<recordTarget><patientRole><patient>{more}</patient>{text}"
    raw = f'<ClinicalDocument><realmCode code="CN"/>{head}</ClinicalDocument>'
    found = {one["resourceType"]: one for one in convert_document(raw.encode()).resources}
    patient = found["Patient"]
    assert patient["extension"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "156"
    assert patient["address"] == [{"city": "戊市"}]
    assert patient["contact"][0]["organization"] == {"display": "第一工厂"}
    assert "Organization" not in found
    observed = [one for one in convert_document(raw.encode()).resources if one["resourceType"] == "Observation"]
    assert [one["code"]["coding"][0]["code"] for one in observed] == ["11341-5", "30525-0"]
    assert observed[1]["valueQuantity"]["code"] == "a"


def test_a_person_to_contact_is_found_under_either_name_of_the_entity():
    entity = '<assignedEntity classCode="ECON"><assignedPerson><name>孙</name></assignedPerson></assignedEntity>'
    found = document("C0053", "", head=f'<participant typeCode="NOT">{entity}</participant>')
    assert found["RelatedPerson"][0]["name"] == [{"text": "孙"}]


def test_the_name_of_a_diagnosis_stands_in_the_code_s_own_text():
    found = document("C0004", entry(element("DE05.01.024.00", coded("I10.x00", text="高血压"), "诊断代码")))
    assert found["Condition"][0]["code"]["text"] == "高血压"


def test_who_diagnosed_is_the_asserter_and_a_hospital_is_somebody_of_it():
    place = "<representedOrganization><name>市医院</name></representedOrganization>"
    made = f"<performer><assignedEntity><id/>{place}</assignedEntity></performer>"
    found = document("C0007", entry(element("DE05.01.024.00", coded("I10.x00"), inner=made)))
    (role,) = found["PractitionerRole"]
    assert found["Condition"][0]["asserter"] == {"reference": f"PractitionerRole/{role['id']}"}


def test_the_main_diagnosis_is_known_by_the_qualifier_too():
    code = '<code code="DE05.01.024.00"><qualifier><name displayName="主要诊断疾病代码"/></qualifier></code>'
    visit = '<id root="2.16.156.10011.1.12" extension="Z1"/>'
    act = f"<observation>{code}{coded('I10.x00')}</observation>"
    (one,) = document("C0032", entry(act), section="11535-2", numbers=visit)["Encounter"]
    assert one["diagnosis"][0]["rank"] == 1


def test_an_allergen_that_stands_in_a_participant_is_the_allergy():
    entity = '<playingEntity><code code="DE02.10.022.00" displayName="过敏药物"/><desc>青霉素</desc></playingEntity>'
    part = f'<participant typeCode="CSM"><participantRole>{entity}</participantRole></participant>'
    flag = element("DE02.10.023.00", '<value xsi:type="BL" value="true"/>', inner=part)
    act = f'<act><code nullFlavor="NA"/>{below(flag)}</act>'
    found = document("C0032", entry(act), section="48765-2")
    assert [one["code"] for one in found["AllergyIntolerance"]] == [{"text": "青霉素"}]


def test_a_label_corrects_a_code_that_contradicts_it():
    specimen = below(element("DE04.30.019.00", words("血清"), "标本类别"))
    item = element("DE04.30.019.00", words("血糖"), "检查项目代码", inner=specimen)
    value = element("DE04.30.015.00", '<value xsi:type="REAL" value="5.60"/>')
    hint = element("DE04.50.131.00", words("未见异常"), "检查报告结果-主观提示")
    found = document("C0006", entry(group(item, value)) + entry(hint), section="30954-2")
    assert [one["code"]["text"] for one in found["Observation"]] == ["血糖"]
    assert found["Specimen"][0]["type"] == {"text": "血清"}
    assert found["DiagnosticReport"][0]["conclusion"] == "未见异常"


def test_a_cluster_that_calls_itself_an_observation_is_read():
    kind = element("DE06.00.289.00", coded("01", "药品"))
    state = below(element("DE06.00.290.00", words("已执行")))
    time = '<effectiveTime><low value="20240501"/><high value="20240503"/></effectiveTime>'
    checked = '<time value="20240501100000"/><participantRole><playingEntity><name>周</name></playingEntity>'
    part = f'<participant typeCode="ATND">{checked}</participantRole></participant>'
    content = element("DE06.00.288.00", words("低盐饮食"), inner=time + author("赵") + part + state)
    found = document("C0002", entry(group(kind, content, name="observation")), section="46209-3")
    (order,) = found["ServiceRequest"]
    assert (order["status"], order["category"][0]["coding"][0]["code"]) == ("completed", "01")
    assert order["occurrencePeriod"] == {"start": "2024-05-01", "end": "2024-05-03"}
    people = {f"Practitioner/{one['id']}": one["name"][0]["text"] for one in found["Practitioner"]}
    assert people[order["requester"]["reference"]] == "赵"
    (checks,) = [one for one in found["Provenance"] if one["target"][0]["reference"].startswith("ServiceRequest/")]
    assert people[checks["agent"][0]["who"]["reference"]] == "周"


def test_times_a_day_in_rate_quantity_are_the_timing_not_a_rate():
    drug = "<manufacturedLabeledDrug><name>阿司匹林</name></manufacturedLabeledDrug>"
    act = (
        '<substanceAdministration><doseQuantity value="0.1" unit="g"/><rateQuantity value="3" unit="次/日"/>'
        f"<consumable><manufacturedProduct>{drug}</manufacturedProduct></consumable></substanceAdministration>"
    )
    (one,) = document("C0004", entry(act), section="10160-0")["MedicationRequest"]
    (how,) = one["dosageInstruction"]
    assert how["timing"]["repeat"] == {"frequency": 3, "period": 1, "periodUnit": "d"}
    assert list(how["doseAndRate"][0]) == ["doseQuantity"]


def drug(name: str) -> str:
    made = f"<manufacturedLabeledDrug><name>{name}</name></manufacturedLabeledDrug>"
    return (
        f"<substanceAdministration><consumable><manufacturedProduct>{made}</manufacturedProduct></consumable>"
        "</substanceAdministration>"
    )


def days(number: int) -> str:
    return element("DE06.00.294.00", f'<value xsi:type="PQ" value="{number}" unit="天"/>')


def test_days_of_supply_hold_for_the_drug_they_stand_by_else_for_all():
    own = entry(group(drug("甲"), days(3))) + entry(group(drug("乙"), days(7)))
    by_turn = entry(drug("甲")) + entry(days(3)) + entry(drug("乙")) + entry(days(7))
    for entries, wanted in ((own, [3, 7]), (by_turn, [3, 7]), (entry(drug("甲")) + entry(group(days(5))), [5])):
        found = document("C0004", entries, section="10160-0")["MedicationRequest"]
        assert [one["dispenseRequest"]["expectedSupplyDuration"]["value"] for one in found] == wanted


def test_assistants_and_sites_belong_to_the_operation():
    helper = '<code displayName="第一助手"/><playingEntity><name>吴</name></playingEntity>'
    part = f'<participant typeCode="ATND"><participantRole>{helper}</participantRole></participant>'
    site = below(element("DE06.00.093.00", words("冠状动脉"), "手术及操作目标部位名称"))
    act = f'<procedure><code code="36.06" codeSystem="2.16.156.10011.2.3.3.12"/>{part}{site}</procedure>'
    (one,) = document("C0032", entry(act), section="47519-4")["Procedure"]
    assert (one["performer"][0]["function"], one["bodySite"]) == ({"text": "第一助手"}, [{"text": "冠状动脉"}])


def test_departments_of_a_stay_and_where_it_went_on_are_the_encounters():
    place = "<representedOrganization><name>骨科</name></representedOrganization>"
    moved = f"<observation><code/><author><assignedAuthor>{place}</assignedAuthor></author></observation>"
    goal = below(element("DE08.10.013.00", words("省医院"), "拟接受医疗机构名称"))
    left = element("DE06.00.223.00", coded("2", "医嘱转院"), inner=goal)
    numbers = '<id root="2.16.156.10011.1.12" extension="Z1"/>'
    found = document("C0032", entry(moved) + entry(left), section="42349-1", numbers=numbers)
    (visit,) = found["Encounter"]
    assert visit["location"] == [{"location": {"reference": f"Location/{found['Location'][0]['id']}"}}]
    assert visit["hospitalization"]["destination"]["reference"].startswith("Organization/")
    assert "DiagnosticReport" not in found


def test_an_outcome_of_the_stay_and_a_price_are_observations_by_their_own_codes():
    outcome = element("DE05.10.113.00", coded("2", "好转"))
    part = below(element("HDSD00.11.143", '<value xsi:type="MO" value="345.60" currency="元"/>'))
    price = element("HDSD00.11.142", '<value xsi:type="MO" value="12345.60" currency="元"/>', inner=part)
    found = document("C0032", entry(outcome) + entry(price), section="8648-8")["Observation"]
    codes = [(one["code"]["coding"][0]["system"][-5:], one["code"]["coding"][0]["code"]) for one in found]
    assert codes == [("2.2.1", "DE05.10.113.00"), ("2.2.4", "HDSD00.11.143"), ("2.2.4", "HDSD00.11.142")]
    assert found[2]["valueQuantity"]["value"] == "12345.60" and len(found[2]["hasMember"]) == 1


def test_numbers_of_orders_and_specimens_and_spans_of_symptoms_are_kept():
    order = '<id root="2.16.156.10011.1.24" extension="S1"/><id root="2.16.156.10011.1.14" extension="B1"/>'
    time = '<effectiveTime><low value="20240428"/><high value="20240430"/></effectiveTime>'
    symptom = f'<observation><code code="DE04.01.117.00"/>{time}{words("反酸")}</observation>'
    found = document("C0002", entry(symptom), numbers=order)
    assert found["Observation"][0]["effectivePeriod"] == {"start": "2024-04-28", "end": "2024-04-30"}
    assert found["DocumentReference"][0]["context"]["related"][0]["identifier"]["value"] == "S1"
    item = element("DE04.30.019.00", words("血糖"), inner=below(element("DE04.50.134.00", words("血清"))))
    (specimen,) = document("C0007", entry(item), section="30954-2", numbers=order)["Specimen"]
    assert specimen["identifier"][0]["value"] == "B1"


def test_who_wrote_a_prescription_prescribed_and_who_wrote_a_report_interpreted():
    time = '<author><time value="20240430"/><assignedAuthor>'
    head = author("王").replace("<author><assignedAuthor>", time)
    found = document("C0004", entry(drug("甲")), section="10160-0", head=head)
    who = {"reference": f"Practitioner/{found['Practitioner'][0]['id']}"}
    assert [(one["authoredOn"], one["requester"]) for one in found["MedicationRequest"]] == [("2024-04-30", who)]
    hint = element("DE04.50.132.00", words("未见异常"))
    assert document("C0006", entry(hint), head=head)["DiagnosticReport"][0]["resultsInterpreter"] == [who]


def test_a_flag_is_read_however_its_truth_is_written():
    for written, denied in (("1", False), ("T", False), ("是", False), ("0", True), ("F", True), ("否", True)):
        flag = element("DE02.10.023.00", f'<value xsi:type="BL" value="{written}"/>')
        found = document("C0002", entry(flag), section="48765-2")
        assert ("AllergyIntolerance" in found) == denied


def test_a_finding_by_a_local_code_belongs_to_the_visit_and_an_arrow_means_high():
    local = f'<observation><code code="L1" codeSystem="1.2.3.4.5" displayName="本院项目"/>{words("阳性")}</observation>'
    item = element("DE04.30.019.00", words("血糖"))
    arrow = element("DE04.30.017.00", words("↑"))
    value = element("DE04.30.015.00", '<value xsi:type="REAL" value="9.8"/>')
    numbers = '<id root="2.16.156.10011.1.12" extension="Z1"/>'
    found = document("C0007", entry(local) + entry(group(item, arrow, value)), section="30954-2", numbers=numbers)
    by_visit, high = found["Observation"]
    assert by_visit["encounter"] == {"reference": f"Encounter/{found['Encounter'][0]['id']}"}
    assert high["interpretation"][0]["coding"][0]["code"] == "H"


def test_an_order_is_kept_when_only_its_kind_is_told_or_the_element_is_that_of_the_kind():
    alone = document(
        "C0002", entry(element("DE06.00.289.00", coded("02", "检验类医嘱"), "医嘱项目类型")), section="18776-5"
    )
    (kind,) = alone["Observation"]
    assert kind["valueCodeableConcept"]["coding"][0]["display"] == "检验类医嘱"
    named = document("C0002", entry(element("DE06.00.289.00", words("胸部CT"), "医嘱项目内容")), section="18776-5")
    assert [one["code"]["text"] for one in named["ServiceRequest"]] == ["胸部CT"] and "Observation" not in named
    both = group(element("DE06.00.289.00", coded("02", "检验类")), element("DE06.00.288.00", words("血常规")))
    found = document("C0002", entry(both), section="18776-5")
    assert found["ServiceRequest"][0]["category"][0]["coding"][0]["code"] == "02" and "Observation" not in found


def test_the_name_of_an_element_tells_the_use_of_a_diagnosis_where_the_section_does_not():
    main = group(
        element("DE05.01.025.00", words("重症肺炎"), "出院诊断-主要诊断名称"),
        element("DE05.01.024.00", coded("J18.901"), "出院诊断-主要诊断疾病编码"),
    )
    first = element("DE05.01.024.00", coded("J18.900"), "门（急）诊诊断疾病编码")
    numbers = '<id root="2.16.156.10011.1.12" extension="Z1"/>'
    found = document("C0032", entry(main) + entry(first), section="11450-4", numbers=numbers)
    discharge, visit = found["Encounter"][0]["diagnosis"]
    assert (discharge["use"]["coding"][0]["code"], discharge["rank"]) == ("DD", 1) and "use" not in visit


def test_an_examination_keeps_its_method_and_the_number_of_its_specimen():
    told = [("DE02.10.027.00", "内镜活检"), ("DE04.50.131.00", "胃窦溃疡"), ("DE04.50.132.00", "建议复查")]
    entries = "".join(entry(element(code, words(text))) for code, text in told)
    found = document("C0006", entries, numbers='<id root="2.16.156.10011.1.14" extension="B1"/>')
    assert found["Observation"][0]["method"] == {"text": "内镜活检"}
    (specimen,) = found["Specimen"]
    assert specimen["identifier"][0]["value"] == "B1"
    assert found["DiagnosticReport"][0]["specimen"] == [{"reference": f"Specimen/{specimen['id']}"}]


def test_a_procedure_whose_code_is_only_a_name_is_kept():
    act = '<procedure><code displayName="清创缝合术"/><statusCode/></procedure>'
    assert [one["code"] for one in document("C0002", entry(act))["Procedure"]] == [{"text": "清创缝合术"}]


def test_an_act_that_nothing_maps_is_reported():
    act = '<act classCode="ACT" moodCode="EVN"><code displayName="健康教育"/></act>'
    text = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code="CN"/><code code="C0002"/>'
        f"<component><section><code displayName='其他'/>{entry(act)}</section></component></ClinicalDocument>"
    )
    assert "unmapped_act" in [problem.rule for problem in convert_document(text.encode()).problems]
