"""One file's records as FHIR JSON, in order, by the same compiled specs that fill silver; nothing is written.

For scoring: each record stands alone, so none is superseded, and references are not looked for.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.errors import UsageError
from contracts.fhir import to_fhir_json
from contracts.region import Region, Site, Source
from fhir_mapping import bronze
from fhir_mapping.mapping import compile_site
from fhir_mapping.sources.reader import Refusal, inspect
from fhir_mapping.sources.record import Block
from fhir_mapping.spec.compile import SourceMapping
from lake.schemas import nullable

LARGEST_PACKED = 1 << 30
"""Bytes that a gzipped file may unpack to."""

_FILE = "file"
"""Stands for the file's id, which may be part of keys: an empty one would be no key."""


def open_export(path: Path) -> BinaryIO:
    """A file as exported, or gzipped (told by its first bytes), which is unpacked in memory.

    Raises:
        UsageError: it cannot be read, or unpacks to more than ``LARGEST_PACKED``.
    """
    try:
        stream = path.open("rb")
        if stream.peek(2)[:2] != b"\x1f\x8b":
            return stream
        with stream, gzip.GzipFile(fileobj=stream) as packed:
            data = packed.read(LARGEST_PACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(
            f"{path} cannot be read ({type(error).__name__}): expected a file as a site exports it"
        ) from error
    if len(data) > LARGEST_PACKED:
        raise UsageError(f"{path} unpacks to more than {LARGEST_PACKED >> 20} MiB. Unpack it and give the file itself.")
    return io.BytesIO(data)


def map_records(
    spark: SparkSession,
    key: bytes,
    region: Region,
    site: Site,
    source: Source,
    path: Path,
    day: str | None = None,
    *,
    identifying: bool = False,
) -> Iterator[list[dict[str, Any]] | str]:
    """What each record of a file becomes, in file order.

    Args:
        key: of pseudonyms; a random one will do where ids are not kept.
        day: the day of delivery, which decides between versions of a spec and which the check ``not_future`` needs;
            default today.
        identifying: names and identifiers that the specs map are kept, nothing is masked; else as silver has it.

    Yields:
        The FHIR resources of a record, at least one; or the text of why there is none: names of rules and paths, never
        a value.

    Raises:
        UsageError: the file cannot be read as records of this source: encoding, empty, a required column missing.
        SpecError: a spec of the site is wrong.
    """
    delivered = day or date.today().isoformat()
    mapping = compile_site(region, site, key, identifying, delivered)[source.name]
    with open_export(path) as stream:
        file = inspect(source, stream)
        if isinstance(file, Refusal):
            raise UsageError(
                f"{path} cannot be read as records of source '{source.name}' of site '{site.name}': {file.reason}. "
                "Give a file as the site exports it."
            )
        yield from _mapped_blocks(spark, mapping, source, file.blocks(stream), delivered)


def _mapped_blocks(
    spark: SparkSession, mapping: SourceMapping, source: Source, blocks: Iterator[Block], day: str
) -> Iterator[list[dict[str, Any]] | str]:
    first = 0
    for block in blocks:
        if len(block):
            rows = spark.createDataFrame(block_rows(source, block, first, day))
            for row in sorted(collect_mapped(spark, mapping, rows), key=lambda row: row["_record_no"]):
                yield _outcome(mapping, row)
        first += len(block)


def block_rows(source: Source, block: Block, first: int, day: str) -> pa.Table:
    """A block as bronze rows; records are numbered from ``first``."""
    count = len(block)
    lineage = {
        "_delivery_date": pa.repeat(pa.scalar(day), count),
        "_file_id": pa.repeat(pa.scalar(_FILE), count),
        "_file_name": pa.repeat(pa.scalar(_FILE), count),
        "_record_no": pa.array(range(first, first + count), pa.int64()),
        "_raw": block.raw,
        "_error": block.error,
    }
    assert set(bronze.COLUMNS) == set(lineage)
    columns = {column.name: block.values[column.name] for column in source.column}
    return pa.table({**lineage, **columns})


def collect_mapped(spark: SparkSession, mapping: SourceMapping, rows: DataFrame) -> list[dict[str, Any]]:
    """Mapped rows as dicts. All types nullable: a null struct of non-null fields cannot leave the engine."""
    schema = nullable(mapping.schema)
    columns = [F.col(field.name).cast(field.dataType).alias(field.name) for field in schema.fields]
    table: pa.Table = mapping.apply(spark, rows).select(*columns).toArrow()
    return table.to_pylist()


def _outcome(mapping: SourceMapping, row: dict[str, Any]) -> list[dict[str, Any]] | str:
    if row["_errors"]:
        named = [f"{error['rule']} ({error['path']})" if error["path"] else error["rule"] for error in row["_errors"]]
        return "; ".join(dict.fromkeys(named))
    if row["_skip"] is not None:
        return f"skipped: {row['_skip']}"
    return [to_fhir_json(e.resource, row[e.column]) for e in mapping.emits if row[e.column] is not None]
