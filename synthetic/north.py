"""Habit *north*: an old HIS that exports CSV in GB18030, with Chinese headers, Chinese dates and quoted line breaks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from synthetic.city import Hospital, Visit
from synthetic.illnesses import DEPARTMENTS, DRUGS, LAB_ITEMS
from synthetic.people import Person, wrong_check_digit
from synthetic.sheets import Defect, Habit, Layout, Resource, Row, change, full_width, is_value, put

VITALS = {
    "temperature": "体温",
    "pulse": "脉搏",
    "respiration": "呼吸",
    "systolic": "收缩压",
    "diastolic": "舒张压",
    "spo2": "血氧饱和度",
}
LAB_CODES = {
    "crp": "CRP",
    "wbc": "WBC",
    "neut": "NEUT%",
    "hgb": "HGB",
    "plt": "PLT",
    "glu": "GLU",
    "crea": "CREA",
    "alt": "ALT",
    "tsh": "TSH",
}
UNITS = {"10*9/L": "10^9/L", "umol/L": "μmol/L", "m[IU]/L": "mIU/L"}


def chinese_date(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def chinese_time(at: datetime) -> str:
    return f"{chinese_date(at)} {at.hour}时{at.minute:02d}分"


def patient_no(person: Person) -> str:
    return f"N{person.number:06d}"


def visit_no(visit: Visit) -> str:
    return f"MZ{visit.at:%y%m%d}{visit.number:05d}"


def _patient(person: Person, day: date) -> Row:
    return {
        "病人编号": patient_no(person),
        "姓名": person.name,
        "性别": "女" if person.female else "男",
        "出生日期": chinese_date(person.birth),
        "身份证号": person.id_card,
        "联系电话": person.phone,
        "住址": person.address,
        "登记时间": chinese_time(datetime(day.year, day.month, day.day, 7, 30)),
    }


def _visit(visit: Visit) -> Row:
    history = f"患者{visit.complaint}。\n既往史：无特殊。" if visit.number % 5 == 0 else f"主因“{visit.complaint}”来诊"
    return {
        "就诊号": visit_no(visit),
        "病人编号": patient_no(visit.person),
        "就诊时间": chinese_time(visit.at),
        "就诊科室": DEPARTMENTS[visit.department] + ("门诊" if visit.department.startswith("03") else ""),
        "主诉": visit.complaint,
        "现病史": history,
        **{header: visit.vitals.get(vital, "") for vital, header in VITALS.items()},
        "诊断编码": visit.illness.code,
        "诊断名称": visit.illness.name,
        "状态": "已诊",
        "更新时间": chinese_time(visit.at + timedelta(minutes=20)),
    }


def _results(visit: Visit) -> Iterable[Row]:
    for k, lab in enumerate(visit.labs):
        item = LAB_ITEMS[lab.item]
        yield {
            "结果号": f"L{visit.number:05d}{k:02d}",
            "就诊号": visit_no(visit),
            "病人编号": patient_no(visit.person),
            "项目代码": LAB_CODES[lab.item],
            "项目名称": item.name,
            "结果": lab.value,
            "单位": UNITS.get(item.unit, item.unit),
            "参考下限": f"{item.low:g}",
            "参考上限": f"{item.high:g}",
            "报告时间": chinese_time(visit.at + timedelta(minutes=70)),
        }


def _prescriptions(visit: Visit) -> Iterable[Row]:
    for k, name in enumerate(visit.drugs):
        number, _, dose, unit, frequency = DRUGS[name]
        yield {
            "处方明细号": f"CF{visit.number:05d}{k}",
            "就诊号": visit_no(visit),
            "病人编号": patient_no(visit.person),
            "药品编码": number,
            "药品名称": name,
            "单次剂量": f"{dose:g}",
            "剂量单位": unit,
            "频次": frequency,
            "开方时间": chinese_time(visit.at + timedelta(minutes=15)),
        }


def rows(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    """Every source's rows with their day of delivery; a person is delivered with the first visit."""
    return {
        "his__patient": [(v.delivered, _patient(v.person, v.at.date())) for v in hospital.first_visits()],
        "his__visit": [(v.delivered, _visit(v)) for v in hospital.visits],
        "lis__result": [(v.delivered, row) for v in hospital.visits for row in _results(v)],
        "his__prescription": [(v.delivered, row) for v in hospital.visits for row in _prescriptions(v)],
    }


