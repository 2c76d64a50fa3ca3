"""ViewDefinitions are checked whole when they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import SpecError
from contracts.fhir.expression import Literal
from contracts.fhir.view_definition import parse_view, read_view

ID = {"name": "id", "path": "id", "type": "id"}


def view(*selects: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resource": "Patient", "select": list(selects), **more}


def test_columns_come_in_the_order_own_nested_union() -> None:
    branch = {"column": [{"name": "c", "path": "id"}]}
    parsed = parse_view(
        view({"unionAll": [branch, branch], "select": [{"column": [{"name": "b", "path": "id"}]}], "column": [ID]})
    )
    assert [column.name for column in parsed.all_columns()] == ["id", "b", "c"]


def test_metadata_of_the_resource_changes_nothing() -> None:
    plain = view({"column": [ID]})
    assert parse_view({**plain, "resourceType": "ViewDefinition", "status": "draft", "name": "x"}) == parse_view(plain)


def test_constants_keep_type_and_value() -> None:
    constants = [
        {"name": "a", "valueDecimal": -1.5},
        {"name": "b", "valuePositiveInt": 3},
        {"name": "c", "valueCode": "x"},
    ]
    parsed = parse_view(view({"column": [ID]}, constant=constants))
    assert parsed.constants["b"] == Literal(3, "integer")
    assert (float(parsed.constants["a"].value), parsed.constants["c"].value) == (-1.5, "x")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (view({"forEeach": "name", "column": [ID]}), "forEeach"),
        (view({"column": [ID, ID]}), "named twice: id"),
        (view({"forEach": "name", "repeat": ["name"], "column": [ID]}), "give one of them"),
        (view({"column": [{"name": "1a", "path": "id"}]}), "name"),
        (view({"column": [{"name": "a", "path": "%nothing"}]}), "%nothing"),
        (view({"column": [ID]}, where=[{"path": "active = %nothing"}]), "%nothing"),
        (view(), "select"),
        ({"select": [{"column": [ID]}]}, "resource"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], named: str) -> None:
    with pytest.raises(SpecError, match=named):
        parse_view(body)


def test_a_file_that_is_no_view_is_named(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SpecError, match=r"v\.json"):
        read_view(tmp_path / "v.json")
    (tmp_path / "v.json").write_text(json.dumps(view({"column": [ID]})), encoding="utf-8")
    assert read_view(tmp_path / "v.json")["resource"] == "Patient"
