"""Habit *east*: a hospital whose platform exports FHIR R4 NDJSON in bulk, one file a resource type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from synthetic.city import Hospital, Visit
from synthetic.illnesses import DEPARTMENTS, DRUGS, LAB_ITEMS
from synthetic.people import Person, wrong_check_digit
from synthetic.sheets import Defect, Habit, Layout, Row

LOINC = "http://loinc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITALS = {
    # vital: (LOINC, display, UCUM unit)
    "temperature": ("8310-5", "Body temperature", "Cel"),
    "pulse": ("8867-4", "Heart rate", "/min"),
    "respiration": ("9279-1", "Respiratory rate", "/min"),
    "systolic": ("8480-6", "Systolic blood pressure", "mm[Hg]"),
    "diastolic": ("8462-4", "Diastolic blood pressure", "mm[Hg]"),
    "spo2": ("59408-5", "Oxygen saturation", "%"),
}
IDENTIFIER = "urn:oid:2.16.840.1.113883.2.23.1.19.1"


def patient_id(person: Person) -> str:
    return f"pat-{person.number:06d}"


def visit_id(visit: Visit) -> str:
    return f"enc-{visit.number:06d}"


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}+08:00"


def _links(visit: Visit) -> Row:
    return {
        "subject": {"reference": f"Patient/{patient_id(visit.person)}"},
        "encounter": {"reference": f"Encounter/{visit_id(visit)}"},
    }


def _patient(person: Person, day: date) -> Row:
    return {
        "resourceType": "Patient",
        "id": patient_id(person),
        "meta": {"lastUpdated": f"{day:%Y-%m-%d}T07:30:00+08:00"},
        "identifier": [{"system": IDENTIFIER, "value": person.id_card}],
        "name": [{"text": person.name}],
        "telecom": [{"system": "phone", "value": person.phone}],
        "gender": "female" if person.female else "male",
        "birthDate": person.birth.isoformat(),
        "address": [{"text": person.address}],
    }


def _encounter(visit: Visit) -> Row:
    return {
        "resourceType": "Encounter",
        "id": visit_id(visit),
        "meta": {"lastUpdated": moment(visit.at + timedelta(minutes=20))},
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "serviceType": {"coding": [{"code": visit.department, "display": DEPARTMENTS[visit.department]}]},
        "subject": {"reference": f"Patient/{patient_id(visit.person)}"},
        "period": {"start": moment(visit.at)},
        "reasonCode": [{"text": visit.complaint}],
    }


def _condition(visit: Visit) -> Row:
    return {
        "resourceType": "Condition",
        "id": f"con-{visit.number:06d}",
        "code": {
            "coding": [
                {"system": "http://hl7.org/fhir/sid/icd-10", "code": visit.illness.code, "display": visit.illness.name}
            ]
        },
        **_links(visit),
        "recordedDate": moment(visit.at + timedelta(minutes=12)),
    }


def _observation(
    visit: Visit, key: str, code: tuple[str, str], value: tuple[str, str], category: str, minutes: int
) -> Row:
    text, unit = value
    return {
        "resourceType": "Observation",
        "id": f"obs-{visit.number:06d}-{key}",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": code[0], "display": code[1]}]},
        **_links(visit),
        "effectiveDateTime": moment(visit.at + timedelta(minutes=minutes)),
        "valueQuantity": {
            "value": float(text) if "." in text else int(text),
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def _observations(visit: Visit) -> Iterable[Row]:
    for vital, text in visit.vitals.items():
        code, display, unit = VITALS[vital]
        yield _observation(visit, vital, (code, display), (text, unit), "vital-signs", 5)
    for lab in visit.labs:
        item = LAB_ITEMS[lab.item]
        yield _observation(visit, lab.item, (item.loinc, item.name), (lab.value, item.unit), "laboratory", 75)


def _report(visit: Visit) -> Iterable[Row]:
    if visit.labs:
        yield {
            "resourceType": "DiagnosticReport",
            "id": f"rep-{visit.number:06d}",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "11502-2", "display": "Laboratory report"}]},
            **_links(visit),
            "issued": moment(visit.at + timedelta(minutes=80)),
            "result": [{"reference": f"Observation/obs-{visit.number:06d}-{lab.item}"} for lab in visit.labs],
        }


def _requests(visit: Visit) -> Iterable[Row]:
    for k, name in enumerate(visit.drugs):
        number, _, dose, unit, frequency = DRUGS[name]
        yield {
            "resourceType": "MedicationRequest",
            "id": f"med-{visit.number:06d}-{k}",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {
                "coding": [{"system": "urn:cloister:cs:drugs", "code": number, "display": name}]
            },
            **_links(visit),
            "authoredOn": moment(visit.at + timedelta(minutes=15)),
            "dosageInstruction": [
                {"text": frequency, "doseAndRate": [{"doseQuantity": {"value": dose, "unit": unit, "code": unit}}]}
            ],
        }


def rows(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    """Every source's resources with their day of delivery; a person is delivered with the first visit."""
    return {
        "fhir__patient": [(v.delivered, _patient(v.person, v.at.date())) for v in hospital.first_visits()],
        "fhir__encounter": [(v.delivered, _encounter(v)) for v in hospital.visits],
        "fhir__condition": [(v.delivered, _condition(v)) for v in hospital.visits],
        "fhir__observation": [(v.delivered, row) for v in hospital.visits for row in _observations(v)],
        "fhir__diagnostic_report": [(v.delivered, row) for v in hospital.visits for row in _report(v)],
        "fhir__medication_request": [(v.delivered, row) for v in hospital.visits for row in _requests(v)],
    }


