"""What is too large to be held in one piece is refused with a word, before it is read (docs/reference/sources.md)."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import openpyxl
import pytest
from source_files import cda_source, csv_source, hl7v2_source, ndjson_source

from contracts.errors import SourceContractError, UsageError
from contracts.region import Source
from fhir_mapping import records
from fhir_mapping.convert import stretches
from fhir_mapping.sources import limits
from fhir_mapping.sources.reader import inspect, read_records
from fhir_mapping.sources.record import Refusal

MESSAGE = "MSH|^~\\&|A|B|C|D|20240101||ADT^A01|%d|P|2.5\rPID|1||P%d\r"
MESSAGES = "".join(MESSAGE % (n, n) for n in range(60)).encode()
BATCH = b"FHS|^~\\&\rBHS|^~\\&\r" + MESSAGES + b"BTS|60\rFTS|1\r"
HL7 = hl7v2_source(None, p="PID-3.1")
CSV = csv_source("a", "b")


@pytest.fixture(autouse=True)
def _low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PIECE", 2000)
    monkeypatch.setattr(stretches, "LARGEST", 2000)
    monkeypatch.setattr(stretches, "STRETCH", 400)
    monkeypatch.setattr(records, "LARGEST_PACKED", 2000)


@pytest.mark.parametrize(
    ("source", "data", "reason"),
    [
        (HL7, BATCH, "file_too_large"),
        (HL7, b"\xff\xfe" + MESSAGES.decode().encode("utf-16-le"), "file_too_large"),
        (HL7, MESSAGES + b"ZZZ|" + b"x" * 5000 + b"\r" + MESSAGES, "record_too_large"),
        (HL7, b"x" * 5000, "record_too_large"),
        (cda_source(None, id="/id/@extension"), b"<a>" + b" " * 2000 + b"</a>", "file_too_large"),
        (CSV, b"a,b\n1,2\n3," + b"x" * 2000 + b"\n5,6\n", "record_too_large"),
        (csv_source("a", "b", encoding="utf-16"), ("a,b\n1," + "血" * 800).encode("utf-16"), "record_too_large"),
        (ndjson_source(a="a"), b'{"a":1}\n{"a":"' + b"x" * 2000 + b'"}', "record_too_large"),
    ],
)
def test_what_cannot_be_held_is_refused(source: Source, data: bytes, reason: str) -> None:
    found = inspect(source, io.BytesIO(data))
    assert isinstance(found, Refusal)
    assert found.reason == reason
    with pytest.raises(SourceContractError, match=reason):
        list(read_records(source, data))


@pytest.mark.parametrize(
    ("source", "data", "count"),
    [
        (HL7, MESSAGES, 60),
        (CSV, b"a,b\n" + b"1,2\n" * 2000, 2000),
        (CSV, b"a,b\n" + (b'1,"' + b"x\n" * 400 + b'"\n') * 5, 5),
        (ndjson_source(a="a"), b'{"a":1}\n' * 900, 900),
    ],
)
def test_a_large_file_of_small_records_is_read(source: Source, data: bytes, count: int) -> None:
    assert [record.error for record in read_records(source, data)] == [None] * count


def test_a_document_whose_rows_repeat_too_much_is_one_record_with_an_error() -> None:
    source = cda_source("entry", title="/title", text="text")
    document = b"<ClinicalDocument><title>%s</title>%s</ClinicalDocument>" % (b"t" * 300, b"<entry/>" * 50)
    assert [record.error for record in read_records(source, document)] == ["record_too_large"]
    assert len(list(read_records(source, document.replace(b"t" * 300, b"t")))) == 50


def test_carried_values_are_carried_over_the_parts_of_a_block() -> None:
    source = csv_source(column=[{"name": name, "carry_forward": True} for name in "ab"])
    data = b"a,b\n" + b"x" * 900 + b",1\n" + b",2\n" * 30
    assert [record.values for record in read_records(source, data)] == [
        {"a": "x" * 900, "b": str(1 + (number > 0))} for number in range(31)
    ]


def test_a_row_that_repeats_a_long_shared_text_ends_its_sheet() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["a"], ["fine"], ["x" * 150] * 20, ["lost"]):
        book.active.append(row)
    book.save(stream := io.BytesIO())
    found = [(record.raw, record.error) for record in read_records(csv_source("a", format="xlsx"), stream.getvalue())]
    assert found == [('["fine"]', None), ('{"unreadable_after_row":2}', "bad_workbook")]


def test_convert_quarantines_a_file_that_is_too_large_and_hashes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.hl7"
    path.write_bytes(MESSAGES)
    (only,) = stretches.stretches("hl7v2", path)
    assert (only.data, only.error, only.is_last) == (None, "file_too_large", True)
    path.write_bytes(gzip.compress(MESSAGES))
    (packed,) = stretches.stretches("hl7v2", path)
    assert packed.error == "file_too_large"
    assert packed.digest not in ("", only.digest)


def test_convert_leaves_out_a_line_that_is_too_large_and_reads_on(tmp_path: Path) -> None:
    lines = [json.dumps({"resourceType": "Patient", "id": str(n), "text": "x" * 60}) for n in range(9)]
    path = tmp_path / "a.ndjson"
    path.write_text("\n".join([*lines, '{"a":"' + "x" * 5000 + '"}', *lines, ""]))
    found = list(stretches.stretches("fhir", path))
    assert [(part.first, part.error) for part in found if part.error] == [(10, "record_too_large")]
    good = [(part.first, part.data) for part in found if part.data]
    assert b"".join(data for _, data in good).decode().splitlines() == lines * 2
    assert [first for first, data in good if data.startswith(lines[0].encode())] == [1, 11]


def test_a_packed_table_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" * 2000))
    with pytest.raises(UsageError, match="unpacks to more than"):
        records.open_export(path)
