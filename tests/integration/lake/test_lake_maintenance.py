from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from lake.maintenance import compact, history, vacuum
from lake.reader import read_arrow
from lake.tables import Table, merge, read, write_arrow


@pytest.fixture
def table(tmp_path: Path, spark: SparkSession) -> Table:
    """Three rows in three files, with older files left behind."""
    table = Table(tmp_path / "silver_fhir__thing", StructType([StructField("id", StringType())]))
    write_arrow(pa.table({"id": ["a"]}), table)
    for name in ("b", "c"):
        merge(spark, spark.createDataFrame([(name,)], table.schema), table, ["id"])
    return table


def test_history_tells_what_happened_latest_first(table: Table) -> None:
    commits = history(table.path)
    assert [commit["version"] for commit in commits] == [3, 2, 1, 0]
    assert commits[-1]["operation"] == "CREATE TABLE"


def test_compaction_and_vacuum_keep_the_rows_and_drop_the_files(spark: SparkSession, table: Table) -> None:
    compact(table.path)
    vacuum(table.path, retain_hours=0)
    assert len(list(table.path.glob("*.parquet"))) == 1
    assert sorted(read_arrow(table.path)["id"].to_pylist()) == ["a", "b", "c"]
    assert read(spark, table).count() == 3


def test_vacuum_keeps_what_recent_readers_need(table: Table) -> None:
    compact(table.path)
    before = len(list(table.path.glob("*.parquet")))
    assert vacuum(table.path) == []
    assert len(list(table.path.glob("*.parquet"))) == before
