"""Schemas of tables: nullable throughout, compared by name and type, the same for DataFrames, Arrow and Delta."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import Schema as DeltaSchema
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from contracts.errors import SchemaDriftError


def nullable(schema: StructType) -> StructType:
    """The same schema with every field, element and map value nullable, and no field metadata.

    Sail writes a non-null field of a nullable struct and then panics when it reads it; ``F.lit`` makes such fields.
    """
    return StructType([StructField(field.name, _nullable(field.dataType)) for field in schema.fields])


def _nullable(kind: DataType) -> DataType:
    if isinstance(kind, StructType):
        return nullable(kind)
    if isinstance(kind, ArrayType):
        return ArrayType(_nullable(kind.elementType), True)
    if isinstance(kind, MapType):
        return MapType(_nullable(kind.keyType), _nullable(kind.valueType), True)
    return kind


def check_same(found: StructType, declared: StructType, place: Path, what: str) -> None:
    """Raise SchemaDriftError unless ``found`` has the declared columns, in any order, of the declared types.

    The order of fields inside a struct counts: engines cast structs by position.
    """
    names = [field.name for field in found.fields]
    doubled = sorted({name for name in names if names.count(name) > 1})
    have, want = _types(found), _types(declared)
    faults = [f"column {name} twice" for name in doubled]
    faults += [f"missing column {name} ({want[name]})" for name in want if name not in have]
    faults += [f"undeclared column {name} ({have[name]})" for name in have if name not in want]
    faults += [
        f"column {name} is {have[name]}, declared {want[name]}"
        for name in want
        if name in have and have[name] != want[name]
    ]
    if faults:
        raise _drift(place, what, faults)


def check_names(found: Iterable[str], declared: StructType, place: Path, what: str) -> None:
    """Raise SchemaDriftError unless these are the names of the declared columns, in any order."""
    have, want = set(found), set(declared.names)
    faults = [f"missing column {name}" for name in sorted(want - have)]
    faults += [f"undeclared column {name}" for name in sorted(have - want)]
    if faults:
        raise _drift(place, what, faults)


def check_part(found: StructType, declared: StructType, place: Path, what: str) -> None:
    """Raise SchemaDriftError unless each column and field of ``found`` is declared, at every depth in this order."""
    if not _is_part(found, declared):
        raise _drift(place, what, ["it has columns or fields that are not declared, or in another order"])


def _is_part(found: DataType, declared: DataType) -> bool:
    if isinstance(found, StructType) and isinstance(declared, StructType):
        names = [name for name in declared.names if name in found.names]
        return names == found.names and all(_is_part(found[name].dataType, declared[name].dataType) for name in names)
    if isinstance(found, ArrayType) and isinstance(declared, ArrayType):
        return _is_part(found.elementType, declared.elementType)
    return found == declared


def _drift(place: Path, what: str, faults: Sequence[str]) -> SchemaDriftError:
    return SchemaDriftError(
        f"table '{place.name}': {what} differs from its declared schema: {'; '.join(faults)}. "
        "Make them agree; a table whose declared schema changed on purpose is dropped and built again."
    )


def _types(schema: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in nullable(schema).fields}


def to_delta(schema: StructType) -> DeltaSchema:
    """The Delta schema: Spark's JSON is Delta's."""
    return DeltaSchema.from_json(schema.json())


def from_delta(schema: DeltaSchema) -> StructType:
    """The Spark schema of a Delta table."""
    body: dict[str, Any] = json.loads(schema.to_json())
    return nullable(StructType.fromJson(body))


def to_arrow(schema: StructType) -> pa.Schema:
    """The Arrow schema in which Delta's reader and writer exchange such a table."""
    return pa.schema(to_delta(schema).to_arrow())


def from_arrow(schema: pa.Schema) -> StructType:
    """The Spark schema of Arrow data; large, view and dictionary variants of a type are the type."""
    return from_delta(DeltaSchema.from_arrow(schema))
