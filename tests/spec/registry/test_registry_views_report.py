"""The report on the public SQL on FHIR suite: in the suite's own form, and the published one is what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from benchmarks.sql_on_fhir import SUITE, evaluate_plain, run_suite

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "reference" / "sql_on_fhir_report.json"
needs_suite = pytest.mark.skipif(not SUITE.is_dir(), reason=f"no SQL on FHIR suite at {SUITE}; set CLOISTER_DATA")


@needs_suite
def test_the_published_report_has_the_suites_form_and_is_what_comes_out() -> None:
    schema = json.loads((SUITE / "test-report.schema.json").read_text(encoding="utf-8"))
    report = run_suite(SUITE, evaluate_plain)
    jsonschema.validate(report, schema)
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == report
    assert sum(len(file["tests"]) for file in report.values()) == 134


def test_a_wrong_result_is_reported_as_failed(tmp_path: Path) -> None:
    view = {"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}]}]}
    tests: list[dict[str, Any]] = [
        {"title": "right", "view": view, "expect": [{"id": "p1"}], "expectColumns": ["id"]},
        {"title": "rows", "view": view, "expect": []},
        {"title": "columns", "view": view, "expect": [{"id": "p1"}], "expectColumns": ["key"]},
        {"title": "no error", "view": view, "expectError": True},
        {"title": "error", "view": {"resource": "Patient"}, "expect": []},
    ]
    body = {"resources": [{"resourceType": "Patient", "id": "p1"}], "tests": tests}
    (tmp_path / "own.json").write_text(json.dumps(body))
    results = run_suite(tmp_path, evaluate_plain)["own.json"]["tests"]
    assert [one["result"]["passed"] for one in results] == [True, False, False, False, False]
    assert all(one["result"].get("error") for one in results[1:])
