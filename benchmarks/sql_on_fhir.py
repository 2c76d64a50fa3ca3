"""``python -m benchmarks.sql_on_fhir``: the public SQL on FHIR v2 suite on both evaluators.

Writes benchmarks/results/sql_on_fhir_report.json (views compiled to DataFrame columns) and
sql_on_fhir_report_plain.json (views over JSON) in the suite's own form, test-report.schema.json. The first is
published as docs/reference/sql_on_fhir_report.json.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import SpecError
from contracts.fhir.view_definition import parse_view
from registry.views import evaluate_view

ROOT = Path(__file__).resolve().parents[1]
SUITE = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data")) / "sql-on-fhir-tests"
RESULTS = Path(__file__).resolve().parent / "results"

Rows = list[dict[str, Any]]
Evaluate = Callable[[dict[str, Any], Rows], tuple[list[str], Rows]]
"""View and resources in; names of the columns in order, and rows, out. Raises SpecError for a wrong view."""


def run_suite(folder: Path, evaluate: Evaluate) -> dict[str, Any]:
    """The report: one entry a file of the suite, with every one of its tests."""
    report = {}
    for path in sorted(folder.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        tests = body.get("tests")
        if isinstance(tests, list) and "resources" in body:
            results = [{"name": test["title"], "result": _result(test, body["resources"], evaluate)} for test in tests]
            report[path.name] = {"tests": results}
    return report


def _result(test: dict[str, Any], resources: Rows, evaluate: Evaluate) -> dict[str, Any]:
    expects_error = bool(test.get("expectError"))
    try:
        columns, rows = evaluate(test["view"], resources)
    except SpecError as error:
        return {"passed": True} if expects_error else {"passed": False, "error": str(error)}
    if expects_error:
        return {"passed": False, "error": "an error was expected"}
    if canonical(rows) != canonical(test["expect"]):
        return {"passed": False, "error": f"{len(rows)} rows differ from the {len(test['expect'])} expected ones"}
    if "expectColumns" in test and columns != test["expectColumns"]:
        return {"passed": False, "error": f"columns are {columns}, expected {test['expectColumns']}"}
    return {"passed": True}


def canonical(rows: Rows) -> list[str]:
    """Rows in any order, numbers by value."""
    return sorted(json.dumps(row, sort_keys=True).replace(".0,", ",").replace(".0}", "}") for row in rows)


def evaluate_plain(view: dict[str, Any], resources: Rows) -> tuple[list[str], Rows]:
    """The evaluator over JSON."""
    rows = evaluate_view(view, resources)
    return [column.name for column in parse_view(view).all_columns()], rows


@contextmanager
def compiled() -> Iterator[Evaluate]:
    """The compiler to DataFrame columns, on one engine; schemas are read off the resources."""
    from pyspark.errors import PySparkException

    from features.element import SEVERAL
    from features.views import compile_view
    from lake.engine import open_engine

    with open_engine() as spark, tempfile.TemporaryDirectory() as folder:

        def evaluate(view: dict[str, Any], resources: Rows) -> tuple[list[str], Rows]:
            rows = [one for one in resources if one["resourceType"] == view.get("resource")] or [{"id": None}]
            table = {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
            pq.write_table(pa.table(table), Path(folder) / "rows.parquet")
            try:
                found = compile_view(view, spark.read.parquet(f"{folder}/rows.parquet"), is_open=True)
                return list(found.columns), [row.asDict(recursive=True) for row in found.collect()]
            except PySparkException as error:
                if SEVERAL in str(error):
                    raise SpecError(SEVERAL) from None
                raise

        yield evaluate


def main() -> None:
    if not SUITE.is_dir():
        sys.exit(f"no SQL on FHIR suite at {SUITE}: set CLOISTER_DATA to the folder that holds sql-on-fhir-tests")
    RESULTS.mkdir(exist_ok=True)
    with compiled() as evaluate:
        reports = {"sql_on_fhir_report.json": run_suite(SUITE, evaluate)}
    reports["sql_on_fhir_report_plain.json"] = run_suite(SUITE, evaluate_plain)
    for name, report in reports.items():
        (RESULTS / name).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        tests = [test["result"]["passed"] for file in report.values() for test in file["tests"]]
        print(f"{sum(tests)} of {len(tests)} tests pass: benchmarks/results/{name}")


if __name__ == "__main__":
    main()
