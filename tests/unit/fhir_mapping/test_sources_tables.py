"""TSV, titles above the header, ids written once for several rows, and xlsx sheets as exact text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import pytest
from openpyxl import Workbook
from source_files import blocks_of, csv_source

from contracts.region import Column, Source
from fhir_mapping.sources.reader import Refusal, inspect


def _rows(source: Source, data: bytes, block_bytes: int = 1 << 20) -> list[tuple[str | None, ...]]:
    file = inspect(source, io.BytesIO(data))
    assert not isinstance(file, Refusal), file.reason
    return [
        tuple(record.values.values()) for block in blocks_of(file, data, block_bytes) for record in block.records(0)
    ]


def _reason(source: Source, data: bytes) -> str:
    found = inspect(source, io.BytesIO(data))
    assert isinstance(found, Refusal)
    return found.reason


def _sheet(rows: Sequence[Sequence[object]], formats: dict[str, str] | None = None, title: str = "Sheet") -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for cell, code in (formats or {}).items():
        sheet[cell].number_format = code
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _with_sheet_xml(data: bytes, cells: str) -> bytes:
    """The workbook with the cells of row 2 as raw XML."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                content = content.replace(b"</sheetData>", f'<row r="2">{cells}</row></sheetData>'.encode())
            new.writestr(name, content)
    return out.getvalue()


def _xlsx(*names: str, **settings: object) -> Source:
    return csv_source(*names, format="xlsx", **settings)


def test_tsv_is_cut_at_tabs_and_its_quotes_are_those_of_csv() -> None:
    assert _rows(csv_source("a", "b", format="tsv"), b'a\tb\n1,5\t"x\ty"\n') == [("1,5", "x\ty")]


@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
def test_an_excel_text_export_in_utf16_reads_like_any_other(block_bytes: int) -> None:
    data = "项目\t结果\r\n血糖\t5.60\r\n𠮷\t无\r\n".encode("utf-16")
    columns = (Column(name="item", header="项目"), Column(name="result", header="结果"))
    source = csv_source("x", format="tsv", encoding="utf-16").model_copy(update={"column": columns})
    assert _rows(source, data, block_bytes) == [("血糖", "5.60"), ("𠮷", "无")]


def test_titles_above_the_header_are_skipped_and_counted_as_header() -> None:
    data = "某某医院检验报表\n\n打印：张三\na,b\n1,2\n".encode()
    file = inspect(csv_source("a", "b", skip_rows=3), io.BytesIO(data))
    assert not isinstance(file, Refusal)
    assert file.header_lines == 4
    assert _rows(csv_source("a", "b", skip_rows=3), data) == [("1", "2")]
    assert _reason(csv_source("a", skip_rows=9), data) == "empty_file"


def _carrying(**settings: object) -> Source:
    columns = (Column(name="pid", carry_forward=True), Column(name="crp"))
    return csv_source("x", **settings).model_copy(update={"column": columns})


@pytest.mark.parametrize("block_bytes", [4, 1 << 20])
def test_an_id_written_once_holds_for_the_rows_below_it(block_bytes: int) -> None:
    data = b"pid,crp\n,0\nP1,1\n,2\n ,3\nP2,4\n,5\n"
    found = [("", "0"), ("P1", "1"), ("P1", "2"), ("P1", "3"), ("P2", "4"), ("P2", "5")]
    assert [(pid or "", crp) for pid, crp in _rows(_carrying(), data, block_bytes)] == found


@pytest.mark.parametrize("block_bytes", [4, 1 << 20])
def test_no_id_is_carried_over_a_record_that_could_not_be_read(block_bytes: int) -> None:
    data = b"pid,crp\nP1,1\nP2,broken,here\n,2\nP3,3\n,4\n"
    found = [("P1", "1"), (None, None), (None, "2"), ("P3", "3"), ("P3", "4")]
    assert _rows(_carrying(), data, block_bytes) == found


