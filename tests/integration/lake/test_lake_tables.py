"""Writes that cannot lose a column, double a row or leave a table that cannot be read (docs/explanation/engines.md)."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from contracts.errors import DataError, SchemaDriftError, UsageError
from lake.reader import digest, read_arrow, version
from lake.tables import Table, arrow_schema, drop, exists, merge, read, replace, write_arrow

RULE = StructType([StructField("rule", StringType()), StructField("path", StringType())])
SCHEMA = StructType(
    [
        StructField("id", StringType()),
        StructField("day", StringType()),
        StructField("n", LongType()),
        StructField("name", StructType([StructField("text", StringType()), StructField("rules", ArrayType(RULE))])),
        StructField("codes", ArrayType(StringType())),
    ]
)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "bronze_his__visit", SCHEMA, ("day",))


def frame(spark: SparkSession, *rows: tuple[str, str, int]) -> DataFrame:
    """Rows whose nested parts are made of literals: non-nullable at every depth."""
    rule: Column = F.struct(F.lit("required").alias("rule"), F.lit("id").alias("path"))
    return (
        spark.createDataFrame(list(rows), "id string, day string, n long")
        .withColumn("name", F.struct(F.lit("x").alias("text"), F.array(rule).alias("rules")))
        .withColumn("codes", F.array(F.lit("A"), F.lit("B")))
    )


def contents(table: Table) -> list[tuple[str, str, int]]:
    return sorted((row["id"], row["day"], row["n"]) for row in read_arrow(table.path).to_pylist())


def test_an_absent_table_reads_as_an_empty_frame_of_its_schema(spark: SparkSession, table: Table) -> None:
    assert not exists(table)
    assert read(spark, table).count() == 0
    assert read(spark, table).schema == table.schema


def test_replacing_twice_leaves_the_same_rows(spark: SparkSession, table: Table) -> None:
    for _ in range(2):
        replace(spark, frame(spark, ("a", "d1", 1), ("b", "d2", 2)), table)
    assert contents(table) == [("a", "d1", 1), ("b", "d2", 2)]


def test_replacing_a_partition_leaves_the_others_alone(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1), ("b", "d2", 2), ("c", "d3", 3)), table)
    for _ in range(2):
        replace(spark, frame(spark, ("e", "d2", 9)), table, {"day": ["d1", "d2"]})
    assert contents(table) == [("c", "d3", 3), ("e", "d2", 9)]


def test_replacing_a_partition_by_nothing_empties_it(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1), ("b", "d2", 2)), table)
    replace(spark, frame(spark, ("a", "d1", 1)).where(F.lit(False)), table, {"day": ["d1"]})
    assert contents(table) == [("b", "d2", 2)]


def test_a_row_outside_the_replaced_partitions_stops_the_write(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1)), table)
    with pytest.raises(DataError, match="outside the partitions") as caught:
        replace(spark, frame(spark, ("secret-id", "d1", 5), ("b", "d2", 2)), table, {"day": ["d2"]})
    assert "secret-id" not in str(caught.value)
    assert contents(table) == [("a", "d1", 1)]


def test_a_new_column_is_refused_and_not_dropped(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1)), table)
    with pytest.raises(SchemaDriftError, match=r"undeclared column weight \(int\)"):
        replace(spark, frame(spark, ("b", "d1", 2)).withColumn("weight", F.lit(7)), table)
    assert contents(table) == [("a", "d1", 1)]


def test_a_missing_and_an_other_typed_column_are_refused(spark: SparkSession, table: Table) -> None:
    rows = frame(spark, ("a", "d1", 1))
    with pytest.raises(SchemaDriftError, match="missing column codes"):
        replace(spark, rows.drop("codes"), table)
    with pytest.raises(SchemaDriftError, match="column n is string, declared bigint"):
        replace(spark, rows.withColumn("n", F.lit("1")), table)
    assert not exists(table)


def test_a_table_on_disk_with_another_schema_is_neither_read_nor_written(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1)), table)
    changed = Table(table.path, StructType([*SCHEMA.fields, StructField("more", StringType())]), ("day",))
    with pytest.raises(SchemaDriftError, match=r"table on disk differs .* missing column more"):
        read(spark, changed)
    with pytest.raises(SchemaDriftError, match="table on disk"):
        replace(spark, frame(spark, ("a", "d1", 1)).withColumn("more", F.lit("x")), changed)
    with pytest.raises(DataError, match="partitioned by"):
        replace(spark, frame(spark, ("a", "d1", 1)), Table(table.path, SCHEMA, ("id",)))
    assert read(spark, Table(table.path, SCHEMA, ("id",))).count() == 1
    drop(changed)
    replace(spark, frame(spark, ("a", "d1", 1)).withColumn("more", F.lit("x")), changed)
    assert read(spark, changed).count() == 1


@pytest.mark.parametrize("where", [None, {"day": ["d1"]}])
def test_columns_given_apart_keep_the_contract(
    spark: SparkSession, tmp_path: Path, where: dict[str, list[str]] | None
) -> None:
    table = Table(tmp_path / "mapped", SCHEMA, ("day",) if where else ())
    rows = frame(spark, ("secret-id", "d1", 1))
    columns: dict[str, Column] = {name: F.col(name) for name in SCHEMA.names}
    replace(spark, rows.withColumn("beside", F.lit(1)), table, where, columns)
    with pytest.raises(SchemaDriftError, match="undeclared column weight"):
        replace(spark, rows, table, where, {**columns, "weight": F.lit(7)})
    with pytest.raises(SchemaDriftError, match="missing column codes"):
        replace(spark, rows, table, where, {name: column for name, column in columns.items() if name != "codes"})
    with pytest.raises(SchemaDriftError, match="column n is string, declared bigint"):
        replace(spark, rows, table, where, {**columns, "n": F.lit("2")})
    swapped = F.struct(F.lit("id").alias("path"), F.lit("required").alias("rule"))
    for name in (F.struct("name.rules", "name.text"), F.struct("name.text", F.array(swapped).alias("rules"))):
        with pytest.raises(SchemaDriftError, match=r"column name is struct<.*, declared struct<text:string,rules:"):
            replace(spark, rows, table, where, {**columns, "name": name})
    if where is not None:
        with pytest.raises(DataError, match="outside the partitions") as caught:
            replace(spark, rows, table, where, {**columns, "day": F.lit("d2")})
        assert "secret-id" not in str(caught.value)
    assert contents(table) == [("secret-id", "d1", 1)]
    assert [row.name.text for row in read(spark, table).collect()] == ["x"]


def test_columns_and_fields_that_nothing_fills_stand_in_no_file_and_read_as_null(
    spark: SparkSession, table: Table
) -> None:
    rule = StructType([RULE["path"]])
    name = StructType([StructField("rules", ArrayType(rule))])
    filled = StructType([SCHEMA["id"], SCHEMA["day"], StructField("name", name)])
    made = F.struct(F.array(F.struct(F.lit("id").alias("path"))).alias("rules"))
    columns = {"id": F.col("id"), "day": F.col("day"), "name": F.when(F.col("id") != "none", made)}
    replace(spark, frame(spark, ("full", "d1", 1)), table, {"day": ["d1"]})
    rows = frame(spark, ("part", "d2", 2), ("none", "d2", 2))
    replace(spark, rows, table, {"day": ["d2"]}, columns, filled)
    (file,) = table.path.glob("day=d2/*.parquet")
    assert pq.read_schema(file).names == ["id", "name"]
    found = read_arrow(table.path).sort_by("id")
    assert found.schema.equals(arrow_schema(table))
    full = {"text": "x", "rules": [{"rule": "required", "path": "id"}]}
    wanted = [
        {"id": "full", "day": "d1", "n": 1, "name": full, "codes": ["A", "B"]},
        {"id": "none", "day": "d2", "n": None, "name": None, "codes": None},
        {"id": "part", "day": "d2", "n": None, "codes": None}
        | {"name": {"text": None, "rules": [{"rule": None, "path": "id"}]}},
    ]
    assert found.to_pylist() == wanted
    assert [row.asDict(recursive=True) for row in read(spark, table).orderBy("id").collect()] == wanted
    asked = read(spark, table).where("n is null and name.text is null").select("id", F.explode_outer("codes"))
    assert sorted(map(tuple, asked.collect())) == [("none", None), ("part", None)]
    other = StructType([SCHEMA["id"], SCHEMA["day"], StructField("name", StructType([StructField("b", name)]))])
    for wrong in (other, StructType(list(reversed(filled.fields)))):
        with pytest.raises(SchemaDriftError, match="not declared, or in another order"):
            replace(spark, rows, table, {"day": ["d2"]}, columns, wrong)
    with pytest.raises(SchemaDriftError, match="missing column name"):
        replace(spark, rows, table, {"day": ["d2"]}, {key: columns[key] for key in ("id", "day")}, filled)
    with pytest.raises(SchemaDriftError, match="missing column n"):
        replace(spark, rows, table, {"day": ["d1", "d2"]}, columns, filled)


def test_columns_may_be_given_in_any_order(spark: SparkSession, table: Table) -> None:
    rows = frame(spark, ("a", "d1", 1))
    replace(spark, rows.select(*reversed(rows.columns)), table)
    assert read(spark, table).columns == SCHEMA.names
    assert contents(table) == [("a", "d1", 1)]


def test_non_nullable_fields_inside_a_null_struct_can_be_read_back(spark: SparkSession, table: Table) -> None:
    rows = frame(spark, ("a", "d1", 1), ("b", "d1", 2))
    replace(spark, rows.withColumn("name", F.when(F.col("id") == "a", F.col("name"))), table)
    assert {row.id: row.name is None for row in read(spark, table).collect()} == {"a": False, "b": True}
    assert '"nullable":false' not in (table.path / "_delta_log" / f"{0:020}.json").read_text().replace("\\", "")


def test_merging_twice_updates_and_inserts_once(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1), ("b", "d2", 2)), table)
    for _ in range(2):
        merge(spark, frame(spark, ("b", "d2", 20), ("c", "d3", 30)), table, ["id"])
    assert contents(table) == [("a", "d1", 1), ("b", "d2", 20), ("c", "d3", 30)]


@pytest.mark.parametrize("key", ["a", None])
def test_merging_a_doubled_or_null_key_is_refused(spark: SparkSession, table: Table, key: str | None) -> None:
    rows = frame(spark, ("a", "d1", 1), ("a", "d1", 2)) if key else frame(spark, (None, "d1", 1))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"1 keys .* null or stand more than once"):
        merge(spark, rows, table, ["id"])


def test_arrow_and_engine_write_the_same_table(spark: SparkSession, table: Table, tmp_path: Path) -> None:
    replace(spark, frame(spark, ("a", "d1", 1), ("b", "d2", 2)), table)
    copy = Table(tmp_path / "copy", SCHEMA, ("day",))
    write_arrow(read_arrow(table.path), copy)
    write_arrow(read_arrow(table.path, where={"day": ["d2"]}), copy, {"day": ["d2"]})
    assert contents(copy) == contents(table)
    replace(spark, frame(spark, ("z", "d2", 9)), copy, {"day": ["d2"]})
    assert [row.id for row in read(spark, copy).orderBy("id").collect()] == ["a", "z"]


def test_arrow_writes_keep_the_contract(spark: SparkSession, table: Table) -> None:
    rows = pa.Table.from_pylist([{"id": "secret-id", "day": "d1", "n": 1}], schema=arrow_schema(table))
    write_arrow(rows.to_reader(), table)
    with pytest.raises(DataError, match="outside the partitions") as caught:
        write_arrow(rows, table, {"day": ["d2"]})
    assert "secret-id" not in str(caught.value)
    with pytest.raises(SchemaDriftError, match="undeclared column extra"):
        write_arrow(rows.append_column("extra", pa.array(["x"])), table)
    with pytest.raises(SchemaDriftError, match="column n is string"):
        write_arrow(rows.set_column(2, "n", pa.array(["1"])), table)
    with pytest.raises(ValueError, match="partition columns are"):
        write_arrow(rows, table, {"id": ["a"]})
    assert contents(table) == [("secret-id", "d1", 1)]


def test_a_null_struct_from_arrow_stays_null_through_delta(spark: SparkSession, table: Table) -> None:
    rows = [
        {"id": "a", "day": "d1", "n": None, "name": None, "codes": None},
        {"id": "b", "day": "d1", "n": 1, "name": {"text": None, "rules": [None]}, "codes": [None, "x"]},
    ]
    write_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(table)), table)
    found = read(spark, table).select("id", F.coalesce("name.text", F.lit("absent")), F.col("name").isNull(), "codes")
    assert [tuple(row) for row in found.orderBy("id").collect()] == [
        ("a", "absent", True, None),
        ("b", "absent", False, [None, "x"]),
    ]


def test_no_value_of_a_row_stands_in_the_log(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("id-0042", "d1", 1)), table)
    merge(spark, frame(spark, ("id-0043", "d1", 2)), table, ["id"])
    write_arrow(read_arrow(table.path), table)
    for log in sorted((table.path / "_delta_log").glob("*.json")):
        assert "id-004" not in log.read_text()
        adds = [json.loads(line).get("add") for line in log.read_text().splitlines()]
        stats = [json.loads(add["stats"]) for add in adds if add and add.get("stats")]
        assert all(not part.get("minValues") and not part.get("maxValues") for part in stats)


def test_a_partition_column_must_be_a_declared_string(tmp_path: Path) -> None:
    for name in ("n", "nowhere"):
        with pytest.raises(ValueError, match="partition column"):
            Table(tmp_path / "t", SCHEMA, (name,))


def test_version_rises_and_digest_changes_with_the_snapshot(spark: SparkSession, table: Table) -> None:
    with pytest.raises(UsageError, match="no table at"):
        version(table.path)
    replace(spark, frame(spark, ("a", "d1", 1)), table)
    before = (version(table.path), digest(table.path))
    assert digest(table.path) == before[1]
    replace(spark, frame(spark, ("b", "d1", 1)), table)
    assert version(table.path) > before[0]
    assert digest(table.path) != before[1]


def test_reading_takes_the_wanted_columns_and_partitions(spark: SparkSession, table: Table) -> None:
    replace(spark, frame(spark, ("a", "d1", 1), ("b", "d2", 2)), table)
    part = read_arrow(table.path, columns=["n", "id"], where={"day": ["d2", "d3"]})
    assert part.to_pylist() == [{"n": 2, "id": "b"}]
