"""The public SQL on FHIR v2 suite, test by test, on the plain-Python evaluator."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import SpecError
from contracts.fhir.view_definition import parse_view
from registry.views import evaluate_view

CHECKOUT = Path(__file__).parents[3]
SUITE = Path(os.environ.get("CLOISTER_DATA", CHECKOUT.parent / "shared" / "data")) / "sql-on-fhir-tests"
SUITE_SIZE = 134


def suite_tests() -> Iterator[Any]:
    for path in sorted(SUITE.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        for test in body.get("tests", []) if isinstance(body.get("tests"), list) else []:
            yield pytest.param(body["resources"], test, id=f"{path.stem}: {test['title']}")


TESTS = list(suite_tests())
needs_suite = pytest.mark.skipif(not TESTS, reason=f"no SQL on FHIR suite at {SUITE}; set CLOISTER_DATA")


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in any order, numbers by value."""
    return sorted(json.dumps(row, sort_keys=True).replace(".0,", ",").replace(".0}", "}") for row in rows)


@needs_suite
def test_the_suite_is_whole() -> None:
    assert len(TESTS) == SUITE_SIZE


@needs_suite
@pytest.mark.parametrize(("resources", "test"), TESTS)
def test_public_view_test_passes(resources: list[dict[str, Any]], test: dict[str, Any]) -> None:
    if test.get("expectError"):
        with pytest.raises(SpecError):
            evaluate_view(test["view"], resources)
        return
    rows = evaluate_view(test["view"], resources)
    assert canonical(rows) == canonical(test["expect"])
    if "expectColumns" in test:
        assert [column.name for column in parse_view(test["view"]).all_columns()] == test["expectColumns"]
