"""Habit *south*: a newer EMR that exports UTF-8 CSV with a byte-order mark, English column names and codes of its own.

Sex is 1/2/9 (GB/T 2261.1), departments and laboratory items have house numbers, diagnoses come in a table of their
own, some with the six-character extension of the national clinical edition (``H81.400x003``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from synthetic.city import Hospital, Visit
from synthetic.illnesses import DEPARTMENTS, DRUGS, LAB_ITEMS
from synthetic.people import Person, wrong_check_digit
from synthetic.sheets import Defect, Habit, Layout, Resource, Row, change, full_width, is_value, put

DEPARTMENT_CODES = {code: f"D{n:02d}" for n, code in enumerate(DEPARTMENTS, 11)}
LAB_CODES = {item: f"3{n:03d}01" for n, item in enumerate(LAB_ITEMS, 1)}
VITALS = {
    "temperature": "BODY_TEMP",
    "pulse": "PULSE",
    "respiration": "RESP",
    "systolic": "SBP",
    "diastolic": "DBP",
    "spo2": "SPO2",
}
EXTENSIONS = {"H81.400": "x003", "K29.500": "x001", "M51.200": "x002", "I10.x00": "x002"}


def patient_no(person: Person) -> str:
    return f"{20000000 + person.number}"


def visit_no(visit: Visit) -> str:
    return f"OP{visit.number:07d}"


def diagnosis_code(visit: Visit) -> str:
    """The illness's code; every other visit of some illnesses carries the hospital's own extension."""
    return visit.illness.code + (EXTENSIONS.get(visit.illness.code, "") if visit.number % 2 else "")


def _patient(person: Person, day: date) -> Row:
    return {
        "PATIENT_ID": patient_no(person),
        "PATIENT_NAME": person.name,
        "SEX_CODE": "9" if person.number % 97 == 96 else ("2" if person.female else "1"),
        "BIRTH_DATE": f"{person.birth:%Y%m%d}",
        "ID_NO": person.id_card,
        "MOBILE": person.phone,
        "HOME_ADDR": person.address,
        "UPDATED_AT": f"{day:%Y-%m-%d} 07:30:00",
    }


def _visit(visit: Visit) -> Row:
    return {
        "PATIENT_ID": patient_no(visit.person),
        "VISIT_ID": visit_no(visit),
        "VISIT_DT": f"{visit.at:%Y-%m-%d %H:%M:%S}",
        "VISIT_CLASS": "O",
        "DEPT_CODE": DEPARTMENT_CODES[visit.department],
        "CHIEF_COMPLAINT": visit.complaint,
        **{header: visit.vitals.get(vital, "") for vital, header in VITALS.items()},
        "UPDATED_AT": f"{visit.at + timedelta(minutes=20):%Y-%m-%d %H:%M:%S}",
    }


def _diagnosis(visit: Visit) -> Row:
    return {
        "DIAG_ID": f"DG{visit.number:07d}",
        "VISIT_ID": visit_no(visit),
        "PATIENT_ID": patient_no(visit.person),
        "ICD_CODE": diagnosis_code(visit),
        "ICD_NAME": visit.illness.name,
        "DIAG_DT": f"{visit.at + timedelta(minutes=12):%Y-%m-%d %H:%M:%S}",
    }


def _results(visit: Visit) -> Iterable[Row]:
    for k, lab in enumerate(visit.labs):
        item = LAB_ITEMS[lab.item]
        yield {
            "RESULT_ID": f"R{visit.number:06d}{k:02d}",
            "REPORT_ID": f"RP{visit.number:06d}",
            "VISIT_ID": visit_no(visit),
            "PATIENT_ID": patient_no(visit.person),
            "ITEM_CODE": LAB_CODES[lab.item],
            "ITEM_NAME": item.name,
            "RESULT_VALUE": lab.value,
            "UNIT": item.unit,
            "REPORT_DT": f"{visit.at + timedelta(minutes=75):%Y/%m/%d %H:%M}",
        }


def _report(visit: Visit) -> Iterable[Row]:
    if visit.labs:
        yield {
            "REPORT_ID": f"RP{visit.number:06d}",
            "VISIT_ID": visit_no(visit),
            "PATIENT_ID": patient_no(visit.person),
            "REPORT_NAME": "血常规及生化",
            "REPORT_DT": f"{visit.at + timedelta(minutes=75):%Y/%m/%d %H:%M}",
            "CONCLUSION": "见明细" if visit.number % 3 else "无",
        }


def _orders(visit: Visit) -> Iterable[Row]:
    for k, name in enumerate(visit.drugs):
        number, _, dose, unit, frequency = DRUGS[name]
        yield {
            "ORDER_ID": f"RX{visit.number:07d}-{k}",
            "VISIT_ID": visit_no(visit),
            "PATIENT_ID": patient_no(visit.person),
            "DRUG_CODE": number,
            "DRUG_NAME": name,
            "DOSE": f"{dose:g}",
            "DOSE_UNIT": unit,
            "FREQ": frequency,
            "ORDER_DT": f"{visit.at + timedelta(minutes=15):%Y-%m-%d %H:%M:%S}",
        }


def rows(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    """Every source's rows with their day of delivery; a person is delivered with the first visit."""
    return {
        "emr__patient": [(v.delivered, _patient(v.person, v.at.date())) for v in hospital.first_visits()],
        "emr__visit": [(v.delivered, _visit(v)) for v in hospital.visits],
        "emr__diagnosis": [(v.delivered, _diagnosis(v)) for v in hospital.visits],
        "lab__result": [(v.delivered, row) for v in hospital.visits for row in _results(v)],
        "lab__report": [(v.delivered, row) for v in hospital.visits for row in _report(v)],
        "emr__order": [(v.delivered, row) for v in hospital.visits for row in _orders(v)],
    }


