"""What the footers of a table's files tell about its columns is what its rows say."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from lake.data_files import DataFile, data_files
from lake.leaves import Filling, fillings, leaves_of
from lake.tables import Table, arrow_schema, read, replace, write_arrow

PAIR = StructType([StructField("a", StringType()), StructField("b", StringType())])
SCHEMA = StructType(
    [
        StructField("day", StringType()),
        StructField("full", LongType()),
        StructField("empty", ArrayType(PAIR)),
        StructField("half", StringType()),
        StructField("one_each", ArrayType(PAIR)),
        StructField("one_or_two", ArrayType(PAIR)),
        StructField("struct", PAIR),
    ]
)
ROWS = [
    {"day": "1", "full": 1, "one_each": [{"a": "x"}], "one_or_two": [{"a": "x"}], "struct": {"a": "x", "b": "y"}},
    {
        "day": "2",
        "full": 2,
        "half": "h",
        "one_each": [{"a": "y"}],
        "one_or_two": [{"a": "x"}, {"a": "y"}],
        "struct": {"a": "x"},
    },
]
EXPECTED = {
    ("full",): Filling(False, True),
    ("empty", "a"): Filling(True, True),
    ("empty", "b"): Filling(True, True),
    ("half",): Filling(False, False),
    ("one_each", "a"): Filling(False, True),
    ("one_each", "b"): Filling(True, True),
    ("one_or_two", "a"): Filling(False, False),
    ("one_or_two", "b"): Filling(True, True),
    ("struct", "a"): Filling(False, True),
    ("struct", "b"): Filling(False, False),
}


def test_footers_tell_which_leaves_are_empty_and_which_are_filled_alike(spark, tmp_path: Path) -> None:
    source = Table(tmp_path / "source", SCHEMA)
    write_arrow(pa.Table.from_pylist(ROWS, schema=arrow_schema(source)), source)
    target = Table(tmp_path / "target", SCHEMA, partition_by=("day",))
    replace(spark, read(spark, source), target)
    assert fillings(data_files(target.path)) == EXPECTED


def test_a_leaf_that_a_file_lacks_is_empty_in_it(spark, tmp_path: Path) -> None:
    table = Table(tmp_path / "table", SCHEMA, partition_by=("day",))
    for day, names in (("1", ["day", "full"]), ("2", ["day", "full", "half"])):
        rows = spark.createDataFrame([(day, 1, "h")], "day string, full long, half string")
        filled = StructType([SCHEMA[name] for name in names])
        replace(spark, rows, table, {"day": [day]}, {name: F.col(name) for name in names}, filled)
    files = data_files(table.path)
    assert fillings(files) == {("full",): Filling(False, True), ("half",): Filling(False, False)}
    assert {leaves_of(file) for file in files} == {frozenset({("full",)}), frozenset({("full",), ("half",)})}


def test_a_footer_without_statistics_tells_nothing(tmp_path: Path) -> None:
    table = Table(tmp_path / "table", SCHEMA)
    write_arrow(pa.Table.from_pylist(ROWS, schema=arrow_schema(table)), table)
    assert set(fillings(data_files(table.path)).values()) == {Filling(False, False)}


def test_a_partition_column_that_stands_in_a_file_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    pq.write_table(pa.table({"day": ["1", "1"], "full": [1, 2]}), path)
    file = DataFile(str(path), pq.read_metadata(path), {"day": "1"})
    assert fillings([file]) == {("full",): Filling(False, True)}
