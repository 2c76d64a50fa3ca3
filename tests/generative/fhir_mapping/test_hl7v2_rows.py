"""HL7 v2 rows: the array code finds what the plain rules say, segment by segment; any bytes end in records."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import blocks_of, hl7v2_source

from fhir_mapping.hl7v2 import parse, split_messages
from fhir_mapping.hl7v2.message import Message, Segment
from fhir_mapping.sources.hl7v2_segments import ORDER_DETAIL
from fhir_mapping.sources.reader import inspect
from fhir_mapping.sources.record import Refusal

NAMES = st.sampled_from(["PID", "PV1", "ORC", "OBR", "RXE", "RXO", "OBX", "OBX", "NTE", "SPM", "DG1"])
TEXTS = st.sampled_from(["", "a", "甲^乙", "x~y", "1^2&3~4^5&6", '""', "a\\T\\b", "億^僞", "^^b"])
HEADER = "MSH|^~\\&|A|B|C|D|20240301||ORU^R01|1|P|2.4"
SEGMENTS = st.lists(st.builds(lambda name, text: f"{name}|{text}|{text}", NAMES, TEXTS), max_size=12)
MESSAGES = st.lists(SEGMENTS.map(lambda segments: "\r".join([HEADER, *segments]) + "\r"), min_size=1, max_size=4)
PATHS = {"pid": "PID-1", "pv1": "PV1-1.1", "orc": "ORC-1", "obr": "OBR-1", "spm": "SPM-1[2].1", "own": "OBX-1.2.1"}


@settings(max_examples=120, deadline=None)
@given(messages=MESSAGES, rows=st.sampled_from(["OBX", "DG1", "OBR", None]))
def test_rows_hold_what_the_rules_say(messages: list[str], rows: str | None) -> None:
    found = _rows("".join(messages).encode(), rows)
    expected = [row for text in messages for row in _by_the_rules(parse(text), rows)]
    assert [tuple(values) for _, _, values in found] == expected


@settings(max_examples=120, deadline=None)
@given(
    messages=MESSAGES,
    edits=st.lists(
        st.tuples(
            st.integers(0, 300),
            st.integers(0, 3),
            st.sampled_from(
                [
                    b"\r",
                    b"\n",
                    b"\x0b",
                    b"\x1c",
                    b"|",
                    b"MSH",
                    b"MSH|",
                    b"\rBTS|3\r",
                    b"\xff",
                    b"\0",
                    b"\x81",
                    b"&",
                    b"^",
                ]
            ),
        ),
        max_size=5,
    ),
    codec=st.sampled_from(["utf-8", "gb18030", "utf-16"]),
    size=st.sampled_from([20, 1 << 20]),
)
def test_any_bytes_end_in_records_one_an_item_at_least(
    messages: list[str], edits: list[tuple[int, int, bytes]], codec: str, size: int
) -> None:
    data = "".join(messages).encode(codec)
    for position, removed, added in edits:
        data = data[:position] + added + data[position + removed :]
    source = hl7v2_source(None, a="PID-1")
    file = inspect(source, io.BytesIO(data))
    if isinstance(file, Refusal):
        assert file.reason == "empty_file"
        return
    blocks = blocks_of(file, data, size)
    if size > len(data):
        items = list(split_messages(data, file.encoding.codec if file.encoding else None))
        texts = [(item.text, item.error is not None) for item in items]
        found = [(record.raw, record.error) for block in blocks for record in block.records(0)]
        assert [raw for raw, _ in found] == [text for text, _ in texts]
        assert all(error for (_, error), (_, is_bad) in zip(found, texts, strict=True) if is_bad)


def _rows(data: bytes, rows: str | None) -> list[tuple[str, str | None, list[str | None]]]:
    source = hl7v2_source(rows, **PATHS)
    file = inspect(source, io.BytesIO(data))
    assert not isinstance(file, Refusal)
    records = [record for block in blocks_of(file, data) for record in block.records(0)]
    return [(record.raw, record.error, list(record.values.values())) for record in records]


def _by_the_rules(message: Message, rows: str | None) -> list[tuple[str | None, ...]]:
    segments = list(message.segments)
    patients, orders = _groups(segments)
    numbers: list[int | None] = [i for i, segment in enumerate(segments) if segment.name == rows]
    found = []
    for row in numbers or [None]:
        values = []
        for path in PATHS.values():
            at = _belonging(segments, patients, orders, path[:3], row)
            values.append(None if at is None else _value(segments[at], path))
        found.append(tuple(values))
    return found


def _groups(segments: list[Segment]) -> tuple[list[int], list[int]]:
    """Patient and order (0: none) of each segment."""
    patients, orders, patient, order, number = [], [], 0, 0, 0
    seen: set[str] = set()
    for segment in segments:
        if segment.name == "PID":
            patient, order, seen = patient + 1, 0, set()
        elif segment.name == "ORC" or (segment.name in ORDER_DETAIL and (segment.name in seen or not order)):
            number += 1
            order, seen = number, set()
        if segment.name in ORDER_DETAIL:
            seen.add(segment.name)
        patients.append(patient)
        orders.append(order)
    return patients, orders


def _belonging(
    segments: list[Segment], patients: list[int], orders: list[int], name: str, row: int | None
) -> int | None:
    all_of_name = [i for i, segment in enumerate(segments) if segment.name == name]
    if row is None:
        return all_of_name[0] if all_of_name else None
    if segments[row].name == name:
        return row
    in_order = [i for i in all_of_name if orders[row] and orders[i] == orders[row]]
    of_patient = [i for i in all_of_name if not orders[i] and patients[i] == patients[row]]
    of_message = [i for i in all_of_name if not orders[i] and patients[i] == 0]
    for group in (in_order, of_patient, of_message):
        before = [i for i in group if i < row]
        if group:
            return before[-1] if before else group[0]
    return all_of_name[0] if all_of_name and patients[row] == 0 else None


def _value(segment: Segment, path: str) -> str | None:
    from fhir_mapping.hl7v2 import parse_path

    parsed = parse_path(path)
    repetition = parsed.repetition or 1
    values = list(segment.values(parse_path(path.replace("[2]", ""))))
    return values[repetition - 1] if repetition <= len(values) else None
