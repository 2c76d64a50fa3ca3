r"""Which encoding a file is in, and its bytes as text without losing any.

Supported are UTF-8, GB18030 (GBK and GB2312 are its subsets) and UTF-16, and by declaration Windows-1252 and Latin-1.
Python's codecs map them one to one: decoding then encoding gives the same bytes, so a record's text *is* its bytes.
UTF-16 is turned into UTF-8 before anything else (``utf16``).

Bytes that are no text in the encoding stay in the record as ``\xNN``; in such a record, and only there, a backslash
that was in the text is written twice, so ``restore`` gives the bytes back. NUL counts as no text: it is legal in all
of them, but in an export it means UTF-16 without a mark or rubbish.

How the encoding is found (``detect``), on up to 16 MiB of the file
    1. A byte-order mark of UTF-8, GB18030 or UTF-16 decides. One of UTF-32: refused.
    2. Declared UTF-16: so it is when it holds NUL bytes, as every table of ASCII separators does in UTF-16; big or
       little endian by where they stand. Without one it is UTF-8, if that is valid.
    3. Only lines with a byte outside ASCII or a control character tell anything; without one the declared encoding
       holds. A line with a control character counts as bad (binary rubbish is full of them; some decodes as GB18030).
       Those that serve as separators somewhere (tab, 01-03, 0B, 0C, 1B-1F) are no sign.
    4. Not declared UTF-8, but 95 % of these lines are valid UTF-8, with 8 characters of three or four bytes: UTF-8.
       Chinese GB18030 text forms valid UTF-8 of that length only by a coincidence that never happens, while about half
       of all UTF-8 lines decode as GB18030 (to rubbish), so the declared encoding's success means nothing.
       With fewer such characters: UTF-8 only when all lines are valid and most are not GB18030; declared Windows-1252
       or Latin-1, where every line is valid, when all lines are valid UTF-8 and hold 4 characters of two bytes.
    5. Not declared GB18030, but most of these lines are not UTF-8, 95 % are GB18030, and nine in ten of the characters
       are in GB2312 (at least 4): GB18030. The last test keeps a Latin-1 ``5 µg`` from turning into a Chinese
       character.
    6. Else the declared encoding holds, unless more than half of all lines that are not blank are bad in it: refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from fhir_mapping.sources import utf16

UTF_8 = "utf-8"
GB18030 = "gb18030"
SINGLE_BYTE = ("windows-1252", "latin-1")

_BOMS = {UTF_8: b"\xef\xbb\xbf", GB18030: b"\x84\x31\x95\x33", **utf16.BOMS}
_UTF_32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_HIGHEST_LOW, _DELETE = 0x1A, 0x7F
_CONTROL = bytes([0x00, *range(0x04, 0x09), *range(0x0E, _HIGHEST_LOW + 1), _DELETE])
_ESCAPED_BYTE = re.compile("[\udc00-\udcff]")
_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})")

_MOSTLY_VALID = 0.05
_HALF = 0.5
_SURE_UTF8_CHARACTERS = 8
_SURE_LATIN_CHARACTERS = 4
_SURE_CHINESE_CHARACTERS = 4
_CHINESE_SHARE = 0.9
_ENOUGH_LINES = 10_000
_SLICE = 1 << 17
"""Bytes that stay in the processor's cache while they are looked at several times."""


@dataclass(frozen=True)
class Encoding:
    """A detected encoding: the codec's name and the byte-order mark the file opens with (often none)."""

    codec: str
    bom: bytes = b""

    @property
    def label(self) -> str:
        """What the manifest says: ``utf-8``, ``utf-8-sig`` (with byte-order mark), ``gb18030``, ``utf-16-le-sig``."""
        return f"{self.codec}-sig" if self.bom else self.codec


def detect(sample: bytes, declared: str) -> Encoding | None:
    """The encoding of a file from its first bytes (whole lines) and what its source declares; None: refuse it."""
    if sample.startswith(_UTF_32):
        return None
    for codec, bom in _BOMS.items():
        if sample.startswith(bom):
            return _if_it_holds(Encoding(codec, bom), sample[len(bom) :])
    if declared.startswith("utf-16"):
        return _detect_utf16(sample, declared)
    if declared == UTF_8 and _is_text(sample, UTF_8):
        return Encoding(UTF_8)
    lines = _lines(sample)
    telling = [line for line in lines if not line.isascii() or _holds_control(line)]
    if not telling:
        return Encoding(declared)
    if declared != UTF_8 and _is_utf8_not(declared, telling):
        return Encoding(UTF_8)
    if declared != GB18030 and _is_gb18030_not_utf8(telling):
        return Encoding(GB18030)
    return Encoding(declared) if _is_text(sample, declared) or _holds(declared, lines) else None


def as_utf8(data: bytes, codec: str) -> tuple[bytes, str]:
    """UTF-16 as UTF-8, other bytes as they are, and the codec they are in then."""
    return (utf16.to_utf8(data, codec)[0], UTF_8) if codec in utf16.UTF_16 else (data, codec)


