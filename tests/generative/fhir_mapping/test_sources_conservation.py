"""Any bytes in: never an exception, every byte accounted for, and the fast paths read what the plain rules say."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import assert_conserved, blocks_of, csv_source, ndjson_source

from contracts.region import Source
from fhir_mapping.sources.csv_scanner import MAX_RECORD_LINES
from fhir_mapping.sources.reader import Refusal, SourceFile, inspect
from fhir_mapping.sources.record import COLUMN_COUNT, STRAY_QUOTE, UNCLOSED_QUOTE
from fhir_mapping.sources.utf16 import UTF_16, as_utf8, to_utf8, to_utf16

SOURCES = [
    csv_source("a", "b", header=False),
    csv_source("a", "b", header=False, encoding="gb18030"),
    csv_source("a", header=True),
    csv_source("a", "b", "c", header=False, delimiter="|", encoding="gb18030"),
    csv_source("a", "b", header=False, format="tsv", encoding="utf-16"),
    csv_source("a", "b", header=False, encoding="utf-16-be", skip_rows=1),
    csv_source("a", "b", header=False, encoding="windows-1252"),
    csv_source("a", "b", header=False, encoding="latin-1", skip_rows=2),
    ndjson_source({"encoding": "utf-16-le"}, a="a"),
    ndjson_source(a="a", b="b.c[0]"),
    ndjson_source({"encoding": "gb18030"}, a="a"),
]

CELLS = st.sampled_from(
    [
        "",
        "1",
        "a",
        "肺炎",
        "億僞乗",
        '"',
        '""',
        '"x"',
        '"肺,炎"',
        '"x\ny"',
        '"x',
        'x"y',
        '"a""b"',
        "\\x41",
        " ",
        "\r",
        "\ufeff",
    ]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=12)
CSV_TEXT = st.tuples(ROWS, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans()).map(
    lambda parts: parts[1].join(parts[0]) + parts[1] * parts[2]
)
JSON_LINES = st.lists(
    st.sampled_from(
        [
            '{"a": 5.60}',
            '{"a": "肺炎", "b": {"c": [1]}}',
            "[]",
            "{",
            '{"a": "\\ud800"}',
            '{"a": NaN}',
            "",
            " ",
            '{"a": {"x": [1.0, null]}}',
        ]
    ),
    max_size=8,
).map("\n".join)


def mutated(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Texts in one of the encodings, with a few bytes put in, taken out or replaced."""
    noise = st.sampled_from([b'"', b"\n", b"\r", b",", b"\xff", b"\x00", b"\x81", b"\xe4", b"\\", b"|", b"{", b""])
    edits = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2), noise), max_size=4)

    def edit(text: str, codec: str, changes: list[tuple[int, int, bytes]], bom: bytes) -> bytes:
        data = bom + text.encode(codec)
        for position, removed, added in changes:
            data = data[:position] + added + data[position + removed :]
        return data

    boms = st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\x84\x31\x95\x33", b"\xff\xfe", b"\xfe\xff"])
    return st.builds(edit, texts, st.sampled_from(["utf-8", "gb18030", "utf-16-le", "utf-16-be"]), edits, boms)


@settings(max_examples=400, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    data=st.one_of(st.binary(max_size=300), mutated(CSV_TEXT), mutated(JSON_LINES)),
    block_bytes=st.sampled_from([7, 64, 1 << 20]),
)
def test_every_byte_of_any_file_is_accounted_for(source: Source, data: bytes, block_bytes: int) -> None:
    file = inspect(source, io.BytesIO(data))
    if not isinstance(file, SourceFile):
        assert isinstance(file, Refusal)
        assert file.reason.partition(":")[0] in ("empty_file", "unknown_encoding", "missing_column")
        return
    blocks = blocks_of(file, data, block_bytes)
    assert_conserved(data, file, blocks)
    for block in blocks:
        assert set(block.values) == {column.name for column in source.column}
        for column in block.values.values():
            assert len(column) == len(block)
            column.validate(full=True)


@settings(max_examples=250, deadline=None)
@given(data=st.one_of(CSV_TEXT.map(str.encode), mutated(CSV_TEXT)), width=st.integers(1, 4))
def test_records_do_not_depend_on_the_size_of_blocks(data: bytes, width: int) -> None:
    source = csv_source(*"abcd"[:width], header=False)
    file = inspect(source, io.BytesIO(data))
    if not isinstance(file, Refusal):
        assert _rows(blocks_of(file, data, 5)) == _rows(blocks_of(file, data))


@settings(max_examples=400, deadline=None)
@given(text=CSV_TEXT, width=st.integers(1, 4))
def test_the_fast_paths_read_what_the_rules_say(text: str, width: int) -> None:
    data = text.encode()
    source = csv_source(*"abcd"[:width], header=False)
    file = inspect(source, io.BytesIO(data))
    if isinstance(file, Refusal):
        return
    assert isinstance(file, SourceFile)
    body = data[len(file.encoding.bom) :].decode()
    assert _rows(blocks_of(file, data)) == list(_read_by_the_rules(body, file.newline, ",", width))


@settings(max_examples=200, deadline=None)
@given(data=st.one_of(st.binary(max_size=60), st.text(max_size=30).map(lambda text: text.encode("utf-16-le"))))
def test_utf16_comes_back_from_the_utf8_it_is_read_as(data: bytes) -> None:
    for codec in UTF_16:
        assert to_utf16(to_utf8(data, codec)[0], codec) == data
        assert as_utf8(io.BytesIO(data), codec).read() == to_utf8(data, codec)[0]


def _rows(blocks: list) -> list[tuple]:
    return [
        (record.raw, record.error, tuple(record.values.values())) for block in blocks for record in block.records(0)
    ]


def _read_by_the_rules(text: str, newline: str, delimiter: str, width: int):
    """The rules of csv_scanner, character by character."""
    lines = [line + newline for line in text.split(newline)]
    lines[-1] = lines[-1].removesuffix(newline)
    lines = lines if lines[-1] else lines[:-1]
    number = 0
    while number < len(lines):
        content = _split_end(lines[number], newline)[0]
        if not content:
            number += 1
            continue
        fields, taken, error = _read_record(lines, number, newline, delimiter)
        if error is None and len(fields) != width:
            error = UNCLOSED_QUOTE if taken > 1 else COLUMN_COUNT
        if error:
            yield content, error, (None,) * width
            number += 1
        else:
            whole = "".join(lines[number : number + taken])
            yield _split_end(whole, newline)[0], None, tuple(fields)
            number += taken


def _split_end(line: str, newline: str) -> tuple[str, str]:
    ends = ("\r\n", "\n") if newline == "\n" else ("\r",)
    end = next((end for end in ends if line.endswith(end)), "")
    return line[: len(line) - len(end)], end


def _read_record(lines: list[str], first: int, newline: str, delimiter: str):
    fields, field, state = [], "", "start"
    for taken, line in enumerate(lines[first : first + MAX_RECORD_LINES], start=1):
        content, end = _split_end(line, newline)
        for character in content:
            if state == "start" and character == '"':
                state = "quoted"
            elif state == "quoted" and character == '"':
                state = "closing"
            elif state == "closing" and character == '"':
                field, state = field + character, "quoted"
            elif state != "quoted" and character == delimiter:
                fields.append(field)
                field, state = "", "start"
            elif state == "closing":
                return None, 0, STRAY_QUOTE if taken == 1 else UNCLOSED_QUOTE
            else:
                field, state = field + character, "quoted" if state == "quoted" else "plain"
        if state != "quoted":
            return [*fields, field], taken, None
        field += end
    return None, 0, UNCLOSED_QUOTE
