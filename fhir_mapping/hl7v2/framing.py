"""A file or stream of bytes as messages: batches, MLLP frames, all line ends; each byte belongs to exactly one item.

Text is decoded before anything is split: trail bytes of GBK and GB18030 look like the delimiters ``|^~\\``.
Batch and frame marks (FHS, BHS, BTS, FTS, VT, FS, byte-order marks, blank lines) count to the item beside them. Text
that no MSH opens is an item with an error, and so is a trailer whose count is not that of its messages.
Source: HL7 v2.8 chapter 2.10.3 (batches), HL7 Transport Specification MLLP R1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fhir_mapping.hl7v2.charset import decode, encode, redecode, show_bad_bytes

_MARK = re.compile(r"(?:\A|(?<=[\r\n\x0b\x1c]))[\ufeff \t]*(MSH|FHS|BHS|BTS|FTS)(?=[^\w\s])|(?P<fs>\x1c)")
_FRAME = "\ufeff\x0b\x1c\r\n \t"
_LINE_END = re.compile(r"[\r\n\x0b\x1c]")


@dataclass(frozen=True)
class MessageText:
    """One message of a file, or a stretch of the file that is none.

    Attributes:
        text: the message, without frame marks; where bytes are no text in the encoding (``bad_encoding``), they are
            written ``\\xNN`` and backslashes twice, as ``fhir_mapping.sources.encoding.restore`` reads them.
        error: ``missing_msh``: text that no header opens; ``batch_count``: a batch or file trailer counts other than
            what stood before it; ``bad_encoding``; None: a message.
        offset: where its bytes begin in the file; frame marks before it are its own.
        size: how many bytes; the next item begins right behind them.
        encoding: codec by which the bytes were read.
    """

    text: str
    error: str | None
    offset: int
    size: int = 0
    encoding: str = "utf-8"


@dataclass
class _Piece:
    """A stretch of the decoded text: ``frame`` (no content of its own), ``message``, ``loose``, or ``count``."""

    kind: str
    start: int
    stop: int


def split_messages(data: bytes, encoding: str | None = None) -> Iterator[MessageText]:
    """The messages of a file, in order, and what stands between them. Never raises.

    Args:
        data: the whole file.
        encoding: a codec's name when the sender's is known; else byte-order mark, MSH-18 and the bytes tell.
    """
    if not data:
        return
    text, codec = decode(data, encoding)
    pieces = _with_counts(text, list(_pieces(text)))
    items = _merge(pieces, len(text))
    offset = 0
    for number, (kind, start, stop, content) in enumerate(items):
        is_last = number == len(items) - 1
        size = len(data) - offset if is_last else len(encode(text[start:stop], codec))
        yield _item(kind, text[content[0] : content[1]].strip(_FRAME), offset, size, codec)
        offset += size


def _item(kind: str, text: str, offset: int, size: int, codec: str) -> MessageText:
    error = {"loose": "missing_msh", "count": "batch_count"}.get(kind)
    text, codec, is_bad = redecode(text, codec)
    if is_bad:
        return MessageText(show_bad_bytes(text), error or "bad_encoding", offset, size, codec)
    return MessageText(text, error, offset, size, codec)


def _pieces(text: str) -> Iterator[_Piece]:
    marks = list(_MARK.finditer(text))
    first = marks[0].start() if marks else len(text)
    yield _Piece("loose" if text[:first].strip(_FRAME) else "frame", 0, first)
    stops = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, stop in zip(marks, stops, strict=False):
        start = mark.start()
        if mark[1] == "MSH":
            yield _Piece("message", start, stop)
            continue
        if mark["fs"]:
            line_end = start + 1
        else:
            found = _LINE_END.search(text, mark.end(), stop)
            line_end = found.start() if found else stop
        yield _Piece(mark[1] or "frame", start, line_end)
        yield _Piece("loose" if text[line_end:stop].strip(_FRAME) else "frame", line_end, stop)


def _with_counts(text: str, pieces: list[_Piece]) -> list[_Piece]:
    """Headers and trailers as frames, but a trailer with another count than its messages (or batches) as ``count``."""
    messages = batches = 0
    for piece in pieces:
        if piece.kind == "message":
            messages += 1
        elif piece.kind in ("BHS", "FHS"):
            messages = 0
            batches = 0 if piece.kind == "FHS" else batches
            piece.kind = "frame"
        elif piece.kind in ("BTS", "FTS"):
            is_batch = piece.kind == "BTS"
            counted = messages if is_batch else batches
            batches += is_batch
            stated = _count(text[piece.start : piece.stop])
            # A file without batch headers counts its messages as one batch, or not at all.
            agrees = stated is None or stated == counted or (not is_batch and batches == 0)
            piece.kind = "frame" if agrees else "count"
    return pieces


def _count(trailer: str) -> int | None:
    trailer = trailer.strip(_FRAME)
    fields = trailer[4:].split(trailer[3:4])
    count = fields[0].strip()
    return int(count) if count.isascii() and count.isdigit() and len(count) < 10 else None


def _merge(pieces: list[_Piece], end: int) -> list[tuple[str, int, int, tuple[int, int]]]:
    """Items as ``(kind, start, stop, content)``: frames before an item join it, those at the end join the last."""
    items: list[tuple[str, int, int, tuple[int, int]]] = []
    start = 0
    for piece in pieces:
        if piece.kind != "frame":
            items.append((piece.kind, start, piece.stop, (piece.start, piece.stop)))
            start = piece.stop
    if not items:
        return [("loose", 0, end, (0, end))]
    kind, first, _, content = items[-1]
    items[-1] = (kind, first, end, content)
    return items
