from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.fhir import BINDINGS, RESOURCES, complex_type, parse_path, silver_schema_json, to_fhir_json
from contracts.fhir.elements import PRIMITIVES, TYPES


def test_every_type_an_element_has_is_described() -> None:
    for kind in TYPES.values():
        for element in kind.elements.values():
            assert element.type in PRIMITIVES or element.type in TYPES, f"{kind.name}.{element.name}"
            assert element.binding is None or element.binding in BINDINGS


def test_the_tables_agree_with_the_models_of_fhir_resources() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    for name in RESOURCES:
        fields = {field.alias: field for field in get_fhir_model_class(name).model_fields.values()}
        for element in complex_type(name).elements.values():
            field = fields[element.name]
            assert ("List" in str(field.annotation)) == element.is_list, f"{name}.{element.name}"
            extra = field.json_schema_extra or {}
            flags = (field.is_required(), extra.get("element_required"), extra.get("one_of_many_required"))
            required = any(flags)
            assert required == bool(element.minimum) or element.name == "id", f"{name}.{element.name}"
            if element.type == "Reference":
                assert set(element.targets) <= set(extra["enum_reference_types"])


def test_patient_has_no_element_that_could_identify() -> None:
    assert not {"name", "telecom", "address", "identifier", "photo", "contact"} & set(complex_type("Patient").elements)
    assert set(complex_type("Reference").elements) == {"reference"}


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
