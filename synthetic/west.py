"""Habit *west*: a small hospital with one wide visit table (people, vitals and diagnosis in it) and a laboratory that
delivers JSON lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from synthetic.city import Hospital, Visit
from synthetic.illnesses import LAB_ITEMS
from synthetic.people import wrong_check_digit
from synthetic.sheets import Defect, Habit, Layout, Resource, Row, change, full_width, is_value, put

DEPARTMENTS = {
    "03.01": "呼吸与危重症医学科",
    "03.02": "胃肠内科",
    "03.03": "神内",
    "03.04": "心内",
    "03.06": "肾内",
    "03.07": "内分泌与代谢病科",
    "04.01": "普外",
    "04.03": "骨伤外科",
    "04.04": "泌外",
    "05.01": "妇科门诊",
    "07": "儿内科",
    "10": "眼科",
    "11": "耳鼻喉",
    "13": "皮肤性病科",
}
VITALS = {"temperature": "T", "pulse": "P", "respiration": "R", "systolic": "SBP", "diastolic": "DBP", "spo2": "SpO2"}


def visit_no(visit: Visit) -> str:
    return f"W{visit.at:%Y%m%d}{visit.number:05d}"


def patient_no(visit: Visit) -> str:
    return f"KH{visit.person.number:07d}"


def _visit(visit: Visit) -> Row:
    person = visit.person
    return {
        "流水号": visit_no(visit),
        "卡号": patient_no(visit),
        "姓名": person.name,
        "SEX": "F" if person.female else "M",
        "生日": f"{person.birth:%Y.%m.%d}",
        "证件号": person.id_card,
        "电话": person.phone,
        "日期时间": f"{visit.at:%Y/%m/%d %H:%M:%S}",
        "科室": DEPARTMENTS[visit.department],
        "主诉": visit.complaint,
        **{header: visit.vitals.get(vital, "无") for vital, header in VITALS.items()},
        "诊断": visit.illness.code,
        "诊断描述": visit.illness.name,
        "修改时间": f"{visit.at + timedelta(minutes=20):%Y-%m-%d %H:%M:%S}",
    }


def _results(visit: Visit) -> Iterable[Row]:
    for k, lab in enumerate(visit.labs):
        item = LAB_ITEMS[lab.item]
        yield {
            "no": f"{visit.number:05d}-{k}",
            "visit": {"no": visit_no(visit), "card": patient_no(visit)},
            "item": {"name": item.name, "unit": item.unit},
            "value": lab.value,
            "reported": f"{visit.at + timedelta(minutes=65):%Y-%m-%d %H:%M:%S}",
        }


def rows(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    """Both sources' rows with their day of delivery."""
    return {
        "clinic__visit": [(v.delivered, _visit(v)) for v in hospital.visits],
        "lis__item": [(v.delivered, row) for v in hospital.visits for row in _results(v)],
    }


def strangers(_: Hospital) -> dict[str, list[tuple[date, Row]]]:
    """None: a person is part of a visit here, and defects on one go into visits that are copies."""
    return {}


def _visit_resources(row: Row) -> Iterable[Resource]:
    number = row["流水号"]
    yield "Patient", row["卡号"]
    yield "Encounter", number
    if is_value(row["诊断"]):
        yield "Condition", number
    for vital, header in VITALS.items():
        if is_value(row[header]):
            yield "Observation", f"{number}|{vital}"


def _other_person(row: Row) -> None:
    row["visit"]["card"] = "KH9999999"


HABIT = Habit(
    name="west",
    marker="clinic__visit",
    layouts=(
        Layout(
            "clinic__visit",
            "visits_{day}.csv",
            "流水号",
            _visit_resources,
            (
                "流水号",
                "卡号",
                "姓名",
                "SEX",
                "生日",
                "证件号",
                "电话",
                "日期时间",
                "科室",
                "主诉",
                *VITALS.values(),
                "诊断",
                "诊断描述",
                "修改时间",
            ),
        ),
        Layout("lis__item", "lis_{day}.jsonl", "no", lambda row: [("Observation", row["no"])]),
    ),
    rows=rows,
    strangers=strangers,
    defects=(
        Defect("missing_identifier", "clinic__visit", edit=put("卡号", ""), rule="missing_key"),
        Defect("wrong_check_digit", "clinic__visit", edit=change("证件号", wrong_check_digit), rule="id_card"),
        Defect("impossible_date", "clinic__visit", edit=put("日期时间", "2026/02/30 09:10:00"), rule="impossible_date"),
        Defect("unknown_code", "clinic__visit", edit=put("科室", "特需"), rule="unmapped_code:department"),
        Defect(
            "unclosed_quote",
            "clinic__visit",
            damage=lambda record: record.replace(b",", b',"', 1),
            rule="unclosed_quote",
        ),
        Defect(
            "bad_bytes",
            "clinic__visit",
            damage=lambda record: record.replace(b"KH", b"KH\xff", 1),
            rule="bad_encoding",
        ),
        Defect("no_value", "clinic__visit", edit=put("主诉", "无"), outcome="mapped"),
        Defect("full_width_digits", "clinic__visit", edit=put("T", "３７．９"), outcome="mapped"),
        Defect("exact_duplicate", "clinic__visit", kind="repeat"),
        Defect(
            "superseding_duplicate",
            "clinic__visit",
            kind="update",
            edit=lambda row: row.update({"主诉": row["主诉"] + "，已复查", "修改时间": "2026-03-09 08:00:00"}),
        ),
        Defect("broken_json", "lis__item", damage=lambda record: record[:-3] + b"\n", rule="bad_json", rate=0.001),
        Defect("not_a_number", "lis__item", edit=put("value", "溶血"), rule="not_a_number", rate=0.001),
        Defect("full_width_digits", "lis__item", edit=change("value", full_width), outcome="mapped", rate=0.001),
        Defect("absent_patient", "lis__item", edit=_other_person, outcome="mapped", pending=True, rate=0.001),
        Defect("exact_duplicate", "lis__item", kind="repeat", rate=0.001),
    ),
)
