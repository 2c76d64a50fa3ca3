"""Training and scoring see the same: views and features as DataFrame columns equal those in plain Python.

A query costs tens of milliseconds however small, so each example is a hospital of many resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from random_hospital import hospital
from silver_rows import silver_arrow

from contracts.feature_spec import FeatureSpec
from contracts.fhir.view_definition import parse_view
from features.evaluate import evaluate_features as as_columns
from features.views import compile_view
from registry.features import evaluate_features as in_python
from registry.views import evaluate_view

KINDS = ("Patient", "Encounter", "Observation", "Condition")
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a seed cannot be shrunk
FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
SEEDS = st.integers(0, 2**32)


def column(name: str, path: str, type: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "path": path, "type": type, **more}


def view(resource: str, *selects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": resource, "resource": resource, "select": list(selects), **more}


VISITS = view(
    "Encounter",
    {
        "column": [
            column("visit", "getResourceKey()"),
            column("patient", "subject.getReferenceKey(Patient)"),
            column("start", "period.start", "dateTime"),
            column("complaint", "reasonCode.text.first()"),
            column("why", "reasonCode.coding.where(system = %here and code != '').display.first()"),
            column("departments", "serviceType.coding.where(system = %here).code.join('|')"),
            column("is_finished", "status = 'finished'", "boolean"),
        ]
    },
    constant=[{"name": "here", "valueUri": "urn:cloister:cs:departments-cn"}],
)
PATIENTS = view(
    "Patient",
    {
        "column": [
            column("person", "id", "id"),
            column("gender", "gender", "code"),
            column("born", "birthDate", "date"),
            column("is_alive", "(deceased.ofType(boolean) = true).not()", "boolean"),
        ]
    },
)
MEASURED = view(
    "Observation",
    {
        "column": [
            column("m_visit", "encounter.getReferenceKey(Encounter)"),
            column("m_value", "value.ofType(Quantity).value", "decimal"),
            column("m_at", "effective.ofType(dateTime)", "dateTime"),
        ]
    },
    {"forEach": "code.coding.where(system = 'http://loinc.org')", "column": [column("m_code", "code", "code")]},
    where=[{"path": "value.ofType(Quantity).value < 500"}],
)
DIAGNOSES = view(
    "Condition",
    {
        "column": [
            column("d_visit", "encounter.getReferenceKey(Encounter)"),
            column("d_code", "code.coding.code.first()", "code"),
            column("d_status", "verificationStatus.coding.code.first()", "code"),
        ]
    },
)
COMPONENTS = view(
    "Observation",
    {"column": [column("id", "id"), column("n", "%rowIndex", "integer")]},
    {
        "forEachOrNull": "component",
        "column": [column("at", "%rowIndex", "integer"), column("value", "value.ofType(Quantity).value", "decimal")],
        "select": [
            {
                "unionAll": [
                    {
                        "forEach": "code.coding[0]",
                        "column": [column("code", "code"), column("is_text", "false", "boolean")],
                    },
                    {"column": [column("code", "code.text"), column("is_text", "true", "boolean")]},
                ]
            }
        ],
    },
    {
        "column": [
            column("codes", "code.coding.code", collection=True),
            column("has_value", "value.exists()", "boolean"),
            column("double", "value.ofType(Quantity).value * 2 - 1", "decimal"),
            column("low", "effective.ofType(dateTime).lowBoundary()", "dateTime"),
            column("high", "value.ofType(Quantity).value.highBoundary()", "decimal"),
        ]
    },
    where=[{"path": "code.coding.where(system = 'urn:local').empty() or component.exists()"}],
)

VIEWS = {"visits": VISITS, "patients": PATIENTS, "measured": MEASURED, "diagnoses": DIAGNOSES}
PIVOT = {"name": "lab", "view": "measured", "left": "visit", "right": "m_visit", "code": "m_code", "value": "m_value"}
INPUTS: list[dict[str, Any]] = [
    {"name": "age", "kind": "number", "years_between": ["born", "start"], "plausible": [0, 120]},
    {"name": "sex", "kind": "category", "column": "gender", "levels": ["male", "female"]},
    {"name": "complaint", "kind": "text", "column": "complaint"},
    {"name": "why", "kind": "text", "column": "why"},
    {"name": "temperature", "kind": "number", "pivot": ["lab", "8310-5"], "plausible": [30, 45]},
    {"name": "crp", "kind": "number", "pivot": ["lab", "1988-5"]},
    {"name": "finished", "kind": "number", "column": "is_finished"},
    {"name": "alive", "kind": "number", "column": "is_alive"},
]
UNIT = {"view": "visits", "key": "visit", "patient": "patient"}
JOIN = [{"view": "patients", "left": "patient", "right": "person"}]
DEPARTMENTS: dict[str, Any] = {"kind": "codes", "column": "departments", "classes": ["07", "03.01"]}
PNEUMONIA: dict[str, Any] = {
    **{"kind": "condition", "view": "diagnoses", "left": "visit", "right": "d_visit", "code": "d_code"},
    **{"status": "d_status", "prefixes": ["J18", "I"], "classes": ["0", "1"]},
}


def tables(spark: SparkSession, folder: Path, resources: Sequence[dict[str, Any]]) -> dict[str, DataFrame]:
    """Silver-like frames through Parquet: a null struct made in Python reads wrong on the embedded engine."""
    for kind in KINDS:
        pq.write_table(silver_arrow(kind, resources), folder / f"{kind}.parquet")
    return {kind: spark.read.parquet(str(folder / f"{kind}.parquet")) for kind in KINDS}


def sorted_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=repr)


@FEW
@given(seed=SEEDS)
def test_views_are_equal(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    resources = hospital(seed)
    frames = tables(spark, tmp_path_factory.mktemp("equal"), resources)
    for one in (*VIEWS.values(), COMPONENTS):
        found = [row.asDict(recursive=True) for row in compile_view(one, frames[one["resource"]]).collect()]
        assert sorted_rows(found) == sorted_rows(evaluate_view(one, resources))


@FEW
@given(seed=SEEDS, label=st.sampled_from([DEPARTMENTS, PNEUMONIA]), has_order=st.booleans())
def test_features_are_equal(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    label: dict[str, Any],
    has_order: bool,
) -> None:
    resources = hospital(seed)
    pivot = {**PIVOT, "order": "m_at"} if has_order else PIVOT
    views = VIEWS if label is PNEUMONIA else {name: body for name, body in VIEWS.items() if name != "diagnoses"}
    body = {"unit": UNIT, "join": JOIN, "pivot": [pivot], "input": INPUTS, "label": label}
    spec = FeatureSpec.model_validate(body)
    parsed = {name: parse_view(one) for name, one in views.items()}
    frames = tables(spark, tmp_path_factory.mktemp("equal"), resources)
    found = [row.asDict() for row in as_columns(spec, parsed, frames).collect()]
    expected = [
        {"unit_id": row.unit_id, "patient_id": row.patient_id, **row.inputs, "label": list(row.label)}
        for row in in_python(spec, views, resources)
    ]
    assert sorted_rows(found) == sorted_rows(expected)


def test_made_up_hospitals_have_something_in_every_input_and_label() -> None:
    for label, views in ((DEPARTMENTS, {k: v for k, v in VIEWS.items() if k != "diagnoses"}), (PNEUMONIA, VIEWS)):
        body = {"unit": UNIT, "join": JOIN, "pivot": [PIVOT], "input": INPUTS, "label": label}
        rows = in_python(FeatureSpec.model_validate(body), views, hospital(1))
        filled = {one["name"]: sum(row.inputs[one["name"]] is not None for row in rows) for one in INPUTS}
        assert min(filled.values()) > 2, filled
        assert {code for row in rows for code in row.label} == set(label["classes"])
