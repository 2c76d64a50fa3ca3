"""MLLP frames from bytes as they come, and the answer to each message."""

from __future__ import annotations

import pytest
from mllp_client import message

from fhir_mapping.document import RecordError
from fhir_mapping.sources.mllp import FrameError, FrameReader, answer_unreadable, answers, frame, read_message


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_are_found_however_the_bytes_come(size: int) -> None:
    sent = [message(1), "PID|億乗僞|两行".encode("gb18030"), b"", message(2)]
    stream = b"".join(frame(data) for data in sent[:2]) + b"\r\n \x0b\x1c\n" + frame(sent[3])
    reader = FrameReader(1000)
    found = [data for i in range(0, len(stream), size) for data in reader.feed(stream[i : i + size])]
    assert found == sent
    assert not reader.is_open


def test_no_character_of_gb18030_has_a_mark_in_it() -> None:
    characters = [chr(point) for point in range(0x80, 0x110000) if not 0xD800 <= point <= 0xDFFF]
    data = "".join(characters).encode("gb18030")
    assert not {0x0B, 0x0D, 0x1C} & set(data)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"\x0b" + b"x" * 20, "frame_too_large"),
        (b"\x0b" + b"x" * 20 + b"\x1c\r", "frame_too_large"),
        (b"MSH|no frame", "outside_frame"),
        (frame(b"a") + b"junk\x0b", "outside_frame"),
    ],
)
def test_a_stream_that_cannot_go_on_says_why(data: bytes, rule: str) -> None:
    with pytest.raises(FrameError) as caught:
        list(FrameReader(10).feed(data))
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "missing_msh"),
        (b"PID|1", "missing_msh"),
        (b"MSH|aa|x", "bad_delimiters"),
        (message(1) + message(2), "several_messages"),
        (message(1, kind=""), "missing_type"),
        (message(1).replace(b"M1", b""), "missing_control_id"),
    ],
)
def test_what_cannot_be_answered_by_its_header_has_a_rule(data: bytes, rule: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_message(data)
    assert caught.value.rule == rule
    assert f"MSA|AE||{rule}" in answer_unreadable(rule, "20240301", "C1").decode()


def _answers(data: bytes, outcome: str = "accept", codec: str = "utf-8") -> list[str]:
    found = answers(read_message(data), outcome, rule="", at="20240301", number="C1")  # type: ignore[arg-type]
    return [reply.decode(codec).strip("\x0b\x1c\r") for reply in found]


def test_an_answer_goes_back_to_the_sender_with_its_control_id() -> None:
    assert _answers(message(7)) == ["MSH|^~\\&|HIS|H|LIS|LAB|20240301||ACK^R01|C1|P|2.4\rMSA|AA|M7"]


def test_an_answer_is_in_the_encoding_and_delimiters_of_the_message() -> None:
    data = "MSH$*~\\&$检验科$LAB$H$H$2024$$ORU*R01$M1$P$2.4$$$$$$GB 18030-2000\rPID$1$$P1$$张三".encode("gb18030")
    assert _answers(data, codec="gb18030") == [
        "MSH$*~\\&$H$H$检验科$LAB$20240301$$ACK*R01$C1$P$2.4$$$$$$GB 18030-2000\rMSA$AA$M1"
    ]


@pytest.mark.parametrize(
    ("commit", "application", "outcome", "codes"),
    [
        ("", "", "reject", ["AR"]),
        ("AL", "", "accept", ["CA"]),
        ("AL", "NE", "error", ["CE"]),
        ("AL", "AL", "accept", ["CA", "AA"]),
        ("NE", "AL", "reject", ["AR"]),
        ("NE", "NE", "error", []),
        ("ER", "NE", "accept", []),
        ("ER", "SU", "accept", ["AA"]),
        ("SU", "ER", "reject", ["AR"]),
    ],
)
def test_enhanced_mode_answers_what_the_sender_asks_for(
    commit: str, application: str, outcome: str, codes: list[str]
) -> None:
    found = _answers(message(1, tail=f"|||{commit}|{application}"), outcome)
    assert [text.split("MSA|")[1][:2] for text in found] == codes
