"""However an object is written, compact (the fast way) or spaced (the plain one), its columns hold the same texts."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import ndjson_source

from fhir_mapping.sources.reader import read_records

SOURCE = ndjson_source(a="a", whole="b", first="b.c[0]", second="b.c[1].d", c="c")
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
BELOW = st.dictionaries(st.sampled_from("cd"), st.one_of(LEAVES, st.lists(LEAVES, max_size=3)), max_size=2)
OBJECTS = st.dictionaries(st.sampled_from("abc"), st.one_of(LEAVES, BELOW, st.lists(BELOW, max_size=2)), max_size=3)


def read(line: str) -> dict[str, str | None]:
    (record,) = read_records(SOURCE, line.encode())
    assert record.error is None
    return record.values


@settings(deadline=None)
@given(OBJECTS)
def test_the_style_of_a_line_changes_no_value(value: dict[str, Any]) -> None:
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if "\0" not in compact:
        assert read(compact) == read(json.dumps(value, ensure_ascii=False)) == read(json.dumps(value))


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.integers(0, 3))
def test_a_number_keeps_its_text_in_either_style(number: Any, zeros: int) -> None:
    text = f"{number:f}" + "0" * zeros
    assert read(f'{{"a":{text}}}')["a"] == read(f'{{ "a" : {text} }}')["a"] == text
