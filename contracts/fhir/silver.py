"""The typed shape of silver, engine-neutral: Spark's schema JSON, which ``StructType.fromJson`` reads.

Every field is nullable at every depth. A decimal element ``value`` is two fields: ``value`` decimal(32,6) and
``value_text``, the number as written. Dates and times are FHIR's strings. A reference is a struct of one field.
Identifying elements have no field here; the shape with them is what ``map convert`` writes from.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from contracts.fhir.elements import TYPES, Element

DECIMAL = "decimal(32,6)"
TEXT_SUFFIX = "_text"
"""Suffix of the field that keeps a decimal's own text."""

_SPARK = {"boolean": "boolean", "integer": "integer", "positiveInt": "integer", "unsignedInt": "integer"}

SILVER_COLUMNS: tuple[tuple[str, str], ...] = (
    ("_site", "string"),
    ("_delivery_date", "string"),
    ("_source", "string"),
    ("_file_id", "string"),
    ("_file_name", "string"),
    ("_record_no", "long"),
    ("_spec", "string"),
    ("_spec_digest", "string"),
    ("_terminology_version", "string"),
)
"""Lineage columns after the resource's elements; then ``_pending``, a list of resource types."""


def _field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "nullable": True, "metadata": {}}


def _list_of(kind: Any) -> dict[str, Any]:
    return {"type": "array", "elementType": kind, "containsNull": True}


def _element_fields(element: Element, identifying: bool) -> list[dict[str, Any]]:
    if element.type == "decimal":
        return [_field(element.name, DECIMAL), _field(element.name + TEXT_SUFFIX, "string")]
    if element.is_primitive:
        kind: Any = _SPARK.get(element.type, "string")
    else:
        kind = struct_schema_json(element.type, identifying)
    return [_field(element.name, _list_of(kind) if element.is_list else kind)]


@cache
def struct_schema_json(type_name: str, identifying: bool = False) -> dict[str, Any]:
    """Schema of a resource or data type as Spark's JSON. Treat as read-only: it is shared.

    Args:
        identifying: with the fields that silver has no column for.
    """
    kept = [e for e in TYPES[type_name].elements.values() if identifying or not e.is_identifying]
    return {"type": "struct", "fields": [field for e in kept for field in _element_fields(e, identifying)]}


def silver_schema_json(resource: str) -> dict[str, Any]:
    """Schema of ``silver_fhir__{resource}``: the elements, then lineage, then ``_pending``."""
    lineage = [_field(name, kind) for name, kind in SILVER_COLUMNS]
    return {
        "type": "struct",
        "fields": [*struct_schema_json(resource)["fields"], *lineage, _field("_pending", _list_of("string"))],
    }
