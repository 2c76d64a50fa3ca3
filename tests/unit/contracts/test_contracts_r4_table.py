"""Every line of the element tables against the R4B models of fhir.resources: path, cardinality, type, targets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from contracts.fhir import BINDINGS, RESOURCES, awaited, complex_type, silver_schema_json
from contracts.fhir.elements import PRIMITIVES, TYPES, Element

OTHER_NAME = {"PrimitiveExtension": "FHIRPrimitiveExtension"}
WIDE = ("name", "telecom", "address", "identifier", "photo", "contact", "display", "data", "subscriberId")


def fields_of(type_name: str) -> dict[str, Any]:
    model = get_fhir_model_class(OTHER_NAME.get(type_name, type_name))
    return {field.alias: field for field in model.model_fields.values()}


def type_of(field: Any) -> str:
    """The model's type in FHIR's spelling: ``CodeableConcept``, ``dateTime``."""
    written = str(field.annotation) + str(field.metadata)
    found = re.search(r"abc\.(\w+)Type\b", written)
    if found:
        return {model: name for name, model in OTHER_NAME.items()}.get(found.group(1), found.group(1))
    spelled = {name.lower(): name for name in PRIMITIVES}
    names = [spelled[name.lower()] for name in re.findall(r"(\w+)\(", written) if name.lower() in spelled]
    return "boolean" if "bool" in written else names[0]


def all_elements() -> list[tuple[str, Element]]:
    return [(kind.name, element) for kind in TYPES.values() for element in kind.elements.values()]


def test_every_type_and_list_that_the_tables_name_is_there() -> None:
    for owner, element in all_elements():
        assert element.is_primitive or element.type in TYPES, f"{owner}.{element.name}"
        assert element.binding is None or element.binding in BINDINGS, f"{owner}.{element.name}"


@pytest.mark.parametrize("type_name", TYPES)
def test_every_line_agrees_with_the_models(type_name: str) -> None:
    fields = fields_of(type_name)
    for element in complex_type(type_name).elements.values():
        where, field = f"{type_name}.{element.name}", fields[element.name]
        extra = field.json_schema_extra or {}
        flags = (field.is_required(), extra.get("element_required"), extra.get("one_of_many_required"))
        assert ("List" in str(field.annotation)) == element.is_list, where
        assert any(flags) == bool(element.minimum) or element.name == "id", where
        assert extra.get("one_of_many") == (element.choice[:-3] if element.choice else None), where
        if element.name not in ("id", "div"):
            assert type_of(field) == element.type, where
        if element.type == "Reference":
            allowed = extra.get("enum_reference_types", ["Resource"])
            targets = set(RESOURCES) if allowed == ["Resource"] else set(allowed) & set(RESOURCES)
            # R4B lets any of its types be the subject of an observation; R4 does not.
            if where not in ("Observation.subject", "DiagnosticReport.subject"):
                assert set(element.targets) == targets, where
            assert set(element.targets) <= targets, where


@pytest.mark.parametrize("resource", RESOURCES)
def test_what_fhir_requires_of_a_resource_can_be_mapped(resource: str) -> None:
    for alias, field in fields_of(resource).items():
        extra = field.json_schema_extra or {}
        if field.is_required() or extra.get("element_required") or extra.get("one_of_many_required"):
            elements = complex_type(resource).elements
            choices = {element.choice for element in elements.values()}
            assert alias in elements or f"{extra.get('one_of_many')}[x]" in choices, f"{resource}.{alias}"


def test_silver_has_no_column_that_could_identify() -> None:
    def names(kind: Any) -> list[str]:
        if isinstance(kind, dict) and kind["type"] == "struct":
            return [name for field in kind["fields"] for name in [field["name"], *names(field["type"])]]
        return names(kind["elementType"]) if isinstance(kind, dict) else []

    for resource in RESOURCES:
        columns = {field["name"] for field in silver_schema_json(resource)["fields"]}
        may_be_named = {"name"} if resource in ("Organization", "Location") else set()
        assert not columns & (set(WIDE) - may_be_named), resource
    reference = next(f for f in silver_schema_json("Observation")["fields"] if f["name"] == "subject")["type"]
    assert names(reference) == ["reference"]


def test_a_resource_waits_for_its_patient_and_visit_whatever_fhir_calls_them() -> None:
    assert awaited("Observation") == {"Patient": "subject", "Encounter": "encounter"}
    assert awaited("AllergyIntolerance") == {"Patient": "patient", "Encounter": "encounter"}
    assert awaited("MedicationAdministration") == {"Patient": "subject", "Encounter": "context"}
    assert awaited("Coverage") == {"Patient": "beneficiary"}
    assert awaited("Location") == {}
