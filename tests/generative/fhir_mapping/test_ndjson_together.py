"""Lines that are read together hold what each holds when it is read alone, whatever their bytes are."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import blocks_of, ndjson_source

from fhir_mapping.sources.ndjson import parse_line, parse_path, to_text
from fhir_mapping.sources.reader import SourceFile, inspect
from fhir_mapping.sources.record import BAD_JSON, RawRecord

PATHS = {"a": "a", "leaf": "b[0].c", "next": "b[1].c", "deep": "d.e[0].f", "plain": "g[1]"}
SOURCE = ndjson_source(None, **PATHS)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(['":5,', "} {", "Inf", "é"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.sampled_from("abcdefg"), below, max_size=4)
    ),
    max_leaves=8,
)
STYLES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"separators": (",", ":")}, {}, {"ensure_ascii": False, "separators": (",", ":")}]
)
PIECES = st.sampled_from(
    [
        *'{}[]",:\\ \t\r-N0',
        "null",
        "NaN",
        "-Infinity",
        "1.50",
        "\\u00e9",
        "\\ud800",
        '"a"',
        '"b":[',
        '"c":1',
        "{}{}",
        "}\n",
    ]
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line: an object in some style, mostly whole, else cut, or with something put into it."""
    value = draw(st.dictionaries(st.sampled_from("abdg"), VALUES, max_size=4))
    text = json.dumps(value, **draw(STYLES))
    how = draw(st.integers(0, 5))
    place = draw(st.integers(0, len(text)))
    if how == 0:
        text = text[:place]
    elif how == 1:
        text = text[:place] + draw(PIECES) + text[place:]
    return text.encode("utf-8", "surrogatepass" if draw(st.booleans()) else "replace")


@settings(deadline=None)
@given(st.lists(lines(), min_size=1, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_lines_are_read_as_they_are_read_alone(records: list[bytes], newline: bytes) -> None:
    data = newline.join([b"{}", *records])
    file = inspect(SOURCE, io.BytesIO(data))
    if not isinstance(file, SourceFile):
        return
    found = [record for block in blocks_of(file, data) for record in block.records(0)]
    read = [record for record in found if record.error in (None, BAD_JSON)]
    assert [(record.error, record.values) for record in read] == [_alone(record) for record in read]


def _alone(record: RawRecord) -> tuple[str | None, dict[str, str | None]]:
    try:
        value = parse_line(record.raw)
    except (ValueError, RecursionError):
        return BAD_JSON, dict.fromkeys(PATHS)
    return None, {name: to_text(_at(value, path)) for name, path in PATHS.items()}


def _at(value: Any, path: str) -> Any:
    for step in parse_path(path):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
