"""JSON Lines: values by path, numbers as written, a bad line flagged alone."""

from __future__ import annotations

import pytest
from source_files import ndjson_source

from fhir_mapping.sources.ndjson import parse_path
from fhir_mapping.sources.reader import read_records

SOURCE = ndjson_source(
    id="id", code="code.coding[0].code", value="valueQuantity.value", code_json="code", active="active"
)


def _values(line: str) -> dict[str, str | None]:
    (record,) = read_records(SOURCE, line.encode())
    assert (record.raw, record.error) == (line, None)
    return record.values


def test_values_stand_where_their_path_leads() -> None:
    code = '{"coding": [{"code": "718-7", "n": 1.0}]}'
    line = f'{{"id": "o1", "active": true, "code": {code}, "valueQuantity": {{"value": 5.60}}}}'
    assert _values(line) == {
        "id": "o1",
        "code": "718-7",
        "value": "5.60",
        "code_json": '{"coding":[{"code":"718-7","n":1.0}]}',
        "active": "true",
    }


def test_a_path_that_leads_nowhere_is_null() -> None:
    assert set(_values('{"code": "x", "valueQuantity": [1], "id": null}').values()) == {None, "x"}


def test_numbers_keep_every_digit() -> None:
    assert _values('{"id": 12345678901234567890.1230, "code": {"coding": []}, "active": 1E3}') | {
        "code_json": None
    } == {
        "id": "12345678901234567890.1230",
        "code": None,
        "value": None,
        "code_json": None,
        "active": "1E3",
    }


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "1",
        '"x"',
        "{} {}",
        '{"id": NaN}',
        '{"id": "\\ud800"}',
        " ",
        "[" * 100_000,
        '{"id": "a\tb"}',
        "{'id': 1}",
    ],
)
def test_a_line_that_is_no_object_is_flagged_and_its_neighbours_are_read(line: str) -> None:
    records = list(read_records(SOURCE, f'{{"id": "1"}}\n{line}\n{{"id": "2"}}\n'.encode()))
    assert [record.error for record in records] == [None, "bad_json", None]
    assert records[1].raw == line
    assert [record.values["id"] for record in records] == ["1", None, "2"]


def test_a_line_with_bad_bytes_is_flagged_and_kept() -> None:
    records = list(read_records(SOURCE, b'{"id": "1"}\n{"id": "\xff"}\n\n{"id": "2"}'))
    assert [record.error for record in records] == [None, "bad_encoding", None]
    assert records[1].raw == '{"id": "\\xff"}'


def test_paths_are_names_and_indexes() -> None:
    assert parse_path("code.coding[0].code") == ("code", "coding", 0, "code")
