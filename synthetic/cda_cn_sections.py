"""The sections of the six kinds of Chinese shared documents, each with its truth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from synthetic.cda_cn_values import (
    ALLERGIES,
    COMPLAINTS,
    DRUGS,
    FINDINGS,
    HISTORIES,
    HOSPITAL,
    ILLNESSES,
    IMPRESSIONS,
    OPERATIONS,
    TCM_ILLNESSES,
    TCM_SYNDROMES,
    TESTS,
    Drug,
)
from synthetic.cda_cn_writer import OID, Style, Truth, amount, coded, entry, nested, organizer, section, string

Writer = Callable[[Random, Style, Truth, datetime], list[str]]


def _diagnoses(
    code: str, name: str, rng: Random, style: Style, truth: Truth, count: int, *, chinese: bool = False
) -> str:
    """A diagnosis section: each with name and code in an organizer, or all codes and all names flat."""
    chosen = rng.sample(ILLNESSES, count)
    for one in chosen:
        truth.has("Condition", "code.coding.code", one.code)
        truth.has("Condition", "code.coding.system", "urn:oid:2.16.156.10011.2.3.3.11")
        truth.has("Condition", "code.text", one.name)
    truth.counts["Condition"] += count
    names = [style.element("DE05.01.025.00", "诊断名称", string(one.name)) for one in chosen]
    codes = [style.element("DE05.01.024.00", "诊断代码", coded(one.code, style.icd_oid)) for one in chosen]
    if style.deviation == "flat_diagnoses":
        entries = "".join(entry(one) for one in (*names, *codes))
    else:
        entries = "".join(organizer([a, b]) for a, b in zip(names, codes, strict=True))
    if chinese:
        entries += _chinese_diagnosis(rng, style, truth)
    return section(code, name, entries)


def _chinese_diagnosis(rng: Random, style: Style, truth: Truth) -> str:
    """Disease and syndrome of Chinese medicine: one element code, told apart by the qualifier."""
    found = ""
    for kind, (code, name) in (("中医病名", rng.choice(TCM_ILLNESSES)), ("中医证候", rng.choice(TCM_SYNDROMES))):
        truth.has("Condition", "code.coding.code", code)
        truth.has("Condition", "code.text", name)
        truth.counts["Condition"] += 1
        qualifier = f'<qualifier><name displayName="{kind}"/></qualifier>'
        acts = []
        for element, label, value in (
            ("DE05.10.172.00", f"{kind}名称", string(name)),
            ("DE05.10.130.00", f"{kind}代码", coded(code, OID + "2.3.3.14")),
        ):
            act = style.element(element, label, value)
            head, tail = act.split("/>", 1)
            acts.append(f"{head}>{qualifier}</code>{tail}")
        found += organizer(acts)
    return found


def _words(code: str, name: str, element: str, label: str, words: str, style: Style, truth: Truth) -> str:
    truth.has("Observation", "valueString", words)
    return section(code, name, entry(style.element(element, label, string(words))))


def _vitals(rng: Random, style: Style, truth: Truth) -> str:
    found = ""
    for element, label, low, unit, chinese in (
        ("DE04.10.174.00", "收缩压", 110, "mm[Hg]", "mmHg"),
        ("DE04.10.176.00", "舒张压", 70, "mm[Hg]", "mmHg"),
        ("DE04.10.118.00", "脉率", 60, "/min", "次/分"),
    ):
        value = str(low + rng.randrange(30))
        truth.has("Observation", "valueQuantity.value", value)
        truth.has("Observation", "valueQuantity.code", unit)
        truth.has("Observation", "code.coding.code", element)
        found += entry(style.element(element, label, amount(value, style.unit(unit, chinese))))
    return section("8716-3", "VITAL SIGNS", found)


def _outpatient(rng: Random, style: Style, truth: Truth, written: datetime) -> list[str]:
    substance = rng.choice(ALLERGIES)
    truth.has("AllergyIntolerance", "code.text", substance)
    truth.counts["AllergyIntolerance"] = 1
    flag = style.element("DE02.10.023.00", "过敏史标志", '<value xsi:type="BL" value="true"/>')
    allergy = style.element("DE05.01.022.00", "过敏史", string(substance))
    order = "低盐低脂饮食，定期监测血压"
    truth.has("ServiceRequest", "code.text", order)
    orders = organizer(
        [
            style.element("DE06.00.289.00", "医嘱项目类型", coded("05", OID + "2.3.1.268", "饮食")),
            style.element("DE06.00.288.00", "医嘱项目内容", string(order)),
        ]
    )
    return [
        section("48765-2", "Allergies, adverse reactions, alerts", entry(flag) + entry(allergy)),
        _words("10154-3", "CHIEF COMPLAINT", "DE04.01.119.00", "主诉", rng.choice(COMPLAINTS), style, truth),
        _words(
            "10164-2", "HISTORY OF PRESENT ILLNESS", "DE02.10.071.00", "现病史", rng.choice(HISTORIES), style, truth
        ),
        _vitals(rng, style, truth),
        _diagnoses("29548-5", "Diagnosis", rng, style, truth, 2, chinese=True),
        section("46209-3", "Provider Orders", orders),
    ]


def _prescription(rng: Random, style: Style, truth: Truth, written: datetime) -> list[str]:
    lines = "".join(_drug(rng, style, truth, drug) for drug in rng.sample(DRUGS, 2))
    truth.counts["MedicationRequest"] = 2
    days = str(rng.choice((3, 7, 14)))
    truth.has("MedicationRequest", "dispenseRequest.expectedSupplyDuration.value", days)
    truth.has("MedicationRequest", "dispenseRequest.expectedSupplyDuration.code", "d")
    supply = entry(style.element("DE06.00.294.00", "处方有效天数", amount(days, style.unit("d", "天"))))
    price = f"{rng.randrange(20, 300)}.50"
    truth.has("Observation", "valueQuantity.value", price)
    truth.has("Observation", "valueQuantity.code", "CNY")
    currency = style.unit("CNY", "元")
    money = f'<value xsi:type="MO" value="{price}" currency="{currency}"/>'
    cost = entry(style.element("DE07.00.004.00", "处方药品金额", money))
    return [
        _diagnoses("29548-5", "Diagnosis", rng, style, truth, 1),
        section("10160-0", "HISTORY OF MEDICATION USE", lines + supply),
        section("48768-6", "PAYMENT SOURCES", cost),
    ]


def _drug(rng: Random, style: Style, truth: Truth, drug: Drug) -> str:
    name, strength, dose, unit, route, frequency, total, pack = drug
    for path, value in (
        ("dosageInstruction.doseAndRate.doseQuantity.value", dose),
        ("dosageInstruction.route.coding.code", route[0]),
        ("dosageInstruction.timing.code.coding.code", frequency[0]),
        ("dispenseRequest.quantity.value", total),
    ):
        truth.has("MedicationRequest", path, value)
    truth.has("Medication", "code.text", name)
    inner = nested(style.element("DE08.50.043.00", "药物规格", string(strength)))
    inner += nested(style.element("DE06.00.135.00", "药物使用总剂量", amount(total, pack)))
    return entry(
        '<substanceAdministration classCode="SBADM" moodCode="EVN"><text/>'
        f'<routeCode code="{route[0]}" displayName="{route[1]}" codeSystem="{OID}2.3.1.158"/>'
        f'<doseQuantity value="{dose}" unit="{unit}"/>'
        f'<rateQuantity><translation code="{frequency[0]}" displayName="{frequency[1]}" codeSystem="{OID}2.3.1.267"/>'
        f'</rateQuantity><administrationUnitCode code="01" displayName="片剂" codeSystem="{OID}2.3.1.211"/>'
        f"<consumable><manufacturedProduct><manufacturedLabeledDrug><code/><name>{name}</name></manufacturedLabeledDrug>"
        f"</manufacturedProduct></consumable>{inner}</substanceAdministration>"
    )


def _examination(rng: Random, style: Style, truth: Truth, written: datetime) -> list[str]:
    finding, impression = rng.choice(FINDINGS), rng.choice(IMPRESSIONS)
    truth.has("Observation", "valueString", finding)
    truth.has("DiagnosticReport", "conclusion", impression)
    truth.has("Organization", "name", "放射科")
    truth.counts["DiagnosticReport"] = 1
    report = "".join(
        entry(style.element(element, label, string(words)))
        for element, label, words in (
            ("DE04.50.131.00", "检查报告结果-客观所见", finding),
            ("DE04.50.132.00", "检查报告结果-主观提示", impression),
            ("DE08.10.026.00", "检查报告科室", "放射科"),
            ("DE08.10.013.00", "检查报告机构名称", HOSPITAL[1]),
        )
    )
    kind = entry(style.element("DE04.30.018.00", "检查类别", string("X线检查")))
    truth.has("DiagnosticReport", "code.text", "X线检查")
    return [
        _diagnoses("29548-5", "Diagnosis", rng, style, truth, 1),
        _words("10154-3", "CHIEF COMPLAINT", "DE04.01.119.00", "主诉", rng.choice(COMPLAINTS), style, truth),
        section("29545-1", "PHYSICAL EXAMINATION", kind),
        section("", "检查报告", report),
    ]


def _laboratory(rng: Random, style: Style, truth: Truth, written: datetime) -> list[str]:
    taken = written - timedelta(hours=3)
    specimen = nested(
        style.element(
            "DE04.50.134.00",
            "标本类别",
            string("静脉血"),
            time=f'<effectiveTime><low value="{taken:%Y%m%d%H%M%S}"/><high value="{written:%Y%m%d%H%M%S}"/>'
            "</effectiveTime>",
        )
    )
    items, results = [], []
    for test in rng.sample(TESTS, 3):
        value = f"{rng.uniform(test.low, test.high):.{test.places}f}"
        meaning = rng.choice((("1", "正常"), ("2", "异常")))
        when = f'<effectiveTime value="{written:%Y%m%d%H%M%S}"/>'
        items.append(style.element("DE04.30.019.00", "检验项目代码", string(test.name), inner=specimen, time=when))
        unit = nested(style.element("DE04.30.016.00", "计量单位", string(test.unit)))
        quantity = style.element(
            "DE04.30.015.00", "检验定量结果", f'<value xsi:type="REAL" value="{value}"/>', inner=unit
        )
        results.append(
            (style.element("DE04.30.017.00", "检验结果代码", coded(meaning[0], OID + "2.3.2.38", meaning[1])), quantity)
        )
        if not style.mismatch:
            truth.has("Observation", "code.text", test.name)
            truth.has("Observation", "valueQuantity.value", value)
            truth.has("Observation", "valueQuantity.unit", test.unit)
    if style.mismatch:
        truth.problem = "unpaired_results"
        results.pop()
    else:
        truth.has("Specimen", "type.text", "静脉血")
        truth.has("Specimen", "collection.collectedDateTime", f"{taken:%Y-%m-%dT%H:%M:%S}+08:00")
        truth.counts["Observation"] = 3
        truth.counts["Specimen"] = 1
    if style.deviation.startswith("flat_results"):
        entries = "".join(entry(one) for one in items)
        entries += "".join(entry(meaning) for meaning, _ in results) + "".join(entry(value) for _, value in results)
    else:
        entries = "".join(organizer([item, *both]) for item, both in zip(items, results, strict=True))
    conclusion = "请结合临床"
    truth.has("DiagnosticReport", "conclusion", conclusion)
    truth.has("Organization", "name", "检验科")
    truth.counts["DiagnosticReport"] = 1
    report = entry(style.element("DE04.50.130.00", "检验报告结果", string(conclusion)))
    report += entry(style.element("DE08.10.026.00", "检验报告科室", string("检验科")))
    return [
        _diagnoses("29548-5", "Diagnosis", rng, style, truth, 1),
        section("30954-2", "STUDIES SUMMARY", entries),
        section("", "检验报告", report),
    ]


def _operation(rng: Random, style: Style, truth: Truth, written: datetime) -> str:
    code, name = rng.choice(OPERATIONS)
    done = written - timedelta(days=2)
    truth.has("Procedure", "code.coding.code", code)
    truth.has("Procedure", "code.coding.system", "urn:oid:2.16.156.10011.2.3.3.12")
    truth.has("Procedure", "code.text", name)
    truth.has("Procedure", "performedDateTime", f"{done:%Y-%m-%d}")
    truth.counts["Procedure"] = 1
    inner = nested(style.element("DE06.00.094.00", "手术（操作）名称", string(name)))
    inner += nested(style.element("DE06.00.257.00", "手术切口类别代码", coded("2", OID + "2.3.1.256", "Ⅱ类切口")))
    return section(
        "47519-4",
        "HISTORY OF PROCEDURES",
        entry(
            f'<procedure classCode="PROC" moodCode="EVN"><code code="{code}" codeSystem="{OID}2.3.3.12"/><statusCode/>'
            f'<effectiveTime value="{done:%Y%m%d}"/>{inner}</procedure>'
        ),
    )


def _stay(style: Style, truth: Truth) -> str:
    truth.has("Encounter", "length.value", "6")
    truth.has("Encounter", "length.code", "d")
    length = entry(style.element("DE06.00.310.00", "实际住院天数", amount("6", style.unit("d", "天"))))
    return section("8648-8", "Hospital Course", length)


def _front_page(rng: Random, style: Style, truth: Truth, written: datetime) -> list[str]:
    truth.has("Encounter", "hospitalization.dischargeDisposition.coding.code", "1")
    leave = entry(style.element("DE06.00.223.00", "离院方式", coded("1", OID + "2.3.1.265", "医嘱离院")))
    blood = entry(style.element("DE04.50.001.00", "ABO血型代码", coded("1", OID + "2.3.1.85", "A型")))
    truth.has("Observation", "valueCodeableConcept.coding.display", "A型")
    discharge = _diagnoses("11535-2", "HOSPITAL DISCHARGE DX", rng, style, truth, 2)
    return [
        discharge.replace("</section>", f"{leave}</section>"),
        section("30954-2", "STUDIES SUMMARY", blood),
        _operation(rng, style, truth, written),
        _stay(style, truth),
    ]


def _discharge(rng: Random, style: Style, truth: Truth, written: datetime) -> list[str]:
    course = "入院后完善相关检查，予对症支持治疗"
    advice = "出院后继续口服药物治疗，两周后门诊复查"
    truth.has("ServiceRequest", "code.text", advice)
    return [
        _words("11450-4", "PROBLEM LIST", "DE05.10.148.00", "入院情况", rng.choice(COMPLAINTS), style, truth),
        _diagnoses("11535-2", "Discharge Diagnosis", rng, style, truth, 2, chinese=True),
        _operation(rng, style, truth, written),
        _words("8648-8", "Hospital Course", "DE06.00.296.00", "诊疗过程描述", course, style, truth),
        section("46209-3", "Provider Orders", entry(style.element("DE06.00.287.00", "出院医嘱", string(advice)))),
    ]


WRITERS: dict[str, Writer] = {
    "C0002": _outpatient,
    "C0004": _prescription,
    "C0006": _examination,
    "C0007": _laboratory,
    "C0032": _front_page,
    "C0053": _discharge,
}
