"""MLLP: messages out of a stream of bytes, and what is answered to each. No socket and no file here.

A frame is VT, the message, FS, CR (a sender that leaves the CR out, or sends LF, is understood). VT and FS cannot be
part of a character in UTF-8, GB18030 or a single-byte encoding, so frames are found before anything is decoded.
Source: HL7 Transport Specification MLLP Release 1; HL7 v2.8 chapter 2.9 (acknowledgements, original and enhanced mode).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import Message, parse, split_messages

VT, FS, CR = b"\x0b", b"\x1c", b"\r"

Outcome = Literal["accept", "error", "reject"]

_ORIGINAL = {"accept": "AA", "error": "AE", "reject": "AR"}
_COMMIT = {"accept": "CA", "error": "CE", "reject": "CR"}
_WANTED = {"AL": {"accept", "error", "reject"}, "NE": set(), "ER": {"error", "reject"}, "SU": {"accept"}}
_BETWEEN = b"\r\n \t"


class FrameError(Exception):
    """The stream cannot go on: ``frame_too_large`` or ``outside_frame``. ``data`` is what was read of it."""

    def __init__(self, rule: str, data: bytes) -> None:
        super().__init__(rule)
        self.rule = rule
        self.data = data


class FrameReader:
    """Messages of one connection, from bytes as they come.

    Args:
        limit: bytes a message may have.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0

    @property
    def is_open(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole with these bytes.

        Raises:
            FrameError: a message is too large, or there is something between frames.
        """
        self._buffer += data
        while True:
            self._skip_between()
            if not self._buffer:
                return
            # Only what is new is searched: a large message comes in many parts.
            end = self._buffer.find(FS, max(self._searched, 1))
            if end < 0:
                self._searched = len(self._buffer)
                if len(self._buffer) > self._limit + 1:
                    raise FrameError("frame_too_large", bytes(self._buffer[1:]))
                return
            message = bytes(self._buffer[1:end])
            if len(message) > self._limit:
                raise FrameError("frame_too_large", message)
            del self._buffer[: end + 1]
            self._searched = 0
            yield message

    def _skip_between(self) -> None:
        start = 0
        while start < len(self._buffer) and self._buffer[start] in _BETWEEN:
            start += 1
        del self._buffer[:start]
        if self._buffer and self._buffer[:1] != VT:
            end = self._buffer.find(VT)
            raise FrameError("outside_frame", bytes(self._buffer if end < 0 else self._buffer[:end]))


@dataclass(frozen=True)
class Received:
    """A message that could be read far enough to be answered.

    Attributes:
        kind: message code and trigger event, ``("ORU", "R01")``.
        codec: of its bytes, and so of the answer's.
    """

    message: Message
    kind: tuple[str, str]
    codec: str

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.message.header.raw(10)


def read_message(data: bytes) -> Received:
    """Read what stands in one frame.

    Raises:
        RecordError: ``missing_msh``, ``bad_delimiters``, ``bad_encoding``, ``several_messages`` in one frame;
            ``missing_type`` (no MSH-9), ``missing_control_id`` (no MSH-10).
    """
    items = list(split_messages(data))
    if not items:
        raise RecordError("missing_msh", "MSH")
    if items[0].error:
        raise RecordError(items[0].error, "MSH")
    if len(items) > 1:
        raise RecordError("several_messages", "MSH")
    message = parse(items[0].text)
    received = Received(message, message.kind, items[0].encoding)
    if not received.kind[0]:
        raise RecordError("missing_type", "MSH-9")
    if not received.control_id.strip():
        raise RecordError("missing_control_id", "MSH-10")
    return received


def answers(received: Received, outcome: Outcome, *, rule: str, at: str, number: str) -> list[bytes]:
    """The frames that answer a message: one in original mode; in enhanced mode those that MSH-15 and MSH-16 ask for.

    The commit acknowledgement (MSH-15) comes first. A condition that is no code of table 0155 counts as ``AL``.

    Args:
        rule: why it was not accepted; empty when it was.
        at: time of the answer, HL7's form.
        number: control id of the answer; the second one's has ``A`` behind it.
    """
    commit, application = (received.message.header.raw(field).strip() for field in (15, 16))
    if not commit and not application:
        return [_answer(received, _ORIGINAL[outcome], rule, at, number)]
    wanted = []
    if commit and outcome in _WANTED.get(commit, _WANTED["AL"]):
        wanted.append(_COMMIT[outcome])
    if application and outcome in _WANTED.get(application, _WANTED["AL"]):
        wanted.append(_ORIGINAL[outcome])
    return [_answer(received, code, rule, at, number + "A" * place) for place, code in enumerate(wanted)]


def answer_unreadable(rule: str, at: str, number: str) -> bytes:
    """The negative answer to what has no header that could be answered."""
    return _frame(f"MSH|^~\\&|||||{at}||ACK|{number}|P|2.4\rMSA|AE||{rule}\r".encode())


def frame(message: bytes) -> bytes:
    """A message with its marks, as it was sent."""
    return _frame(message)


def _answer(received: Received, code: str, rule: str, at: str, number: str) -> bytes:
    header = received.message.header
    separator = received.message.delimiters.field
    component = received.message.delimiters.component
    event = f"ACK{component}{received.kind[1]}" if received.kind[1] else "ACK"
    version = header.raw(12) or "2.4"
    msh = ["MSH", header.raw(2), header.raw(5), header.raw(6), header.raw(3), header.raw(4), at, "", event, number]
    msh += [header.raw(11) or "P", version, "", "", "", "", "", header.raw(18)]
    lines = [separator.join(msh).rstrip(separator), separator.join(["MSA", code, header.raw(10), rule])]
    text = "".join(f"{line.rstrip(separator)}\r" for line in lines)
    return _frame(text.encode(received.codec, "replace"))


def _frame(data: bytes) -> bytes:
    return VT + data + FS + CR
