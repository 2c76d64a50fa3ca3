"""Records are cut out of a file of any format; the others stay, byte for byte where the format has bytes to keep."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import csv_source

from contracts.errors import DataError
from contracts.region import Source
from fhir_mapping.lifecycle.erased import numbers_as_delivered
from fhir_mapping.lifecycle.scrub import cut_records
from fhir_mapping.sources.reader import read_records


def source_of(kind: str, **settings: object) -> Source:
    columns = settings.pop("column", [{"name": "a"}, {"name": "b"}])
    body = {"system": "his", "entity": "visit", "files": ["*"], "format": kind, "column": columns, **settings}
    return Source.model_validate(body)


def raws(source: Source, content: bytes) -> list[str]:
    return [record.raw for record in read_records(source, content)] if content else []


def message(number: int, observations: int = 1) -> str:
    lines = [f"MSH|^~\\&|LIS|H|||2026030108{number:02d}||ORU^R01|{number}|P|2.4", f"PID|1||P{number}"]
    lines += [f"OBX|{n + 1}|NM|GLU||5.{n}|mmol/L" for n in range(observations)]
    return "\r".join(lines) + "\r"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
def test_text_keeps_its_other_bytes_in_every_encoding(codec: str) -> None:
    declared = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16"}.get(codec, codec)
    source = source_of("csv", encoding=declared)
    lines = ["\r\n", "a,b\r\n", '1,"张三\r\n病人"\r\n', "\r\n", "2,李四\r\n", "3,王五"]
    mark = "\ufeff" if codec == "utf-16-le" else ""
    left, gone = cut_records(source, (mark + "".join(lines)).encode(codec), [0, 2])
    assert (left, gone) == ((mark + "".join([lines[0], lines[1], lines[3], lines[4]])).encode(codec), [0, 2])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(st.text(st.sampled_from('ab" ,\n张'), max_size=4), min_size=2, max_size=2), max_size=8),
    drop=st.sets(st.integers(0, 7), max_size=4),
)
def test_any_csv_loses_what_was_asked_or_says_that_it_cannot(rows: list[list[str]], drop: set[int]) -> None:
    source = csv_source("a", "b")
    content = ("a,b\n" + "".join(",".join(row) + "\n" for row in rows)).encode()
    before = raws(source, content)
    wanted = {number for number in drop if number < len(before)}
    try:
        left, _ = cut_records(source, content, wanted)
    except DataError:
        assert '"' in content.decode()
        return
    assert raws(source, left) == [raw for number, raw in enumerate(before) if number not in wanted]


def test_a_message_goes_with_all_its_rows_and_the_trailer_counts_the_rest() -> None:
    columns = [{"name": "a", "path": "PID-3"}, {"name": "b", "path": "OBX-5"}]
    source = source_of("hl7v2", rows="OBX", column=columns)
    batch = ["FHS|^~\\&|\r", "BHS|^~\\&|\r", message(1, 2), message(2, 3), message(3), "BTS|3\r", "FTS|1\r"]
    content = "".join(batch).encode()
    assert len(raws(source, content)) == 6
    left, gone = cut_records(source, content, [3])
    assert gone == [2, 3, 4]
    assert left == "".join([*batch[:3], batch[4], "BTS|2\r", batch[6]]).encode()
    left, _ = cut_records(source, content, [0])
    assert left == "".join([*batch[:2], *batch[3:5], "BTS|2\r", batch[6]]).encode()


def test_framed_messages_lose_one_of_them() -> None:
    source = source_of("hl7v2", column=[{"name": "a", "path": "PID-3"}, {"name": "b", "path": "PID-5"}])
    framed = [f"\x0b{message(number)}\x1c\r" for number in range(3)]
    left, gone = cut_records(source, "".join(framed).encode(), [1])
    assert (gone, raws(source, left)) == ([1], [message(number).rstrip("\r") for number in (0, 2)])


def test_a_document_goes_whole() -> None:
    source = source_of("cda", column=[{"name": "a", "path": "id/@extension"}, {"name": "b", "path": "title"}])
    content = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id extension="1"/><title>x</title></ClinicalDocument>'
    assert cut_records(source, content, [0]) == (b"", [0])


def workbook(rows: list[list[str]]) -> bytes:
    """A sheet whose cells are shared texts."""
    texts = sorted({text for row in rows for text in row})
    cells = ["".join(f'<c t="s"><v>{texts.index(text)}</v></c>' for text in row) for row in rows]
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    related = "http://schemas.openxmlformats.org/package/2006/relationships"
    sheets = '<sheets><sheet name="s" r:id="r1"/></sheets>'
    data = "".join(f"<row>{row}</row>" for row in cells)
    parts = {
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}">{sheets}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<R xmlns="{related}"><Relationship Id="r1" Target="worksheets/s.xml"/></R>',
        "xl/worksheets/s.xml": f"<worksheet {main}><sheetData>{data}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {main}>{''.join(f'<si><t>{text}</t></si>' for text in texts)}</sst>",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, body in parts.items():
            archive.writestr(name, body)
    return stream.getvalue()


def test_a_sheet_loses_rows_and_the_texts_that_only_they_used() -> None:
    rows = [["a", "b"], ["P1", "张三"], ["P2", "共用"], ["", ""], ["P3", "李四"], ["P4", "共用"]]
    source = source_of("xlsx")
    left, gone = cut_records(source, workbook(rows), [0, 1])
    assert (gone, raws(source, left)) == ([0, 1], ['["P3","李四"]', '["P4","共用"]'])
    shared = zipfile.ZipFile(io.BytesIO(left)).read("xl/sharedStrings.xml").decode()
    assert [text in shared for text in ("张三", "P2", "共用", "李四")] == [False, False, True, True]


def test_a_workbook_of_another_program_can_be_read_after_the_cut() -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b"], ["P1", "张三"], ["P2", "李四"]):
        book.worksheets[0].append(row)
    stream = io.BytesIO()
    book.save(stream)
    left, _ = cut_records(source_of("xlsx"), stream.getvalue(), [0])
    shown = openpyxl.load_workbook(io.BytesIO(left)).worksheets[0].iter_rows(values_only=True)
    assert list(shown)[-1] == ("P2", "李四") and b"P1" not in left


def test_a_file_of_nothing_else_becomes_empty() -> None:
    assert cut_records(source_of("ndjson"), b'{"a": 1}\n', [0]) == (b"", [0])
    assert cut_records(source_of("csv"), b"a,b\n1,2\n", [0]) == (b"a,b\n", [0])


def test_numbers_stay_those_of_the_file_as_delivered() -> None:
    assert numbers_as_delivered((1, 2, 5), 1, 3).tolist() == [3, 4, 6]