def test_cells_of_a_sheet_are_exact_text() -> None:
    row = [
        "001",
        36,
        36.5,
        36.0,
        date(2024, 3, 1),
        datetime(2024, 3, 1, 8, 5),
        time(8, 5),
        True,
        "肺炎\n两行",
        None,
        "x",
    ]
    names = tuple("abcdefghijk")
    assert _rows(_xlsx(*names), _sheet([names, row])) == [
        ("001", "36", "36.5", "36", "2024-03-01", "2024-03-01T08:05:00", "08:05:00", "true", "肺炎\n两行", None, "x")
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c><v>5.60</v></c>", "5.60"),
        ("<c><v>36.600000000000001</v></c>", "36.6"),
        ("<c><v>110101199003070000</v></c>", "110101199003070000"),
        ("<c><v>1.1010119900307E+17</v></c>", "110101199003070000"),
        ("<c><v>2.5E-3</v></c>", "0.0025"),
        ("<c><v>0</v></c>", "0"),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c t="str"><f>A1</f><v>阴性</v></c>', "阴性"),
        ('<c t="inlineStr"><is><r><t>CRP</t></r><r><t>(高)</t></r></is></c>', "CRP(高)"),
        ('<c t="s"><v>99</v></c>', "99"),
        ("<c><f>1/0</f></c>", None),
    ],
)
def test_a_number_keeps_what_the_file_says(cell: str, text: str | None) -> None:
    data = _with_sheet_xml(_sheet([["a", "b"]]), cell + "<c><v>1</v></c>")
    assert _rows(_xlsx("a", "b"), data) == [(text, "1")]


def test_a_date_format_decides_between_a_number_and_a_date() -> None:
    formats = {"A2": 'yyyy"年"m"月"d"日"', "B2": "0.00", "C2": "yyyy-mm-dd hh:mm", "D2": "[h]:mm"}
    data = _sheet([["a", "b", "c", "d"], [45352, 45352, 45352, timedelta(hours=30)]], formats)
    assert _rows(_xlsx("a", "b", "c", "d"), data) == [("2024-03-01", "45352", "2024-03-01T00:00:00", "1.25")]


def test_blank_rows_titles_and_sheets_by_name() -> None:
    data = _sheet([["化验单"], ["b", "a"], [], [2, 1], [None, None], [4, None]], title="结果")
    source = _xlsx("a", "b", sheet="结果", skip_rows=1)
    assert _rows(source, data) == [("1", "2"), (None, "4")]
    file = inspect(source, io.BytesIO(data))
    assert not isinstance(file, Refusal)
    blocks = blocks_of(file, data)
    assert (file.header_lines, sum(b.lines for b in blocks), sum(b.blank_lines for b in blocks)) == (2, 4, 2)
    assert [record.raw for block in blocks for record in block.records(0)] == ['["2","1"]', '["4"]']
    assert _reason(_xlsx("a", sheet="no such"), data) == "missing_sheet"
    assert _reason(_xlsx("c"), data) == "missing_column:c"


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty_file"), (b"a,b\n1,2\n", "bad_workbook"), (b"PK\x03\x04" + bytes(50), "bad_workbook")],
)
def test_what_is_no_workbook_is_refused(data: bytes, reason: str) -> None:
    assert _reason(_xlsx("a"), data) == reason


def test_a_sheet_that_breaks_off_gives_its_rows_and_one_record_with_an_error() -> None:
    data = _with_sheet_xml(_sheet([["a"]]), "<c><v>1</v></c></row><row r='3'><c><v>2</v></c></row><row><c></row>")
    file = inspect(_xlsx("a"), io.BytesIO(data))
    assert not isinstance(file, Refusal)
    records = [record for block in blocks_of(file, data) for record in block.records(0)]
    assert [(record.values["a"], record.error) for record in records] == [
        ("1", None),
        ("2", None),
        (None, "bad_workbook"),
    ]
