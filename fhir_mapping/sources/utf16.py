"""UTF-16 as UTF-8 and back, byte for byte, so that everything behind it reads one kind of bytes.

A lone surrogate becomes the three bytes its number has in UTF-8, an odd last byte ``b`` becomes ``FF b``: neither is
valid UTF-8, so such a line counts as undecodable, and neither can come from valid text, so ``to_utf16`` gives every
byte back.
"""

from __future__ import annotations

import io
from typing import BinaryIO

UTF_16 = ("utf-16-le", "utf-16-be")
BOMS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}

_ODD = b"\xff"


def to_utf8(data: bytes, codec: str, *, is_last: bool = True) -> tuple[bytes, bytes]:
    """``data`` as UTF-8, and the bytes that must wait for what follows (none when it is the last)."""
    whole = len(data) & ~1
    if not is_last and whole >= 2 and _is_high_surrogate(data[whole - 2 : whole], codec):
        whole -= 2
    text = data[:whole].decode(codec, "surrogatepass").encode("utf-8", "surrogatepass")
    rest = data[whole:]
    if is_last and rest:
        return text + _ODD + rest, b""
    return text, rest


def to_utf16(data: bytes, codec: str) -> bytes:
    """The bytes that ``to_utf8`` was given."""
    text, _, odd = data.partition(_ODD)
    return text.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass") + odd


class Utf8Stream(io.RawIOBase):
    """A UTF-16 stream read as UTF-8; ``source`` stands after its byte-order mark."""

    def __init__(self, source: BinaryIO, codec: str) -> None:
        self._source = source
        self._codec = codec
        self._ready = b""
        self._waiting = b""
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Fill ``buffer``; 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._ready and not self._is_over:
            read = self._source.read(max(len(view), 2))
            self._is_over = not read
            self._ready, self._waiting = to_utf8(self._waiting + read, self._codec, is_last=self._is_over)
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def as_utf8(source: BinaryIO, codec: str) -> BinaryIO:
    """A stream of UTF-16 (after its byte-order mark) as a stream of UTF-8."""
    return io.BufferedReader(Utf8Stream(source, codec), buffer_size=1 << 20)


def _is_high_surrogate(unit: bytes, codec: str) -> bool:
    return 0xD8 <= (unit[1] if codec == "utf-16-le" else unit[0]) <= 0xDB
