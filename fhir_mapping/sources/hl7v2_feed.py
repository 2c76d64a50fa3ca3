"""Bytes of an HL7 v2 feed as messages in the usual delimiters, all in one buffer, and what of it is no message.

The plain case, a run of messages with ``|^~\\&``, stays one buffer from end to end. Batches, rubbish, undecodable bytes
and other delimiters go message by message through ``fhir_mapping.hl7v2``, which has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import split_messages
from fhir_mapping.hl7v2.charset import UTF_8, decode
from fhir_mapping.hl7v2.delimiters import Delimiters
from fhir_mapping.sources.hl7v2_segments import Segments, opens_with_message

_USUAL = Delimiters()
_LETTERS = {"field": "F", "component": "S", "repetition": "R", "escape": "E", "subcomponent": "T"}
_HEADER = "MSH|^~\\&|"
_MARKED = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x84\x31\x95\x33")
_BOM = "\ufeff".encode()
_BLANKS = b"\x0b\x1c\r\n \t"
_MARKS = "\ufeff" + _BLANKS.decode()
_FEW = 4
"""Blanks before the end of nearly every message are fewer."""

Bad = tuple[int, int, str, str]
"""What is no message: number of its file, how many messages stand before it in all, its text, its error."""
Stretch = tuple[int, bytes, str | None]
"""Number of a file, bytes of it that begin and end between messages, and their codec where it is known."""


@dataclass(frozen=True)
class Feed:
    """The messages of some files, laid end to end.

    Attributes:
        segments: all their segments; None where there is no message.
        data: a UTF-8 buffer that holds each message's exact text, without frame marks.
        start, stop: where in it each message stands.
        file: for each message the number of its file.
        bad: what is no message.
    """

    segments: Segments | None
    data: bytes
    start: np.ndarray
    stop: np.ndarray
    file: np.ndarray
    bad: Sequence[Bad] = ()

    @classmethod
    def of(cls, segments: Segments | None, texts: Sequence[str], file: Sequence[int], bad: Sequence[Bad]) -> Feed:
        """A feed of messages that were read one by one."""
        parts = [text.encode() for text in texts]
        ends = np.cumsum([0, *map(len, parts)])
        return cls(segments, b"".join(parts), ends[:-1], ends[1:], np.array(file, dtype=np.int64), bad)


def read_feed(files: Sequence[Stretch]) -> Feed:
    """The messages of files; where a codec is not known, mark, MSH-18 and bytes tell."""
    plain = _read_plain(files)
    if plain is not None:
        return plain
    texts: list[str] = []
    file: list[int] = []
    bad: list[Bad] = []
    usual: list[str] = []
    for number, data, encoding in files:
        for item in split_messages(data, encoding):
            text, error = item.text, item.error
            usual_text = "" if error else in_usual_delimiters(text)
            if error or usual_text is None:
                bad.append((number, len(texts), text, error or "bad_delimiters"))
                continue
            texts.append(text)
            file.append(number)
            usual.append(usual_text)
    segments = Segments.of("\r".join(usual).encode(), is_split=True) if usual else None
    if usual and (segments is None or len(segments.headers) != len(usual)):
        return _one_by_one(usual, texts, file, bad)
    return Feed.of(segments, texts, file, bad)


def in_usual_delimiters(text: str) -> str | None:
    r"""A message rewritten to ``|^~\&``; None where its header has impossible delimiters."""
    if text.startswith(_HEADER) or text.startswith("MSH|^~\\&#|"):
        return text
    lines = re.split(r"[\r\n]", text, maxsplit=1)
    try:
        delimiters = Delimiters.of(lines[0])
    except RecordError:
        return None
    head = lines[0][4:].split(delimiters.field, 1)
    rest = (head[1] if len(head) > 1 else "") + text[len(lines[0]) :]
    return _HEADER + _translated(rest, delimiters)


def _read_plain(files: Sequence[Stretch]) -> Feed | None:
    """The messages of files that are plain runs of messages; None where one is not."""
    parts = []
    for _, data, encoding in files:
        part = _plain_text(data, encoding)
        if part is None:
            return None
        parts.append(part)
    joined = b"\r".join(parts)
    segments = Segments.of(joined)
    if segments is None:
        return None
    start = segments.start[segments.headers]
    stop = _without_marks(joined, start, np.append(start[1:], len(joined)))
    begins = np.cumsum([0, *(len(part) + 1 for part in parts[:-1])])
    owner = np.searchsorted(begins, start, side="right") - 1
    return Feed(segments, joined, start, stop, np.array([number for number, _, _ in files])[owner])


def _without_marks(data: bytes, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Ends of messages without the marks and blanks before them; each message begins with a header."""
    stop = stop.copy()
    last = np.frombuffer(data, dtype=np.uint8)
    is_blank = np.isin(np.arange(256), list(_BLANKS))
    at = np.arange(len(stop))
    for _ in range(_FEW):
        at = at[is_blank[last[stop[at] - 1]]]
        stop[at] -= 1
    end = last[stop - 1]
    for number in np.flatnonzero(is_blank[end] | (end == _BOM[-1])).tolist():
        text = data[start[number] : stop[number]].decode().rstrip(_MARKS)
        stop[number] = start[number] + len(text.encode())
    return stop


