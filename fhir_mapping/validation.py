"""Silver held against fhir.resources (R4B models): one row of every distinct shape, and a sample by hash.

The row rules check every row natively and the specs are checked before any row is read; this is the second opinion, by
a validator that shares no code with them. The models of R4B fit R4 for the types silver has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructField, StructType

from contracts.errors import DataError
from contracts.fhir import to_fhir_json
from contracts.zone import SiteZone
from fhir_mapping.spec.tree import struct_type
from fhir_mapping.tables import silver_table, silver_table_path, silver_types
from lake.reader import Filling, fillings
from lake.tables import read
from lake.together import run_together

RULE = "fhir_invalid"
_ENTRIES = 2
"""Entries of a list whose shape counts; longer lists are told apart by their length only."""

Fillings = Mapping[tuple[str, ...], Filling]


@dataclass(frozen=True)
class ValidationReport:
    """What was looked at: rows of silver, distinct shapes among them, rows that the validator read."""

    rows: int
    shapes: int
    validated: int


def validate_sample(spark: SparkSession, zone: SiteZone, share: float = 0.01, at_most: int = 150) -> ValidationReport:
    """Validate one row of each shape of each silver table, and about ``share`` of all (about ``at_most`` a table).

    The sample is chosen by a hash of the id: the same rows every time.

    Raises:
        DataError: some are invalid; names types, paths and kinds of fault with counts, no values.
    """

    def validate(resource: str) -> tuple[ValidationReport, Counter[str]]:
        filled = fillings(silver_table_path(zone, resource))
        count, representatives = _representatives(spark, zone, resource, filled)
        bodies = _chosen(spark, zone, resource, filled, representatives, min(share, at_most / max(count, 1)))
        faults = [_faults(resource, body) for body in bodies]
        return ValidationReport(count, len(representatives), len(faults)), Counter(chain.from_iterable(faults))

    found = run_together(partial(validate, resource) for resource in silver_types(zone))
    reports = [report for report, _ in found]
    faults = sum((counted for _, counted in found), Counter[str]())
    validated = sum(report.validated for report in reports)
    if faults:
        told = "; ".join(f"{path}: {count}" for path, count in sorted(faults.items()))
        raise DataError(f"{RULE}: {sum(faults.values())} faults in {validated} resources of site '{zone.site}': {told}")
    return ValidationReport(sum(one.rows for one in reports), sum(one.shapes for one in reports), validated)


def _representatives(spark: SparkSession, zone: SiteZone, resource: str, filled: Fillings) -> tuple[int, list[str]]:
    """The number of rows of a silver table, and the id of one row of each shape.

    Leaves that the files' footers show to be filled alike in all rows tell no shapes apart, and are not read.
    """
    varying = _kept(struct_type(resource), {path for path, filling in filled.items() if not filling.is_uniform})
    silver = read(spark, silver_table(zone, resource))
    shaped = silver.select("id", _shape(varying).alias("_shape")).groupBy("_shape")
    found = shaped.agg(F.count(F.lit(1)).alias("n"), F.min("id").alias("id")).collect()
    return sum(row["n"] for row in found), [row["id"] for row in found]


def _chosen(
    spark: SparkSession, zone: SiteZone, resource: str, filled: Fillings, representatives: list[str], share: float
) -> Iterator[dict[str, Any]]:
    """The representatives and a share of the others as FHIR JSON; columns that are empty throughout are not read."""
    if not representatives:
        return
    silver = read(spark, silver_table(zone, resource))
    used = {path[0] for path, filling in filled.items() if not filling.is_empty}
    chosen = silver.select(*[name for name in struct_type(resource).names if name in used])
    for row in chosen.where(F.col("id").isin(representatives) | _sampled(share)).toArrow().to_pylist():
        yield to_fhir_json(resource, row, number=Decimal)


def _kept(kind: StructType, leaves: Set[tuple[str, ...]], above: tuple[str, ...] = ()) -> StructType:
    """The type with nothing but these leaves, and what leads to them."""
    fields = []
    for field in kind.fields:
        path = (*above, field.name)
        inner = field.dataType.elementType if isinstance(field.dataType, ArrayType) else field.dataType
        if isinstance(inner, StructType):
            inner = _kept(inner, leaves, path)
            is_kept = bool(inner.fields)
        else:
            is_kept = path in leaves
        if is_kept:
            fields.append(StructField(field.name, ArrayType(inner) if isinstance(field.dataType, ArrayType) else inner))
    return StructType(fields)


def _faults(resource: str, body: dict) -> list[str]:
    """``Type.path (kind of fault)`` for each fault of a resource."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(resource).model_validate(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        return [f"{'.'.join([resource, *(str(part) for part in fault['loc'])])} ({fault['type']})" for fault in found]
    return []


def _sampled(share: float) -> Column:
    """Ids are hex digits of a keyed hash, so their first digits are a uniform draw."""
    return F.substring("id", 1, 6) < f"{int(share * 0x1000000):06x}"


def _shape(kind: StructType) -> Column:
    """Which fields have a value, at every depth, as text."""
    flags = [flag for field in kind.fields for flag in _flags(F.col(field.name), field.dataType)]
    return F.concat(F.lit(""), *flags)


def _flags(column: Column, kind: DataType) -> list[Column]:
    if isinstance(kind, StructType):
        return [flag for field in kind.fields for flag in _flags(column[field.name], field.dataType)]
    if isinstance(kind, ArrayType):
        length = F.coalesce(F.size(column).cast("string"), F.lit("0"))
        entries = [F.get(column, F.lit(index)) for index in range(_ENTRIES)]
        return [length, *[flag for entry in entries for flag in _flags(entry, kind.elementType)]]
    return [F.when(column.isNull(), F.lit("0")).otherwise(F.lit("1"))]
