"""Workbooks and documents with bytes changed, cut or put in: a refusal or records, never an exception or a hang."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from source_files import blocks_of, cda_source, csv_source

from contracts.region import Source
from fhir_mapping.sources.reader import inspect
from fhir_mapping.sources.record import RECORD_ERRORS, Refusal

DOCUMENT = (
    '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id extension="D1"/><section><code code="30954-2"/>'
    '<entry><observation><code code="K"/><value value="4.1">钾</value></observation></entry></section>'
    "</ClinicalDocument>"
).encode()


def _workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for number in range(40):
        sheet.append(["a", "b"] if number == 0 else [number, f"肺炎{number}"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


WORKBOOK = _workbook()
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=4)


def _edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, removed, added in edits:
        start = int(place * len(data))
        data = data[:start] + added + data[start + removed :]
    return data


def _read(source: Source, data: bytes) -> None:
    file = inspect(source, io.BytesIO(data))
    if isinstance(file, Refusal):
        return
    for block in blocks_of(file, data):
        assert len(block.raw) == len(block.error) == len(block)
        assert all(len(column) == len(block) for column in block.values.values())
        assert set(block.error.drop_null().to_pylist()) <= set(RECORD_ERRORS)


@settings(max_examples=150, deadline=None)
@given(edits=EDITS)
def test_a_damaged_workbook_raises_nothing(edits: list[tuple[float, int, bytes]]) -> None:
    _read(csv_source("a", "b", format="xlsx"), _edited(WORKBOOK, edits))


@settings(max_examples=150, deadline=None)
@given(edits=EDITS)
def test_a_damaged_document_raises_nothing(edits: list[tuple[float, int, bytes]]) -> None:
    _read(cda_source("section[30954-2]//observation", a="value", b="/id/@extension"), _edited(DOCUMENT, edits))


def test_a_workbook_that_lost_bytes_before_its_sheet_is_refused() -> None:
    names = zipfile.ZipFile(io.BytesIO(WORKBOOK)).namelist()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as source, zipfile.ZipFile(out, "w") as target:
        for name in sorted(names, key=lambda name: "sheet1" not in name):
            target.writestr(name, source.read(name))
    data = out.getvalue()
    file = inspect(csv_source("a", "b", format="xlsx"), io.BytesIO(data[:200] + data[500:]))
    assert file == Refusal("bad_workbook")