def strangers(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    day = hospital.visits[0].delivered
    return {"his__patient": [(day, _patient(person, day - timedelta(days=1))) for person in hospital.strangers]}


def _visit_resources(row: Row) -> Iterable[Resource]:
    number = row["就诊号"]
    yield "Encounter", number
    if is_value(row["诊断编码"]):
        yield "Condition", number
    for vital, header in VITALS.items():
        if is_value(row[header]):
            yield "Observation", f"{number}|{vital}"


def _lose_quote(record: bytes) -> bytes:
    """Open a quote before the second cell and never close it."""
    return record.replace(b",", b',"', 1)


HABIT = Habit(
    name="north",
    marker="his__visit",
    layouts=(
        Layout(
            "his__patient",
            "病人信息_{day}.csv",
            "病人编号",
            lambda row: [("Patient", row["病人编号"])],
            ("病人编号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "住址", "登记时间"),
            "gb18030",
        ),
        Layout(
            "his__visit",
            "门诊就诊_{day}.csv",
            "就诊号",
            _visit_resources,
            (
                "就诊号",
                "病人编号",
                "就诊时间",
                "就诊科室",
                "主诉",
                "现病史",
                *VITALS.values(),
                "诊断编码",
                "诊断名称",
                "状态",
                "更新时间",
            ),
            "gb18030",
        ),
        Layout(
            "lis__result",
            "检验结果_{day}.csv",
            "结果号",
            lambda row: [("Observation", row["结果号"])],
            (
                "结果号",
                "就诊号",
                "病人编号",
                "项目代码",
                "项目名称",
                "结果",
                "单位",
                "参考下限",
                "参考上限",
                "报告时间",
            ),
            "gb18030",
        ),
        Layout(
            "his__prescription",
            "处方明细_{day}.csv",
            "处方明细号",
            lambda row: [("MedicationRequest", row["处方明细号"])],
            ("处方明细号", "就诊号", "病人编号", "药品编码", "药品名称", "单次剂量", "剂量单位", "频次", "开方时间"),
            "gb18030",
        ),
    ),
    rows=rows,
    strangers=strangers,
    defects=(
        Defect("missing_identifier", "his__patient", edit=put("病人编号", ""), rule="missing_key"),
        Defect("wrong_check_digit", "his__patient", edit=change("身份证号", wrong_check_digit), rule="id_card"),
        Defect("impossible_date", "his__patient", edit=put("出生日期", "1987年2月30日"), rule="impossible_date"),
        Defect("unknown_code", "his__patient", edit=put("性别", "待查"), rule="unmapped_code:administrative_gender"),
        Defect("full_width_digits", "his__patient", edit=change("出生日期", full_width), outcome="mapped"),
        Defect("exact_duplicate", "his__patient", kind="repeat"),
        Defect(
            "bad_bytes",
            "his__visit",
            edit=put("现病史", "略"),
            rule="bad_encoding",
            damage=lambda record: record.replace("年".encode("gb18030"), b"\xff\xff", 1),
        ),
        Defect("unclosed_quote", "his__visit", edit=put("现病史", "略"), damage=_lose_quote, rule="unclosed_quote"),
        Defect("missing_identifier", "his__visit", edit=put("就诊号", " "), rule="missing_key"),
        Defect("impossible_date", "his__visit", edit=put("就诊时间", "2026年2月30日 9时10分"), rule="impossible_date"),
        Defect("future_date", "his__visit", edit=put("就诊时间", "2036年3月1日 9时10分"), rule="not_future"),
        Defect("unknown_code", "his__visit", edit=put("就诊科室", "第九门诊"), rule="unmapped_code:department"),
        Defect("no_value", "his__visit", edit=put("主诉", "无"), outcome="mapped"),
        Defect("full_width_digits", "his__visit", edit=put("体温", "３８．６"), outcome="mapped"),
        Defect("cancelled", "his__visit", edit=put("状态", "退号"), outcome="skipped", rule="cancelled_visit"),
        Defect("absent_patient", "his__visit", edit=put("病人编号", "N999999"), outcome="mapped", pending=True),
        Defect("exact_duplicate", "his__visit", kind="repeat"),
        Defect(
            "superseding_duplicate",
            "his__visit",
            kind="update",
            edit=lambda row: row.update({"主诉": row["主诉"] + "，较前好转", "更新时间": "2026年3月9日 8时00分"}),
        ),
        Defect("not_a_number", "lis__result", edit=put("结果", "标本溶血"), rule="not_a_number", rate=0.001),
        Defect("unknown_code", "lis__result", edit=put("项目代码", "XN-7"), rule="unmapped_code:lab_item", rate=0.001),
        Defect("full_width_digits", "lis__result", edit=change("结果", full_width), outcome="mapped", rate=0.001),
        Defect("exact_duplicate", "lis__result", kind="repeat", rate=0.001),
        Defect("missing_identifier", "his__prescription", edit=put("处方明细号", ""), rule="missing_key"),
        Defect("absent_patient", "his__prescription", edit=put("病人编号", "N999999"), outcome="mapped", pending=True),
    ),
)
