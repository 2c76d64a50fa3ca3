from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.fhir import RESOURCES, parse_path, silver_schema_json, to_fhir_json


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("reasonCode.text", r"is a list; write reasonCode\[0\]"),
        ("status[0]", "is not a list; write status"),
        ("colour", "Encounter has no element 'colour'"),
        ("status.text", "status is of type code and has no elements"),
        ("period..start", "is not a path"),
    ],
)
def test_a_path_that_fhir_does_not_have_is_refused_with_what_would_be_right(path: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_path("Encounter", path)


def test_a_path_is_followed_through_lists_and_choices() -> None:
    steps = parse_path("Observation", "referenceRange[1].low.value")
    assert [str(step) for step in steps] == ["referenceRange[1]", "low", "value"]
    assert parse_path("Observation", "valueQuantity")[0].element.choice == "value[x]"


def test_json_leaves_out_nulls_lineage_and_empty_parts_and_keeps_the_text_of_numbers() -> None:
    row = {
        "id": "a",
        "status": "final",
        "code": {"coding": [{"system": "s", "version": None, "code": "c", "display": None}], "text": None},
        "subject": {"reference": None},
        "note": [],
        "valueQuantity": {"value": Decimal("5.600000"), "value_text": "5.60", "unit": None},
        "_site": "north",
        "_pending": [],
    }
    assert to_fhir_json("Observation", row) == {
        "resourceType": "Observation",
        "id": "a",
        "status": "final",
        "code": {"coding": [{"system": "s", "code": "c"}]},
        "valueQuantity": {"value": 5.6},
    }
    assert str(to_fhir_json("Observation", row, number=Decimal)["valueQuantity"]["value"]) == "5.60"


def test_silver_is_nullable_at_every_depth() -> None:
    def check(kind: object) -> None:
        if isinstance(kind, dict) and kind["type"] == "struct":
            assert all(field["nullable"] for field in kind["fields"])
            for field in kind["fields"]:
                check(field["type"])
        elif isinstance(kind, dict):
            assert kind["containsNull"]
            check(kind["elementType"])

    for name in RESOURCES:
        check(silver_schema_json(name))
