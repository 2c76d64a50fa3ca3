"""Quarantine: records that emit nothing because they broke rules, with the rules' names and the raw text.

A refused file has one entry with ``record_no`` -1 and no raw text: its bytes are in landing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.zone import SiteZone
from fhir_mapping.manifest import REFUSED, FileEntry
from fhir_mapping.mapping import MappedSource
from fhir_mapping.tables import WHOLE_FILE, quarantine_table
from lake.tables import replace


def write_quarantine(
    spark: SparkSession, zone: SiteZone, sources: Sequence[MappedSource], manifest: Sequence[FileEntry]
) -> None:
    """Write the quarantine whole, from the mapped rows and the refused files."""
    target = quarantine_table(zone)
    refused = [
        (e.delivery_date, e.source, e.file_id, e.file_name, WHOLE_FILE, [(e.reason or "", "")], None)
        for e in manifest
        if e.status == REFUSED
    ]
    frames = [_of_source(source) for source in sources]
    frames.append(spark.createDataFrame(refused, target.schema))
    replace(spark, reduce(DataFrame.unionByName, frames), target)


def _of_source(source: MappedSource) -> DataFrame:
    return source.rows.where(F.size("_errors") > 0).select(
        F.col("_delivery_date"),
        F.col("_source").alias("source"),
        F.col("_file_id").alias("file_id"),
        F.col("_file_name").alias("file_name"),
        F.col("_record_no").alias("record_no"),
        F.col("_errors").alias("rules"),
        F.col("_raw").alias("raw"),
    )
