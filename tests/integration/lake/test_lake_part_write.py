"""A part written from Arrow rows: every row once, in groups that bound memory, no value in a footer."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql.types import LongType, StringType, StructField, StructType

from lake.part_write import GROUP_BYTES, GROUP_ROWS
from lake.reader import read_arrow
from lake.tables import Table, arrow_schema, read, write_arrow

SCHEMA = StructType([StructField("day", StringType()), StructField("n", LongType()), StructField("raw", StringType())])


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "bronze_his__visit", SCHEMA, ("day",))


def write(table: Table, lengths: list[int], raw: str) -> None:
    """Batches of these lengths as the part of day 1, rows numbered through."""
    batches, first = [], 0
    for length in lengths:
        arrays = [pa.repeat("1", length), pa.array(range(first, first + length)), pa.repeat(raw, length)]
        batches.append(pa.record_batch(arrays, schema=arrow_schema(table)))
        first += length
    write_arrow(pa.RecordBatchReader.from_batches(arrow_schema(table), batches), table, where={"day": ["1"]})


def groups(table: Table) -> list[int]:
    """Rows of each row group on disk."""
    footers = [pq.read_metadata(file) for file in DeltaTable(str(table.path)).file_uris()]
    return [footer.row_group(number).num_rows for footer in footers for number in range(footer.num_row_groups)]


def test_batches_become_full_row_groups_and_every_row_stands_once(spark, table: Table) -> None:
    lengths = [10, GROUP_ROWS - 5, 0, 3 * GROUP_ROWS + 9, 7]
    write(table, lengths, "x")
    assert groups(table) == [GROUP_ROWS + 5] + [GROUP_ROWS + 3] * 3 + [7]
    assert sorted(read_arrow(table.path, ["n"]).column(0).to_pylist()) == list(range(sum(lengths)))
    assert read(spark, table).count() == sum(lengths)


def test_dictionaries_are_written_as_the_strings_they_stand_for(spark, table: Table) -> None:
    often, seldom = ["a", None, "值"] * 40, [f"text {number}" for number in range(119)]
    coded = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("day", coded), ("n", pa.int64()), ("raw", coded)])
    numbers = iter(range(10**6))
    batches = [
        pa.record_batch([["1"] * len(raw), [next(numbers) for _ in raw], raw], schema=schema)
        for raw in (often, [*seldom, None], often)
    ]
    for batch in (batches, batches[1:2]):
        write_arrow(pa.RecordBatchReader.from_batches(schema, batch), table, where={"day": ["1"]})
        wanted = pa.Table.from_batches(batch).cast(arrow_schema(table))
        assert read_arrow(table.path).sort_by("n").equals(wanted)
        assert [tuple(row) for row in read(spark, table).orderBy("n").collect()] == list(
            zip(*wanted.to_pydict().values(), strict=True)
        )
    (file,) = DeltaTable(str(table.path)).file_uris()
    assert pq.read_schema(file).field("raw").type == pa.string()


def test_long_rows_are_written_before_a_row_group_is_full(table: Table) -> None:
    raw = "x" * (1 << 20)
    write(table, [GROUP_BYTES // len(raw) + 1] * 2, raw)
    assert len(groups(table)) == 2


def test_footers_hold_no_value(table: Table) -> None:
    write(table, [100], "patient 4711")
    (file,) = DeltaTable(str(table.path)).file_uris()
    group = pq.read_metadata(file).row_group(0)
    told = [group.column(number).statistics for number in range(group.num_columns)]
    assert not any(statistics and statistics.has_min_max for statistics in told)


def test_no_row_leaves_the_part_empty(spark, table: Table) -> None:
    write(table, [3], "x")
    write(table, [], "x")
    assert read(spark, table).count() == 0
    assert DeltaTable(str(table.path)).file_uris() == []


def test_a_fault_on_the_way_leaves_the_part_as_it_was(table: Table) -> None:
    write(table, [3], "x")

    def batches():
        yield pa.record_batch([["1"], [9], ["y"]], schema=arrow_schema(table))
        raise OSError("the file went away")

    with pytest.raises(OSError, match="went away"):
        write_arrow(pa.RecordBatchReader.from_batches(arrow_schema(table), batches()), table, where={"day": ["1"]})
    assert read_arrow(table.path, ["n"]).column(0).to_pylist() == [0, 1, 2]
    assert not list(table.path.rglob("staged-*"))