def decode(data: bytes, codec: str, newline: str) -> tuple[bytes, frozenset[int]]:
    """The text of whole lines as UTF-8, and the numbers (from 0) of the lines that held bytes which are no text.

    Those lines come escaped. ``newline`` is one character and separates the lines.
    """
    if codec == UTF_8 and b"\0" not in data and _is_utf8(data):
        return data, frozenset()
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        # Each bad byte b becomes the lone surrogate U+DC00+b, which no valid input decodes to.
        text = data.decode(codec, "surrogateescape")
    else:
        if b"\0" not in data:
            return text.encode(), frozenset()
    lines = text.replace("\0", "\udc00").split(newline)
    bad = [number for number, line in enumerate(lines) if _ESCAPED_BYTE.search(line)]
    for number in bad:
        escaped = double_backslashes(lines[number])
        lines[number] = _ESCAPED_BYTE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", escaped)
    return newline.join(lines).encode(), frozenset(bad)


def double_backslashes(text: str) -> str:
    """Text of a good line as it is written inside a record that also has a bad line."""
    return text.replace("\\", "\\\\")


def restore(raw: str, codec: str, *, is_escaped: bool) -> bytes:
    """The bytes a record's text was made from; ``is_escaped`` when its error is ``bad_encoding``."""
    if codec in utf16.UTF_16:
        return utf16.to_utf16(restore(raw, UTF_8, is_escaped=is_escaped), codec)
    if not is_escaped:
        return raw.encode(codec)
    text = _ESCAPE.sub(lambda match: "\\" if match[1] == "\\" else chr(0xDC00 + int(match[1][1:], 16)), raw)
    return text.replace("\udc00", "\0").encode(codec, "surrogateescape")


def _if_it_holds(encoding: Encoding, body: bytes) -> Encoding | None:
    data, codec = as_utf8(body, encoding.codec)
    return encoding if _holds(codec, _lines(data)) else None


def _detect_utf16(sample: bytes, declared: str) -> Encoding | None:
    """UTF-16 without a mark: where its separators' NUL bytes stand tells which half of a character comes first."""
    after, before = sample[1::2].count(0), sample[::2].count(0)
    if not after and not before:
        return Encoding(UTF_8) if _is_text(sample, UTF_8) else None
    if after == before:
        return _if_it_holds(Encoding(declared), sample) if declared != "utf-16" else None
    codec = "utf-16-le" if after > before else "utf-16-be"
    return _if_it_holds(Encoding(codec), sample)


def _lines(sample: bytes) -> list[bytes]:
    return [line for line in sample.splitlines() if line]


def _holds_control(data: bytes) -> bool:
    # Deleting them is several times as fast as a search by regular expression, to compare is several times that.
    if len(data) <= _SLICE:
        return len(data.translate(None, _CONTROL)) < len(data)
    return any(_slice_holds_control(data, start) for start in range(0, len(data), _SLICE))


def _slice_holds_control(data: bytes, start: int) -> bool:
    part = np.frombuffer(data, np.uint8, min(_SLICE, len(data) - start), start)
    low = part[(part <= _HIGHEST_LOW) & (part != ord("\n"))]
    return bool((part == _DELETE).any()) or _holds_control(low.tobytes())


def _is_text(data: bytes, codec: str) -> bool:
    if _holds_control(data):
        return False
    if codec == UTF_8:
        return _is_utf8(data)
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8(data: bytes) -> bool:
    # Arrow only looks, several times as fast as to decode.
    ends = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, ends, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _bad(lines: Sequence[bytes], codec: str) -> int:
    return sum(not _is_text(line, codec) for line in lines)


def _holds(codec: str, lines: Sequence[bytes]) -> bool:
    """At most half of the lines are bad."""
    return _bad(lines, codec) <= _HALF * len(lines)


def _is_mostly(codec: str, lines: Sequence[bytes]) -> bool:
    """At least 95 % of the lines are good; stops at the first line that settles it."""
    allowed = _MOSTLY_VALID * len(lines)
    return next(islice((line for line in lines if not _is_text(line, codec)), int(allowed), None), None) is None


def _is_utf8_not(declared: str, telling: Sequence[bytes]) -> bool:
    if not _is_mostly(UTF_8, telling):
        return False
    wide = 0
    for line in telling:
        wide += sum(character >= "\u0800" for character in line.decode(UTF_8, "ignore"))
        if wide >= _SURE_UTF8_CHARACTERS:
            return True
    if _bad(telling, UTF_8):
        return False
    if declared in SINGLE_BYTE:
        beyond = sum(character > "\x7f" for line in telling for character in line.decode(UTF_8))
        return beyond >= _SURE_LATIN_CHARACTERS
    return _bad(telling, GB18030) > _HALF * len(telling)


def _is_gb18030_not_utf8(telling: Sequence[bytes]) -> bool:
    if _bad(telling, UTF_8) <= _HALF * len(telling) or not _is_mostly(GB18030, telling):
        return False
    text = b"\n".join(telling[:_ENOUGH_LINES]).decode(GB18030, "ignore")
    characters = [character for character in text if character > "\x7f"]
    chinese = sum(bool(character.encode("gb2312", "ignore")) for character in characters)
    return chinese >= max(_SURE_CHINESE_CHARACTERS, _CHINESE_SHARE * len(characters))
