"""Frames, canonical JSON and state digests: one content, one serialisation; anything else is no message."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import RefusedError
from contracts.messages import (
    MODEL_SIGNATURE,
    SITE_MESSAGES,
    Heartbeat,
    RefusalCode,
    first_state,
    layout_digest,
    layout_of,
    layout_records,
    next_state,
    parse_site_message,
)
from contracts.sums import Block
from contracts.wire import FrameError, canonical, digest, pack, parse_canonical, parts_digest, unpack

NOTHING = parts_digest(())
BEAT = Heartbeat(content=NOTHING, site="north", number=3)
LAYOUT = (Block("count", (2, 3), 10.0, 0.1, None), Block("buckets", (4,), 10.0, 1.0, 5))


@given(st.binary(max_size=50), st.sampled_from([b"", bytes(64)]), st.lists(st.binary(max_size=40), max_size=5))
def test_a_frame_comes_back_as_it_was_packed(header: bytes, signature: bytes, parts: list[bytes]) -> None:
    frame = unpack(pack(header, signature, parts))
    assert (frame.header, frame.signature, [bytes(part) for part in frame.parts]) == (header, signature, parts)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_frame(data: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(data)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_frame_cut_or_continued_is_none(cut: int, tail: bytes) -> None:
    frame = pack(canonical(BEAT), bytes(64), [b"part"])
    for broken in (frame[: min(cut, len(frame) - 1)], frame + tail):
        with pytest.raises(FrameError):
            unpack(broken)


def test_a_header_has_one_serialisation() -> None:
    raw = canonical(BEAT)
    assert raw == b'{"content":"' + NOTHING.encode() + b'","kind":"heartbeat","number":3,"protocol":1,"site":"north"}'
    assert parse_canonical(raw, Heartbeat) == BEAT
    for other in (raw.replace(b",", b", ", 1), raw.replace(b":3", b":3.0"), raw.replace(b":3", b':"3"'), b" " + raw):
        with pytest.raises(FrameError):
            parse_canonical(other, Heartbeat)


def test_unknown_fields_and_protocols_are_refused() -> None:
    raw = canonical(BEAT)
    for other in (raw.replace(b'"protocol":1', b'"protocol":2'), raw.replace(b'{"con', b'{"aside":1,"con')):
        with pytest.raises(FrameError):
            parse_canonical(other, Heartbeat)


def test_the_list_of_what_a_site_may_send_is_closed() -> None:
    assert set(SITE_MESSAGES) == {"key", "term", "survivors", "share", "refusal", "heartbeat"}
    assert parse_site_message(pack(canonical(BEAT), bytes(64))) == BEAT
    for header in (b'{"kind":"total"}', b'{"kind":["key"]}', b"[]", b'{"kind":"metrics"}'):
        with pytest.raises(FrameError):
            parse_site_message(pack(header, bytes(64)))


def test_floats_are_not_serialised() -> None:
    with pytest.raises(ValueError, match="no floats"):
        canonical({"a": [1, {"b": 0.5}]})


def test_a_layout_survives_its_canonical_form() -> None:
    assert layout_of(layout_records(LAYOUT)) == LAYOUT
    assert layout_digest(LAYOUT) == layout_digest(layout_of(layout_records(LAYOUT)))


@pytest.mark.parametrize(
    "other",
    [
        (LAYOUT[1], LAYOUT[0]),
        (Block("count", (3, 2), 10.0, 0.1), LAYOUT[1]),
        (Block("count", (2, 3), 10.000001, 0.1), LAYOUT[1]),
        (Block("count", (2, 3), 10.0, 0.1, 5), LAYOUT[1]),
        LAYOUT[:1],
    ],
)
def test_any_change_of_a_layout_changes_its_digest(other: tuple[Block, ...]) -> None:
    assert layout_digest(other) != layout_digest(LAYOUT)


def test_equal_histories_have_equal_states_and_others_do_not() -> None:
    program = digest(b"program")

    def after(*totals: bytes, start: str = program) -> str:
        state = first_state(start)
        for total in totals:
            state = next_state(state, LAYOUT, total)
        return state

    assert after(b"one", b"two") == after(b"one", b"two")
    assert len({after(), after(b"one"), after(b"two"), after(b"one", b"two"), after(b"two", b"one")}) == 5
    assert after(b"one") != after(b"one", start=digest(b"another program"))


def test_the_reference_lists_every_message_and_code() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
    kinds = [*SITE_MESSAGES, "descriptor", "seed", "total", "create", "keys", "open", "sign_model", MODEL_SIGNATURE]
    assert [name for name in [*kinds, *RefusalCode] if f"`{name}`" not in text] == []


def test_a_refusal_carries_nothing_but_its_code() -> None:
    assert str(RefusedError(RefusalCode.TAG_FAILED)) == "tag_failed"
    assert all(code.value.replace("_", "").isalpha() for code in RefusalCode)
