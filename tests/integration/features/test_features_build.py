"""Feature tables from real silver tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from silver_rows import write_silver

from contracts.errors import DataError, SpecError
from contracts.region import Region, load_task
from contracts.zone import SiteZone
from features.build import build_features, feature_table
from lake.reader import digest, read_arrow

KINDS = ("Patient", "Encounter", "Observation", "Condition")

VISITS = {
    "name": "visits",
    "resource": "Encounter",
    "select": [
        {
            "column": [
                {"name": "visit_id", "path": "getResourceKey()", "type": "string"},
                {"name": "patient_id", "path": "subject.getReferenceKey(Patient)", "type": "string"},
                {"name": "started", "path": "period.start", "type": "dateTime"},
                {"name": "complaint", "path": "reasonCode.text.first()", "type": "string"},
                {"name": "department", "path": "serviceType.coding.code.join('|')", "type": "string"},
            ]
        }
    ],
}
PATIENTS = {
    "name": "patients",
    "resource": "Patient",
    "select": [
        {
            "column": [
                {"name": "person_id", "path": "getResourceKey()", "type": "string"},
                {"name": "gender", "path": "gender", "type": "code"},
                {"name": "born", "path": "birthDate", "type": "date"},
            ]
        }
    ],
}
MEASURED = {
    "name": "measured",
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "measured_visit", "path": "encounter.getReferenceKey(Encounter)", "type": "string"},
                {"name": "measured_value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "measured_at", "path": "effective.ofType(dateTime)", "type": "dateTime"},
            ],
            "select": [
                {
                    "forEach": "code.coding.where(system = 'http://loinc.org')",
                    "column": [{"name": "measured_code", "path": "code", "type": "code"}],
                }
            ],
        }
    ],
}
TASK = """
name = "triage"
title = "Department"
kind = "triage"
purpose = "test"
[features.unit]
view = "visits.json"
key = "visit_id"
patient = "patient_id"
[[features.join]]
view = "patients.json"
left = "patient_id"
right = "person_id"
[[features.pivot]]
name = "lab"
view = "measured.json"
left = "visit_id"
right = "measured_visit"
code = "measured_code"
value = "measured_value"
order = "measured_at"
[[features.input]]
name = "age"
kind = "number"
years_between = ["born", "started"]
plausible = [0, 120]
[[features.input]]
name = "sex"
kind = "category"
column = "gender"
levels = ["male", "female"]
[[features.input]]
name = "complaint"
kind = "text"
column = "complaint"
[[features.input]]
name = "temperature"
kind = "number"
pivot = ["lab", "8310-5"]
plausible = [30, 45]
[features.label]
kind = "codes"
column = "department"
classes = ["03.01", "07"]
[training]
solver = "gradient"
"""


def region_at(folder: Path, **views: dict[str, Any]) -> Region:
    for name, view in {"visits": VISITS, "patients": PATIENTS, "measured": MEASURED, **views}.items():
        (folder / f"{name}.json").write_text(json.dumps(view), encoding="utf-8")
    (folder / "triage.toml").write_text(TASK, encoding="utf-8")
    return Region(name="test", title="test", folder=folder, sites=(), tasks=(load_task(folder / "triage.toml"),))


def patient(key: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": key, **more}


def visit(key: str, person: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Encounter", "id": key, "subject": {"reference": f"Patient/{person}"}, **more}


def temperature(of_visit: str, value: float, at: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"{of_visit}{at}",
        "encounter": {"reference": f"Encounter/{of_visit}"},
        "code": {"coding": [{"system": "urn:local", "code": "T"}, {"system": "http://loinc.org", "code": "8310-5"}]},
        "effectiveDateTime": at,
        "valueQuantity": {"value": value},
    }


def built(spark: SparkSession, folder: Path, resources: list[dict[str, Any]], **views: Any) -> list[dict[str, Any]]:
    zone, region = SiteZone(folder / "zone", "north"), region_at(folder, **views)
    write_silver(zone.lake, resources, KINDS)
    count = build_features(spark, zone, region, "triage")
    rows = read_arrow(feature_table(zone, region.task("triage")).path).to_pylist()
    assert count == len(rows)
    return sorted(rows, key=lambda row: row["unit_id"])


def test_a_visit_with_everything_becomes_one_row(spark: SparkSession, tmp_path: Path) -> None:
    rows = built(
        spark,
        tmp_path,
        [
            patient("p1", gender="male", birthDate="1990-05-02"),
            visit(
                "v1",
                "p1",
                period={"start": "2024-05-01T08:00:00+08:00"},
                reasonCode=[{"text": "发热 \t 3天 "}],
                serviceType={"coding": [{"code": "07"}, {"code": "03.01"}, {"code": "99"}]},
            ),
            temperature("v1", 38.5, "2024-05-01T08:00:00+08:00"),
            temperature("v1", 37.25, "2024-05-01T09:00:00+08:00"),
        ],
    )
    assert rows == [
        {
            "unit_id": "v1",
            "patient_id": "p1",
            "age": 33.0,
            "sex": "male",
            "complaint": "发热 3天",
            "temperature": 37.25,
            "label": ["03.01", "07"],
        }
    ]


def test_a_later_result_without_a_number_does_not_hide_an_earlier_one(spark: SparkSession, tmp_path: Path) -> None:
    later = temperature("v1", 0.0, "2024-05-02")
    del later["valueQuantity"]
    undated = temperature("v2", 36.5, "2024-05-01")
    del undated["effectiveDateTime"]
    rows = built(
        spark,
        tmp_path,
        [visit("v1", "p1"), temperature("v1", 38.5, "2024-05-01"), later, visit("v2", "p1"), undated],
    )
    assert [row["temperature"] for row in rows] == [38.5, 36.5]


def test_of_two_results_of_one_time_the_greater_counts(spark: SparkSession, tmp_path: Path) -> None:
    twice = [temperature("v1", value, "2024-05-01") for value in (38.5, 39.0, 38.0)]
    assert built(spark, tmp_path, [visit("v1", "p1"), *twice])[0]["temperature"] == 39.0


def test_what_is_absent_or_implausible_is_null(spark: SparkSession, tmp_path: Path) -> None:
    rows = built(
        spark,
        tmp_path,
        [
            patient("p1", gender="unknown"),
            visit("v1", "p1", reasonCode=[{"text": " 无 "}]),
            temperature("v1", 99.0, "2024-05-01"),
            visit("v2", "p9"),
        ],
    )
    empty: dict[str, Any] = {"age": None, "sex": None, "complaint": None, "temperature": None, "label": []}
    assert rows == [{"unit_id": "v1", "patient_id": "p1", **empty}, {"unit_id": "v2", "patient_id": "p9", **empty}]


def test_pending_resources_and_visits_without_a_patient_are_left_out(spark: SparkSession, tmp_path: Path) -> None:
    nobody = {"resourceType": "Encounter", "id": "v3"}
    rows = built(spark, tmp_path, [patient("p1"), visit("v1", "p1"), visit("v2", "p2", _pending=["Patient"]), nobody])
    assert [row["unit_id"] for row in rows] == ["v1"]


def test_building_twice_gives_the_same_rows_and_another_row_another_snapshot(
    spark: SparkSession, tmp_path: Path
) -> None:
    resources = [patient("p1", gender="female"), *(visit(f"v{i}", "p1") for i in range(5))]
    rows = built(spark, tmp_path, resources)
    table = SiteZone(tmp_path / "zone", "north").table("feature__triage")
    snapshot = digest(table)
    assert built(spark, tmp_path, resources) == rows
    assert digest(table) == snapshot
    built(spark, tmp_path, [*resources, visit("v9", "p1")])
    assert digest(table) != snapshot


def test_two_units_with_one_key_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    by_patient = json.loads(json.dumps(VISITS).replace("getResourceKey()", "subject.getReferenceKey(Patient)"))
    with pytest.raises(DataError, match="several rows for one key"):
        built(spark, tmp_path, [visit("v1", "p1"), visit("v2", "p1")], visits=by_patient)


def test_a_column_with_several_values_is_refused_without_showing_them(spark: SparkSession, tmp_path: Path) -> None:
    several = json.loads(json.dumps(VISITS).replace("reasonCode.text.first()", "reasonCode.text"))
    with pytest.raises(SpecError, match="several values") as caught:
        built(spark, tmp_path, [visit("v1", "p1", reasonCode=[{"text": "咳嗽"}, {"text": "发热"}])], visits=several)
    assert "咳嗽" not in str(caught.value)


def test_an_element_that_silver_does_not_hold_is_named(spark: SparkSession, tmp_path: Path) -> None:
    named = json.loads(json.dumps(PATIENTS).replace('"path": "gender"', '"path": "name.family"'))
    with pytest.raises(SpecError, match="element 'name' is not in silver"):
        built(spark, tmp_path, [patient("p1")], patients=named)