def strangers(hospital: Hospital) -> dict[str, list[tuple[date, Row]]]:
    day = hospital.visits[0].delivered
    return {"fhir__patient": [(day, _patient(person, day - timedelta(days=1))) for person in hospital.strangers]}


def _put(*path: Any, value: Any) -> Callable[[Row], None]:
    """An edit that sets the value at a path of keys and list positions; None removes it."""

    def edit(row: Row) -> None:
        target: Any = row
        for step in path[:-1]:
            target = target[step]
        if value is None:
            del target[path[-1]]
        else:
            target[path[-1]] = value

    return edit


def _wrong_card(row: Row) -> None:
    row["identifier"][0]["value"] = wrong_check_digit(row["identifier"][0]["value"])


def _amend(row: Row) -> None:
    row["reasonCode"][0]["text"] += "，补充"
    row["meta"]["lastUpdated"] = "2026-03-09T08:00:00+08:00"


def _layout(entity: str, resource: str) -> Layout:
    return Layout(f"fhir__{entity}", resource + "_{day}.ndjson", "id", lambda row: [(resource, row["id"])])


HABIT = Habit(
    name="east",
    marker="fhir__encounter",
    layouts=(
        _layout("patient", "Patient"),
        _layout("encounter", "Encounter"),
        _layout("condition", "Condition"),
        _layout("observation", "Observation"),
        _layout("diagnostic_report", "DiagnosticReport"),
        _layout("medication_request", "MedicationRequest"),
    ),
    rows=rows,
    strangers=strangers,
    defects=(
        Defect("missing_identifier", "fhir__patient", edit=_put("id", value=None), rule="missing_key"),
        Defect("wrong_check_digit", "fhir__patient", edit=_wrong_card, rule="id_card"),
        Defect("impossible_date", "fhir__patient", edit=_put("birthDate", value="1987-02-30"), rule="impossible_date"),
        Defect(
            "unknown_code",
            "fhir__patient",
            edit=_put("gender", value="M男"),
            rule="unmapped_code:administrative_gender",
        ),
        Defect("exact_duplicate", "fhir__patient", kind="repeat"),
        Defect(
            "broken_json",
            "fhir__encounter",
            damage=lambda record: record[: len(record) * 2 // 3].decode("utf-8", "ignore").encode() + b"\n",
            rule="bad_json",
        ),
        Defect(
            "bad_bytes",
            "fhir__encounter",
            damage=lambda record: record.replace(b'"text":"', b'"text":"\xb7\xa2', 1),
            rule="bad_encoding",
        ),
        Defect(
            "impossible_date",
            "fhir__encounter",
            edit=_put("period", "start", value="2026-02-30T09:10:00+08:00"),
            rule="impossible_date",
        ),
        Defect(
            "future_date",
            "fhir__encounter",
            edit=_put("period", "start", value="2036-03-01T09:10:00+08:00"),
            rule="not_future",
        ),
        Defect(
            "unknown_code",
            "fhir__encounter",
            edit=_put("serviceType", "coding", 0, "code", value="99.99"),
            rule="unmapped_code:department",
        ),
        Defect("no_value", "fhir__encounter", edit=_put("reasonCode", 0, "text", value="无"), outcome="mapped"),
        Defect(
            "absent_patient",
            "fhir__encounter",
            edit=_put("subject", "reference", value="Patient/pat-999999"),
            outcome="mapped",
            pending=True,
        ),
        Defect("exact_duplicate", "fhir__encounter", kind="repeat"),
        Defect("superseding_duplicate", "fhir__encounter", kind="update", edit=_amend),
        Defect(
            "unknown_code",
            "fhir__condition",
            edit=_put("code", "coding", 0, "code", value="感冒"),
            rule="diagnosis_code",
        ),
        Defect(
            "not_a_number",
            "fhir__observation",
            edit=_put("valueQuantity", "value", value="溶血"),
            rule="not_a_number",
            rate=0.0005,
        ),
        Defect(
            "impossible_status",
            "fhir__observation",
            edit=_put("status", value="完成"),
            rule="not_in_binding",
            rate=0.0005,
        ),
        Defect(
            "full_width_digits",
            "fhir__observation",
            edit=_put("valueQuantity", "value", value="３８．６"),
            outcome="mapped",
            rate=0.0005,
        ),
        Defect("exact_duplicate", "fhir__observation", kind="repeat", rate=0.0005),
        Defect("missing_identifier", "fhir__medication_request", edit=_put("id", value=""), rule="missing_key"),
    ),
)
