"""FHIR R4 as this project carries it: element tables, code lists, silver's typed shape, plain FHIR JSON, views.

Belongs here: what FHIR says (paths, types, cardinality, bindings) as data, the FHIRPath subset and ViewDefinitions of
SQL on FHIR as trees, and pure functions over them that training and serving share. Light: standard library, pydantic.
Does not belong here: Spark types or columns (fhir_mapping, features), evaluation of views over JSON (registry), records
of a source (fhir_mapping), policy.
"""

from contracts.fhir.bindings import BINDINGS, Binding
from contracts.fhir.elements import RESOURCES, ComplexType, Element, awaited, complex_type
from contracts.fhir.json_form import to_fhir_json
from contracts.fhir.paths import Step, parse_path
from contracts.fhir.silver import SILVER_COLUMNS, silver_schema_json, struct_schema_json

__all__ = [
    "BINDINGS",
    "RESOURCES",
    "SILVER_COLUMNS",
    "Binding",
    "ComplexType",
    "Element",
    "Step",
    "awaited",
    "complex_type",
    "parse_path",
    "silver_schema_json",
    "struct_schema_json",
    "to_fhir_json",
]