def strangers(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    day = hospital.visits[0].delivered
    return {"emr__patient": [(day, _patient(person, day - timedelta(days=1))) for person in hospital.strangers]}


def _visit_resources(row: Row) -> Iterable[Resource]:
    yield "Encounter", row["VISIT_ID"]
    for vital, header in VITALS.items():
        if is_value(row[header]):
            yield "Observation", f"{row['VISIT_ID']}|{vital}"


def _layout(source: str, file_name: str, key: str, resource: str, columns: tuple[str, ...]) -> Layout:
    return Layout(source, file_name, key, lambda row: [(resource, row[key])], columns, "utf-8-sig", "\n")


HABIT = Habit(
    name="south",
    marker="emr__visit",
    layouts=(
        _layout(
            "emr__patient",
            "patient_{day}.csv",
            "PATIENT_ID",
            "Patient",
            ("PATIENT_ID", "PATIENT_NAME", "SEX_CODE", "BIRTH_DATE", "ID_NO", "MOBILE", "HOME_ADDR", "UPDATED_AT"),
        ),
        Layout(
            "emr__visit",
            "outp_visit_{day}.csv",
            "VISIT_ID",
            _visit_resources,
            (
                "PATIENT_ID",
                "VISIT_ID",
                "VISIT_DT",
                "VISIT_CLASS",
                "DEPT_CODE",
                "CHIEF_COMPLAINT",
                *VITALS.values(),
                "UPDATED_AT",
            ),
            "utf-8-sig",
            "\n",
        ),
        _layout(
            "emr__diagnosis",
            "diagnosis_{day}.csv",
            "DIAG_ID",
            "Condition",
            ("DIAG_ID", "VISIT_ID", "PATIENT_ID", "ICD_CODE", "ICD_NAME", "DIAG_DT"),
        ),
        _layout(
            "lab__result",
            "lab_result_{day}.csv",
            "RESULT_ID",
            "Observation",
            (
                "RESULT_ID",
                "REPORT_ID",
                "VISIT_ID",
                "PATIENT_ID",
                "ITEM_CODE",
                "ITEM_NAME",
                "RESULT_VALUE",
                "UNIT",
                "REPORT_DT",
            ),
        ),
        _layout(
            "lab__report",
            "lab_report_{day}.csv",
            "REPORT_ID",
            "DiagnosticReport",
            ("REPORT_ID", "VISIT_ID", "PATIENT_ID", "REPORT_NAME", "REPORT_DT", "CONCLUSION"),
        ),
        _layout(
            "emr__order",
            "drug_order_{day}.csv",
            "ORDER_ID",
            "MedicationRequest",
            ("ORDER_ID", "VISIT_ID", "PATIENT_ID", "DRUG_CODE", "DRUG_NAME", "DOSE", "DOSE_UNIT", "FREQ", "ORDER_DT"),
        ),
    ),
    rows=rows,
    strangers=strangers,
    defects=(
        Defect("missing_identifier", "emr__patient", edit=put("PATIENT_ID", ""), rule="missing_key"),
        Defect("wrong_check_digit", "emr__patient", edit=change("ID_NO", wrong_check_digit), rule="id_card"),
        Defect("impossible_date", "emr__patient", edit=put("BIRTH_DATE", "19870230"), rule="impossible_date"),
        Defect("unknown_code", "emr__patient", edit=put("SEX_CODE", "7"), rule="unmapped_code:administrative_gender"),
        Defect("exact_duplicate", "emr__patient", kind="repeat"),
        Defect(
            "unclosed_quote", "emr__visit", damage=lambda record: record.replace(b",", b',"', 1), rule="unclosed_quote"
        ),
        Defect(
            "bad_bytes",
            "emr__visit",
            damage=lambda record: record.replace(b",O,", b",O\xc3\x28,", 1),
            rule="bad_encoding",
        ),
        Defect("missing_identifier", "emr__visit", edit=put("VISIT_ID", "NULL"), rule="missing_key"),
        Defect("impossible_date", "emr__visit", edit=put("VISIT_DT", "2026-02-30 09:10:00"), rule="impossible_date"),
        Defect("future_date", "emr__visit", edit=put("VISIT_DT", "2036-03-01 09:10:00"), rule="not_future"),
        Defect("unknown_code", "emr__visit", edit=put("DEPT_CODE", "D99"), rule="unmapped_code:department"),
        Defect("no_value", "emr__visit", edit=put("CHIEF_COMPLAINT", "无"), outcome="mapped"),
        Defect("full_width_digits", "emr__visit", edit=put("BODY_TEMP", "３９．１"), outcome="mapped"),
        Defect("absent_patient", "emr__visit", edit=put("PATIENT_ID", "29999999"), outcome="mapped", pending=True),
        Defect("exact_duplicate", "emr__visit", kind="repeat"),
        Defect(
            "superseding_duplicate",
            "emr__visit",
            kind="update",
            edit=lambda row: row.update(
                {"CHIEF_COMPLAINT": row["CHIEF_COMPLAINT"] + "，补充", "UPDATED_AT": "2026-03-09 08:00:00"}
            ),
        ),
        Defect("unknown_code", "emr__diagnosis", edit=put("ICD_CODE", "感冒"), rule="diagnosis_code"),
        Defect("exact_duplicate", "emr__diagnosis", kind="repeat"),
        Defect("not_a_number", "lab__result", edit=put("RESULT_VALUE", "溶血"), rule="not_a_number", rate=0.001),
        Defect(
            "unknown_code", "lab__result", edit=put("ITEM_CODE", "999999"), rule="unmapped_code:lab_item", rate=0.001
        ),
        Defect(
            "full_width_digits", "lab__result", edit=change("RESULT_VALUE", full_width), outcome="mapped", rate=0.001
        ),
        Defect("missing_identifier", "emr__order", edit=put("ORDER_ID", ""), rule="missing_key"),
    ),
)