def _plain_text(data: bytes, encoding: str | None) -> bytes | None:
    """A file as UTF-8 where it is a plain run of messages; frames may stand around them."""
    if not opens_with_message(data) and not data.startswith(_MARKED):
        return None
    utf8 = _as_utf8(data, encoding)
    while utf8 is not None and utf8.startswith(_BOM):
        utf8 = utf8.removeprefix(_BOM)
    return utf8 if utf8 is not None and opens_with_message(utf8) else None


def _as_utf8(data: bytes, encoding: str | None) -> bytes | None:
    """A file as UTF-8; None where some of it is no text."""
    if encoding == UTF_8 and data.isascii():
        return data
    try:
        return decode(data, encoding)[0].encode()
    except UnicodeError:
        return None


def _translated(text: str, delimiters: Delimiters) -> str:
    """Text with its own delimiters as the usual ones; characters that are delimiters only elsewhere are escaped."""
    own = {getattr(delimiters, name): getattr(_USUAL, name) for name in _LETTERS if getattr(delimiters, name)}
    escaped = {getattr(_USUAL, name): f"\\{letter}\\" for name, letter in _LETTERS.items()}
    if delimiters.escape:
        mark = re.escape(delimiters.escape)
        meaning = {letter: getattr(delimiters, name) for name, letter in _LETTERS.items()}
        parts = re.split(f"{mark}([FSRET]){mark}", text)
        # The separators' own escapes stand for this message's characters, which may be none elsewhere.
        plain = [escaped.get(meaning[part], meaning[part]) if i % 2 else part for i, part in enumerate(parts)]
    else:
        plain = [text]
    table = str.maketrans({**escaped, **own})
    return "".join(part if i % 2 else part.translate(table) for i, part in enumerate(plain))


def _one_by_one(usual: Sequence[str], texts: Sequence[str], file: Sequence[int], bad: Sequence[Bad]) -> Feed:
    """Keep the messages that read alone, in the rare case that the run of them does not read as one."""
    kept: list[int] = []
    left: list[Bad] = []
    waiting = sorted(bad, key=lambda item: item[1])
    for number, text in enumerate(usual):
        while waiting and waiting[0][1] <= number:
            of_file, _, raw, error = waiting.pop(0)
            left.append((of_file, len(kept), raw, error))
        segments = Segments.of(text.encode(), is_split=True)
        if segments is None or len(segments.headers) != 1:
            left.append((file[number], len(kept), texts[number], "bad_delimiters"))
        else:
            kept.append(number)
    left += [(of_file, len(kept), raw, error) for of_file, _, raw, error in waiting]
    fine = Segments.of("\r".join(usual[number] for number in kept).encode(), is_split=True) if kept else None
    return Feed.of(fine, [texts[number] for number in kept], [file[number] for number in kept], left)
