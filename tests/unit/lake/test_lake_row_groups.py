"""Row groups of a part are bounded by rows and by bytes, and hold all rows in order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql.types import StringType, StructField, StructType

from lake import part_write
from lake.tables import Table, write_arrow


@pytest.mark.parametrize(
    ("rows", "size", "groups"),
    [(4, 1 << 20, [4, 4, 1]), (100, 10, [3, 3, 3]), (2, 10, [2, 1, 2, 1, 2, 1])],
)
def test_row_groups_are_bounded(
    rows: int, size: int, groups: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_write, "GROUP_ROWS", rows)
    monkeypatch.setattr(part_write, "GROUP_BYTES", size)
    fields = [StructField(name, StringType()) for name in ("day", "text")]
    table = Table(tmp_path / "table", StructType(fields), partition_by=("day",))
    texts = [str(number) for number in range(9)]
    batches = [
        pa.RecordBatch.from_pydict({"day": ["2026-11-02"] * 3, "text": texts[first : first + 3]}) for first in (0, 3, 6)
    ]
    write_arrow(pa.Table.from_batches(batches), table, where={"day": ["2026-11-02"]})
    (file,) = DeltaTable(str(table.path)).file_uris()
    about = pq.ParquetFile(file)
    assert [about.metadata.row_group(number).num_rows for number in range(about.num_row_groups)] == groups
    assert about.read()["text"].to_pylist() == texts
