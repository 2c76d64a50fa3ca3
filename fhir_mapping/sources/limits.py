"""How much of a file may have to be held in one piece, and the search for what is larger before it is read.

A piece is a line, a message, a document, or a whole file where it cannot be cut (an HL7 v2 batch or UTF-16 feed). Its
text is up to four times its bytes (bytes that are no text are written ``\\xNN``) and comes twice where rows repeat it;
Arrow's texts have offsets of 32 bits, beyond which they would be wrong without a word.
"""

from __future__ import annotations

from typing import BinaryIO

MAX_PIECE = 256 << 20
"""Bytes of the largest piece."""

FILE_TOO_LARGE = "file_too_large"
"""A file that must be read whole is larger than that."""
RECORD_TOO_LARGE = "record_too_large"
"""A line or message of the file is larger."""

_CHUNK = 8 << 20


class TooLargeError(Exception):
    """A piece of a file is larger than ``MAX_PIECE``."""


def size_of(stream: BinaryIO) -> int:
    """Bytes of a seekable stream, which is left at its start."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return size


def has_large_line(stream: BinaryIO, newline: str) -> bool:
    """Whether a line, from where the stream stands on, is larger than a piece may be; reads the stream by parts."""
    end, held = newline.encode(), 0
    while chunk := stream.read(min(_CHUNK, MAX_PIECE)):
        first = chunk.find(end)
        if held + (first if first >= 0 else len(chunk)) > MAX_PIECE:
            return True
        held = held + len(chunk) if first < 0 else len(chunk) - chunk.rfind(end) - 1
    return False
