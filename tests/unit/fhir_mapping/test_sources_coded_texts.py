"""Texts that are read once each: cut out of buffers, combined over rows, times among them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from source_files import hl7v2_source

from fhir_mapping.sources.coded import CODED, Coded, combine
from fhir_mapping.sources.hl7v2_path import iso_time, order_time
from fhir_mapping.sources.hl7v2_times import iso_times, order_times
from fhir_mapping.sources.reader import read_records
from fhir_mapping.sources.spans import coded, cut

BUFFERS = ["血糖 glucose, fasting: 5.60 mmol/L".encode(), b"OBX|1|NM", b""]


def test_texts_are_cut_at_any_place_and_of_any_length() -> None:
    spans = [
        (which, start, stop)
        for which, buffer in enumerate(BUFFERS)
        for start in range(len(buffer) + 1)
        for stop in range(start, len(buffer) + 1)
        if is_text(buffer[start:stop])
    ]
    which, start, stop = (np.array(column) for column in zip(*spans, strict=True))
    wanted = [BUFFERS[one][first:end].decode() for one, first, end in spans]
    found = cut(BUFFERS, start, stop, which)
    found.validate(full=True)
    assert found.to_pylist() == wanted


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 20])
@pytest.mark.parametrize(
    "line", ["5.60 mmol/L, 5.60 mmol/L, 5.61", "血糖 血 血糖 12345678 1234567", "aaaaaaaaaaaaaaaaa"]
)
def test_texts_one_behind_the_other_are_told_apart(line: str, length: int) -> None:
    parts = [line[first : first + length] for first in range(0, len(line), length + 1)]
    stop = np.cumsum([len(part.encode()) + 1 for part in parts]) - 1
    start = np.array([end - len(part.encode()) for part, end in zip(parts, stop.tolist(), strict=True)])
    texts = coded("|".join(parts).encode(), start.astype(np.int32), stop.astype(np.int32))
    assert texts.to_arrow().cast(pa.string()).to_pylist() == parts
    assert sorted(texts.texts.to_pylist()) == sorted(set(parts))


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    "columns",
    [
        (["a", "b", None, "a"], ["x", None, "x", "x"], ["1", "2", "3", "4"]),
        (["a", "a"], ["x", "y"], ["z", "z"], ["x", "y"]),
        (["a", "b"], ["x", "x"]),
        ([None, None], [None, None]),
    ],
)
def test_columns_are_combined_row_by_row(columns: tuple[list[str | None], ...]) -> None:
    parts = [Coded.of(pa.array(column, pa.string())) for column in columns]
    shared = parts[0].each(pc.utf8_upper)

    def joined(*texts: pa.StringArray) -> pa.StringArray:
        return pc.binary_join_element_wise(*(pc.fill_null(text, "-") for text in texts), "+")

    found = combine(joined, [*parts, shared]).to_arrow()
    assert found.type == CODED
    rows = zip(*columns, [text and text.upper() for text in columns[0]], strict=True)
    assert found.to_pylist() == ["+".join(text or "-" for text in row) for row in rows]


def test_a_dictionary_has_no_text_twice_and_no_null() -> None:
    texts = Coded.of(pa.array(["a ", "b", "a", None, "b "], pa.string())).each(pc.utf8_rtrim_whitespace)
    found = texts.at(np.array([0, 1, -1, 2, 3, 4])).to_arrow()
    assert found.to_pylist() == ["a", "b", None, "a", None, "b"]
    assert found.dictionary.to_pylist() == ["a", "b"]


TIMES = [
    "20240101",
    "202401010203",
    "20240101020304",
    "20240101020304.5+0800",
    "x",
    None,
    "",
    "2024",
    "２０２４０１０１",
]
TIMES += ["113.1", "7", "150-400", "1500", "+", " 2024", "\u20032024", "\u2003", "é20240101"]
TIMES += [" 20240101", "2024010102", "2024-01-", "１２３４5６７8é"]


@pytest.mark.parametrize(
    "texts", [TIMES, TIMES[:1], TIMES[1:3], TIMES[4:6], ["7", None, "5.6"], ["", None], [None], []]
)
def test_times_together_are_what_each_is_alone(texts: list[str | None]) -> None:
    values = pa.array(["20231231", *texts], pa.string()).slice(1)
    assert iso_times(values).to_pylist() == [text if text is None else iso_time(text) for text in texts]
    assert order_times(values).to_pylist() == [order_time(text) for text in texts]


def test_lines_that_a_broken_line_swallowed_give_no_field() -> None:
    data = b"MSH|^~\\&|A\rOBX\rnot a segment|1|2\rOBX|1||K\rNTE|\xe8\xa1\x80"
    records = list(read_records(hl7v2_source("OBX", code="OBX-3", header="MSH-3", note="NTE-1"), data))
    assert [list(record.values.values()) for record in records] == [["K", "A", "血"]]
    (message,) = read_records(hl7v2_source("MSH", which="set_id", code="OBX-3"), data)
    assert message.values == {"which": "MSH", "code": "K"}
