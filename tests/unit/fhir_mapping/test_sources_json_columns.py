"""Lines that Arrow reads at once are those that the exact reader reads, and hold what it finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fhir_mapping.sources.json_columns import read_columns, schema_of
from fhir_mapping.sources.lines import Lines
from fhir_mapping.sources.ndjson import parse_line, parse_path, to_text

PATHS = tuple(map(parse_path, ("id", "code.coding[0].code", "part[0].value", "part[1].value", "part[1].unit", "on")))
GOOD = (
    '{"id":"1","x":[{"y":-1.50}],"part":[{"value":5.60},{"value":1E3,"unit":"mg/m{2}"}],"on":true,'
    '"note":"see: \\"a\\":5,"}'
)
VALUES = ("1", None, "5.60", "1E3", "mg/m{2}", "true")


def _read(text: bytes, is_text: list[bool] | None = None) -> tuple[list[bool], list[tuple[str | None, ...]]]:
    """Which lines of a text were read, and the values of each."""
    lines = Lines.of(text, "\n")
    schema = schema_of(PATHS)
    assert schema is not None
    known = np.ones(len(lines), dtype=bool) if is_text is None else np.array(is_text)
    is_read, columns = read_columns(lines, known, PATHS, schema)
    return is_read.tolist(), list(zip(*(column.to_pylist() for column in columns), strict=True))


def _amid(line: str) -> tuple[list[bool], list[tuple[str | None, ...]]]:
    return _read("\n".join([GOOD, line, GOOD, ""]).encode())


def test_numbers_and_truth_values_keep_their_text() -> None:
    assert _read(GOOD.encode() + b"\r\n\n" + GOOD.encode()) == ([True, True], [VALUES, VALUES])


@pytest.mark.parametrize(
    "line",
    [
        *('{"id":NaN}', '{"y":NaN}', '{"y":[Infinity]}', '{"y": -Infinity}', '{"y":[1, -  Infinity]}', '{"y":-Inf}'),
        *("null", "{}null", "{} null", "{}{}", '{"id":"2"} {"id":"3"}', "{}\t{}", "[]", "12", '"id"', "{}[]", '{}"id"'),
        *('{"id":', '"2"}', '{"id":"2"', '{"y":"a\tb"}', '{"y":"\\q"}', '{"y":"\\ud800"}', "\ufeff{}"),
        *('{"y":01}', '{"y":1.}', '{"y":.5}', '{"part":[{"value":01}]}', '{"on":True}', '{"on":tru}', '{"id":1_0}'),
        '{"y":' + "[" * 2_000 + "]" * 2_000 + "}",
        '{"y":' + '{"y":' * 2_000 + "1" + "}" * 2_001,
    ],
)
def test_what_is_no_record_is_left_and_its_neighbours_are_read(line: str) -> None:
    is_read, values = _amid(line)
    assert (is_read, values) == ([True, False, True], [VALUES, (None,) * 6, VALUES])
    with pytest.raises((ValueError, RecursionError)):
        parse_line(line)


@pytest.mark.parametrize(
    "line",
    [
        *(
            '{"id":"2","id":"3"}',
            '{"id":["2"]}',
            '{"id":{"a":1}}',
            '{"part":{"value":1}}',
            '{"part":["2"]}',
            '{"y":[1e999]}',
        ),
        *('{"id" :2}', '{"code":"A"}', '{"y":"x} y"}', '{"y":"x, Inf"}', ' {"id":"2"}', '{"id":"2"} '),
    ],
)
def test_what_arrow_may_read_otherwise_is_left(line: str) -> None:
    assert _amid(line)[0] == [True, False, True]
    assert parse_line(line)


@pytest.mark.parametrize(
    "line",
    [
        *("{}", '{"id":null,"part":null}', '{"part":[]}', '{"part":[null,{"value":null}]}', '{"code":{"coding":[{}]}}'),
        *('{"id": 2}', '{"id":-0,"on":false}', '{"id":"No {Info}"}', '{"id":"a\\":5,","on":1}', '{"id":":5,"}'),
        *(
            '{"id":"\\u00e9\\ud83d\\ude00\\u0000"}',
            '{"\\u0069d":"x"}',
            '{"id":"中文","on":123456789012345678901234.50}',
        ),
    ],
)
def test_values_are_those_of_the_exact_reader(line: str) -> None:
    is_read, values = _amid(line)
    assert (is_read, values[1]) == ([True] * 3, _exact(line))


def test_a_line_that_is_no_text_is_left() -> None:
    assert _read(b'{"id":"\\xff"}\n{"id":"2"}', [False, True])[0] == [False, True]


@pytest.mark.parametrize("lines", [['{"id":{}}', GOOD] * 20, [GOOD, GOOD + "}"], [GOOD, "x"]])
def test_too_many_refusals_or_one_that_names_no_line_leave_the_block(lines: list[str]) -> None:
    assert not any(_read("\n".join(lines).encode())[0])


def test_paths_that_take_a_value_whole_and_look_into_it_have_no_schema() -> None:
    assert schema_of((("a",), ("a", "b"))) is None
    assert schema_of((("a", 0), ("a", "b"))) is None
    assert schema_of((("a", 0), ("a", 1, "b"))) is None
    assert schema_of((("a", 0), ("b", 1, "b"))) == pa.schema(
        {"a": pa.list_(pa.string()), "b": pa.list_(pa.struct({"b": pa.string()}))}
    )


def _exact(line: str) -> tuple[str | None, ...]:
    found = []
    for path in PATHS:
        value: Any = parse_line(line)
        for step in path:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and len(value) > step else None
            else:
                value = value.get(step) if isinstance(value, dict) else None
        found.append(to_text(value))
    return tuple(found)
