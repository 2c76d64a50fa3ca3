"""Rows of a table's data files, read file by file or by delta-rs, are the rows of the table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType

from contracts.errors import UsageError
from lake.data_files import column_batches, data_files, is_empty
from lake.reader import batches
from lake.tables import Table, arrow_schema, read, replace, write_arrow

PAIR = StructType([StructField("a", StringType()), StructField("b", StringType())])
SCHEMA = StructType(
    [
        StructField("day", StringType()),
        StructField("number", LongType()),
        StructField("name", StringType()),
        StructField('odd "name"', StringType()),
        StructField("pairs", ArrayType(PAIR)),
        StructField("none", ArrayType(StringType())),
    ]
)
DAYS = ["a b", "100%", "甲", "2026-01-02"]


def row(number: int) -> dict[str, object]:
    pairs = [{"a": "x", "b": None}] if number % 100 == 0 else []
    name = f"a long name of the one and only row {number}" if number % 3 else None
    odd = f"repeated {number // 90}" if number % 7 else None
    return {"day": DAYS[number % 4], "number": number, "name": name, 'odd "name"': odd, "pairs": pairs}


ROWS = [{**row(number), "none": [] if number % 2 else None} for number in range(400)]


@pytest.fixture(params=["engine", "arrow"])
def table(request: pytest.FixtureRequest, spark, tmp_path: Path) -> Table:
    whole = Table(tmp_path / "whole", SCHEMA)
    rows = pa.Table.from_pylist(ROWS, schema=arrow_schema(whole))
    parted = Table(tmp_path / "parted", SCHEMA, partition_by=("day",))
    if request.param == "engine":
        write_arrow(rows, whole)
        replace(spark, read(spark, whole), parted)
    else:
        write_arrow(rows, parted)
    return parted


def of_files(table: Table, columns: list[str], rows: int = 30) -> list[dict[str, object]]:
    files = data_files(table.path)
    assert sum(file.rows for file in files) == len(ROWS)
    found = [batch for file in files for batch in column_batches(file, columns, rows)]
    assert max(len(batch) for batch in found) <= rows
    assert all(batch.schema.names == columns for batch in found)
    return sorted((row for batch in found for row in batch.to_pylist()), key=lambda row: row["number"])


def test_columns_of_the_files_are_those_of_the_table(table: Table) -> None:
    for columns in (SCHEMA.names, ["pairs", "number", "day"], ["number"]):
        assert of_files(table, columns) == [{name: row[name] for name in columns} for row in ROWS]


def test_texts_are_strings_or_dictionaries_of_them(table: Table) -> None:
    kinds = {
        field.type
        for file in data_files(table.path)
        for batch in column_batches(file, ["day", "name", 'odd "name"'])
        for field in batch.schema
    }
    assert kinds <= {pa.string(), pa.dictionary(pa.int32(), pa.string())}


def test_footers_tell_which_columns_are_empty_or_do_not_tell(table: Table) -> None:
    told = {name: [is_empty(file, name) for file in data_files(table.path)] for name in SCHEMA.names}
    has_statistics = all(told["none"])
    assert has_statistics or not any(told["none"])
    # Only files of one day have pairs.
    assert told["pairs"].count(True) == (3 if has_statistics else 0)
    assert not any(any(told[name]) for name in ("day", "number", "name", 'odd "name"'))


def test_delta_rs_reads_the_rows_of_a_table(table: Table) -> None:
    for columns in (["number", 'odd "name"', "name", "day"], ["number"]):
        found = [row for batch in batches(table.path, columns) for row in batch.to_pylist()]
        assert sorted(found, key=lambda row: row["number"]) == [{name: row[name] for name in columns} for row in ROWS]


def test_where_there_is_no_table_there_are_no_batches(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no table at"):
        batches(tmp_path / "none", ["number"])
