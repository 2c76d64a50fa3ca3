"""The feature table of a task in one hospital, rebuilt whole from silver."""

from __future__ import annotations

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.errors import DataError, SpecError
from contracts.feature_rules import require_allowed_text, view_files
from contracts.fhir import RESOURCES, silver_schema_json
from contracts.fhir.view_definition import View, parse_view, read_view
from contracts.region import Region, Task
from contracts.zone import SiteZone
from features.element import SEVERAL
from features.evaluate import SEVERAL_ROWS, evaluate_features, feature_schema
from lake.reader import read_arrow
from lake.tables import Table, exists, read, write_arrow


def build_features(spark: SparkSession, zone: SiteZone, region: Region, task: str) -> int:
    """Write ``feature__{task}``: one row a unit, see ``features.evaluate``. A pure function of silver; safe to repeat.

    A table that holds just these rows is left as it is: to a training run that goes on, it is the same data.
    Resources whose patient or encounter has not arrived (``_pending``) and units without a patient are left out.

    Returns:
        Rows written.

    Raises:
        SpecError: the task's spec or a view is wrong, or asks for free text that the region does not allow, or a view
            column meets several values where it takes one.
        DataError: silver has several rows for a key of the unit or of a joined view.
    """
    wanted = region.task(task)
    require_allowed_text(region, wanted)
    views = task_views(wanted)
    needed = {view.resource for view in views.values()} & set(RESOURCES)
    tables = {resource: _silver(spark, zone, resource) for resource in sorted(needed)}
    rows = evaluate_features(wanted.features, views, tables).filter(F.col("patient_id").isNotNull())
    table = feature_table(zone, wanted)
    try:
        features = rows.orderBy("unit_id").toArrow()
    except PySparkException as error:
        if SEVERAL in str(error):
            raise SpecError(f"task '{task}': a view meets {SEVERAL.removeprefix('cloister: ')}") from None
        if SEVERAL_ROWS in str(error):
            raise DataError(f"task '{task}': {SEVERAL_ROWS.removeprefix('cloister: ')}") from None
        raise
    if not _holds(table, features):
        write_arrow(features, table)
    return int(features.num_rows)


def feature_table(zone: SiteZone, task: Task) -> Table:
    """Where the features of a task are, and their schema."""
    return Table(zone.table(f"feature__{task.name}"), feature_schema(task.features))


def _holds(table: Table, features: pa.Table) -> bool:
    """Whether the table is there with these rows and no others."""
    if not exists(table):
        return False
    kept = read_arrow(table.path).sort_by("unit_id")
    return bool(kept.equals(features.select(kept.column_names).cast(kept.schema)))


def task_views(task: Task) -> dict[str, View]:
    """The task's views by file name, checked. Raises SpecError naming the file."""
    return {file: parse_view(read_view(task.folder / file)) for file in view_files(task.features)}


def _silver(spark: SparkSession, zone: SiteZone, resource: str) -> DataFrame:
    """Resources of a type whose references have all arrived."""
    schema = T.StructType.fromJson(silver_schema_json(resource))
    rows = read(spark, Table(zone.table(f"silver_fhir__{resource.lower()}"), schema))
    return rows.filter(F.coalesce(F.size("_pending"), F.lit(0)) <= 0)
