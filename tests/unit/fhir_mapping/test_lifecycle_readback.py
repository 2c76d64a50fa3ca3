"""What an erasure must not leave is found in Parquet files whatever kind of text a column has."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fhir_mapping.lifecycle.readback import find_traces
from lake.texts import TextsOfFile

KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_trace_in_a_column_of_any_kind_of_text_is_found(tmp_path: Path, kind: pa.DataType, is_nested: bool) -> None:
    texts = pa.array(["nobody", None, "row of P001, left"]).cast(kind)
    column = pa.StructArray.from_arrays([texts], ["part"]) if is_nested else texts
    pq.write_table(pa.table({"a": column}), tmp_path / "rows.parquet")
    assert find_traces(tmp_path, ["P001"]) == [tmp_path / "rows.parquet"]
    assert find_traces(tmp_path, ["P002"]) == []


@pytest.mark.parametrize("name", ["张三", 'P"1\\x'])
def test_a_trace_in_the_footer_of_a_parquet_file_is_found(tmp_path: Path, name: str) -> None:
    told = TextsOfFile(lambda _: {})
    told.see(pa.table({"a": pa.array([name]).dictionary_encode()}))
    with pq.ParquetWriter(tmp_path / "rows.parquet", pa.schema([("a", pa.string())])) as writer:
        writer.write_table(pa.table({"a": ["nobody"]}))
        writer.add_key_value_metadata(told.footer())
    assert find_traces(tmp_path, [name]) == [tmp_path / "rows.parquet"]
    assert find_traces(tmp_path, ["李四"]) == []
