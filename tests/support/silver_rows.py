"""FHIR JSON laid out as silver: for tests that need silver without a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql.types import StructType

from contracts.fhir import silver_schema_json
from contracts.fhir.elements import TYPES
from lake.schemas import nullable, to_arrow
from lake.tables import Table, write_arrow


def silver_table(folder: Path, kind: str) -> Table:
    return Table(folder / f"silver_fhir__{kind.lower()}", StructType.fromJson(silver_schema_json(kind)))


def silver_arrow(kind: str, resources: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Resources of one type as silver's rows. ``_pending`` of a resource is kept; numbers keep their text."""
    rows = [
        {**_struct(kind, resource), "_pending": list(resource.get("_pending", []))}
        for resource in resources
        if resource["resourceType"] == kind
    ]
    schema = to_arrow(nullable(StructType.fromJson(silver_schema_json(kind))))
    return pa.Table.from_pylist(rows, schema=schema)


def write_silver(folder: Path, resources: Iterable[Mapping[str, Any]], kinds: Iterable[str]) -> None:
    """Each type as a Delta table below ``folder``, replaced."""
    resources = list(resources)
    for kind in kinds:
        write_arrow(silver_arrow(kind, resources), silver_table(folder, kind))


def _struct(type_name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, element in TYPES[type_name].elements.items():
        found = value.get(name)
        if found is None:
            continue
        if element.type == "decimal":
            number = Decimal(repr(found))
            row[name], row[name + "_text"] = number.quantize(Decimal("0.000001")), format(number, "f")
        elif element.is_primitive:
            row[name] = found
        else:
            row[name] = [_struct(element.type, f) for f in found] if element.is_list else _struct(element.type, found)
    return row
