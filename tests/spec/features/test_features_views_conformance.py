"""The public SQL on FHIR v2 suite, test by test, on the compiler to DataFrame columns (schemas read off the data)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from contracts.errors import SpecError
from features.element import SEVERAL
from features.views import compile_view

CHECKOUT = Path(__file__).parents[3]
SUITE = Path(os.environ.get("CLOISTER_DATA", CHECKOUT.parent / "shared" / "data")) / "sql-on-fhir-tests"


def suite_tests() -> Iterator[Any]:
    for path in sorted(SUITE.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        for test in body.get("tests", []) if isinstance(body.get("tests"), list) else []:
            yield pytest.param(body["resources"], test, id=f"{path.stem}: {test['title']}")


TESTS = list(suite_tests())


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in any order, numbers by value."""
    return sorted(json.dumps(row, sort_keys=True).replace(".0,", ",").replace(".0}", "}") for row in rows)


def table_of(spark: SparkSession, resources: list[dict[str, Any]], kind: str | None, folder: Path) -> DataFrame:
    """Through Parquet: a null struct made in Python reads wrong on the embedded engine."""
    rows = [resource for resource in resources if resource["resourceType"] == kind] or [{"id": None}]
    columns = {key: [row.get(key) for row in rows] for key in dict.fromkeys(key for row in rows for key in row)}
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    return spark.read.parquet(str(folder / "rows.parquet"))


@pytest.mark.skipif(not TESTS, reason=f"no SQL on FHIR suite at {SUITE}; set CLOISTER_DATA")
@pytest.mark.parametrize(("resources", "test"), TESTS)
def test_public_view_test_passes_as_columns(
    spark: SparkSession, tmp_path: Path, resources: list[dict[str, Any]], test: dict[str, Any]
) -> None:
    df = table_of(spark, resources, test["view"].get("resource"), tmp_path)
    if test.get("expectError"):
        with pytest.raises((SpecError, PySparkException)) as caught:
            compile_view(test["view"], df, is_open=True).collect()
        assert isinstance(caught.value, SpecError) or SEVERAL in str(caught.value)
        return
    rows = compile_view(test["view"], df, is_open=True)
    assert canonical([row.asDict(recursive=True) for row in rows.collect()]) == canonical(test["expect"])
    if "expectColumns" in test:
        assert rows.columns == test["expectColumns"]
