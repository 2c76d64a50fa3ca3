"""Bytes of an HL7 v2 feed as messages in the usual delimiters, all in one buffer, and what of it is no message.

The plain case, a run of messages with ``|^~\\&``, stays one buffer from end to end. Batches, rubbish, undecodable bytes
and other delimiters go message by message through ``fhir_mapping.hl7v2``, which has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import split_messages
from fhir_mapping.hl7v2.charset import decode
from fhir_mapping.hl7v2.delimiters import Delimiters
from fhir_mapping.sources.hl7v2_segments import Segments, opens_with_message

_USUAL = Delimiters()
_LETTERS = {"field": "F", "component": "S", "repetition": "R", "escape": "E", "subcomponent": "T"}
_HEADER = "MSH|^~\\&|"
_MARKED = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x84\x31\x95\x33")
_MARKS = "\ufeff\x0b\x1c\r\n \t"


@dataclass
class Feed:
    """The messages of some files, laid end to end.

    Attributes:
        texts: each message's exact text, without frame marks.
        segments: all their segments; None where there is no message.
        file: for each message the number of its file.
        bad: what is no message: number of its file, how many messages stand before it in all, its text, its error.
    """

    texts: list[str] = field(default_factory=list)
    segments: Segments | None = None
    file: list[int] = field(default_factory=list)
    bad: list[tuple[int, int, str, str]] = field(default_factory=list)


Stretch = tuple[int, bytes, str | None]
"""Number of a file, bytes of it that begin and end between messages, and their codec where it is known."""


def read_feed(files: Sequence[Stretch]) -> Feed:
    """The messages of files; where a codec is not known, mark, MSH-18 and bytes tell."""
    plain = _read_plain(files)
    if plain is not None:
        return plain
    feed = Feed()
    usual: list[str] = []
    for number, data, encoding in files:
        for item in split_messages(data, encoding):
            text, error = item.text, item.error
            usual_text = "" if error else in_usual_delimiters(text)
            if error or usual_text is None:
                feed.bad.append((number, len(feed.texts), text, error or "bad_delimiters"))
                continue
            feed.texts.append(text)
            feed.file.append(number)
            usual.append(usual_text)
    if usual:
        feed.segments = Segments.of("\r".join(usual).encode(), is_split=True)
        if feed.segments is None or len(feed.segments.headers) != len(usual):
            return _one_by_one(feed, usual)
    return feed


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
    starts = segments.start[segments.headers]
    stops = np.append(starts[1:], len(joined))
    texts = [joined[a:b].decode().strip(_MARKS) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]
    begins = np.cumsum([0, *(len(part) + 1 for part in parts[:-1])])
    owner = np.searchsorted(begins, starts, side="right") - 1
    return Feed(texts, segments, [files[number][0] for number in owner.tolist()])


def _plain_text(data: bytes, encoding: str | None) -> bytes | None:
    """A file as UTF-8 where it is a plain run of messages; frames may stand around them."""
    if not opens_with_message(data) and not data.startswith(_MARKED):
        return None
    text, _ = decode(data, encoding)
    try:
        utf8 = text.lstrip("\ufeff").encode()
    except UnicodeError:
        return None
    return utf8 if opens_with_message(utf8) else None


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


def _one_by_one(feed: Feed, usual: list[str]) -> Feed:
    """Keep the messages that read alone, in the rare case that the run of them does not read as one."""
    kept = Feed(bad=[])
    fine: list[str] = []
    bad = sorted(feed.bad, key=lambda item: item[1])
    for number, text in enumerate(usual):
        while bad and bad[0][1] <= number:
            file, _, raw, error = bad.pop(0)
            kept.bad.append((file, len(kept.texts), raw, error))
        segments = Segments.of(text.encode(), is_split=True)
        if segments is None or len(segments.headers) != 1:
            kept.bad.append((feed.file[number], len(kept.texts), feed.texts[number], "bad_delimiters"))
            continue
        kept.texts.append(feed.texts[number])
        kept.file.append(feed.file[number])
        fine.append(text)
    kept.bad += [(file, len(kept.texts), raw, error) for file, _, raw, error in bad]
    kept.segments = Segments.of("\r".join(fine).encode(), is_split=True) if fine else None
    return kept
