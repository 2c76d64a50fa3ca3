"""Mutated documents end as resources or as a named error: no other exception, no hang."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_mapping.cda import convert_document
from fhir_mapping.document import RecordError
from synthetic.cda_cn import DEVIATIONS, KINDS, write_document

SEEDS = [
    write_document(kind, 1, deviation=deviation).data for kind in KINDS for deviation in ("", *list(DEVIATIONS)[::4])
]
PIECES = [
    b"<entry>",
    b"</entry>",
    b'nullFlavor="UNK"',
    b'value=""',
    b"<value xsi:type=",
    b"code=",
    b"&amp;",
    b"&x;",
    b"\xff",
    b"\x00",
    b"<!DOCTYPE a>",
    b"99999999999999999999",
    b"<effectiveTime><low/><high value='x'/></effectiveTime>",
    b"<id root='' extension=''/>",
    b'<templateId root="2.16.840.1.113883.10.20.22.4.16"/>',
]


def attempt(data: bytes) -> None:
    try:
        converted = convert_document(data)
    except RecordError as refused:
        assert refused.rule
        return
    assert converted.resources


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_mutated_document_is_mapped_or_refused(data):
    text = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        action = data.draw(st.sampled_from(("cut", "insert", "swap", "truncate", "repeat")))
        size = data.draw(st.integers(1, 40))
        if action == "cut":
            del text[place : place + size]
        elif action == "insert":
            text[place:place] = data.draw(st.sampled_from(PIECES))
        elif action == "swap":
            text[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
        elif action == "truncate":
            del text[place:]
        else:
            text[place:place] = text[place : place + size * 20]
    attempt(bytes(text))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data):
    attempt(data)
