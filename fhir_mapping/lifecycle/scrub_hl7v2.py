"""Cutting messages out of an HL7 v2 file: all rows of a message go together, batch trailers count what is left."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contracts.errors import DataError
from fhir_mapping.hl7v2 import split_messages
from fhir_mapping.sources.utf16 import UTF_16, to_utf8, to_utf16

_HEADER = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))[ \t]*MSH(?=[^\w\s])")
_AFTER = re.compile(rb"[\r\n]*(?:\x1c|(?:\A|(?<=[\r\n]))(?:FHS|BHS|BTS|FTS)(?=[^\w\s]))")
_MARK = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))(BHS|FHS|BTS)([^\w\s])([0-9]*)")


def whole_messages(raws: Sequence[str], errors: Sequence[str | None], gone: frozenset[int]) -> frozenset[int]:
    """The numbers of all rows of the messages that one of these rows belongs to."""
    message = _messages(raws, errors)
    chosen = {message[number] for number in gone}
    return frozenset(number for number, at in enumerate(message) if at in chosen)


def cut_messages(
    content: bytes, codec: str, raws: Sequence[str], errors: Sequence[str | None], gone: frozenset[int]
) -> bytes:
    """The file without the messages of these rows. UTF-16 with a byte-order mark keeps it.

    Raises:
        DataError: the rows are not those of the file's messages.
    """
    items = list(split_messages(content, codec))
    message = _messages(raws, errors)
    if len(items) != (message[-1] + 1 if message else 0):
        raise DataError("an HL7 v2 file cannot be cut: its messages are not told apart. Take it out of landing.")
    chosen = {message[number] for number in gone}
    kept: list[bytes] = []
    dropped = 0
    for number, item in enumerate(items):
        data = _bytes(content[item.offset : item.offset + item.size], codec)
        before, body, after = _parts(data, is_message=item.error != "missing_msh" and item.error != "batch_count")
        for part, is_body in ((before, False), (body, True), (after, False)):
            if is_body and number in chosen:
                dropped += 1
                continue
            if not is_body:
                part, dropped = _recounted(part, dropped)
            kept.append(part)
    left = b"".join(kept)
    return to_utf16(left, codec) if codec in UTF_16 else left


def _messages(raws: Sequence[str], errors: Sequence[str | None]) -> list[int]:
    """For each row the number of its message (or of the stretch that is none)."""
    found: list[int] = []
    number = -1
    for raw, error in zip(raws, errors, strict=True):
        if error is not None or raw.lstrip("\ufeff \t").startswith("MSH") or number < 0:
            number += 1
        found.append(number)
    return found


def _bytes(data: bytes, codec: str) -> bytes:
    return to_utf8(data, codec)[0] if codec in UTF_16 else data


def _parts(data: bytes, *, is_message: bool) -> tuple[bytes, bytes, bytes]:
    """What stands before a message (frame and batch marks), the message with its line end, what stands after it."""
    if not is_message:
        return b"", data, b""
    header = _HEADER.search(data)
    start = header.start() if header else 0
    end = _AFTER.search(data, start)
    stop = end.start() if end else len(data)
    return data[:start], data[start:stop], data[stop:]


def _recounted(marks: bytes, dropped: int) -> tuple[bytes, int]:
    """Batch marks, a trailer's count lowered by the messages dropped in its batch."""
    left = dropped

    def count(found: re.Match[bytes]) -> bytes:
        nonlocal left
        stated = found[3]
        if found[1] == b"BTS" and stated:
            stated = str(int(stated) - left).encode()
        left = 0
        return found[1] + found[2] + stated

    return _MARK.sub(count, marks), left
