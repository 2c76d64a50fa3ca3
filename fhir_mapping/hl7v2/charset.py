r"""The bytes of a feed as text without losing any: byte-order mark, MSH-18 or the bytes themselves name the encoding.

Bytes that are no text in the encoding become lone surrogates (``surrogateescape``), so ``encode`` gives every byte
back. In UTF-16 a lone surrogate stands for itself, an odd last byte for U+DC00 plus the byte.
Source of the names in MSH-18: HL7 table 0211.
"""

from __future__ import annotations

import codecs
import re

UTF_8, GB18030, WINDOWS = "utf-8", "gb18030", "cp1252"

_BOMS = (
    (b"\xef\xbb\xbf", UTF_8),
    (b"\x84\x31\x95\x33", GB18030),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_NAMES = {
    "UNICODE UTF-8": UTF_8,
    "UTF-8": UTF_8,
    "UTF8": UTF_8,
    "UNICODE": UTF_8,
    "GB 18030-2000": GB18030,
    "GB18030-2000": GB18030,
    "GB 18030": GB18030,
    "GB18030": GB18030,
    "GBK": GB18030,
    "GB2312": GB18030,
    "CP936": GB18030,
    "BIG-5": "big5",
    "8859/1": "latin-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "8859/7": "iso8859-7",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "KS X 1001": "euc_kr",
}
_NOT_ONE_TO_ONE = frozenset({"big5", "euc_kr"})
_DECLARED = re.compile(rb"(?:\A|[\r\n\x0b\x1c])[ \t]*MSH([^\w\s])([^\r\n]*)")
_SURE = 8
"""So many whole characters of UTF-8 are no coincidence in other text."""
_BAD = re.compile("[\ud800-\udfff\x00]")
_WIDE = re.compile("[\u0800-\uffff\U00010000-\U0010ffff]")


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Text of a whole file and the codec it was read by; any bytes are read."""
    codec = _codec(encoding)
    if codec is None or codec.startswith("utf-16"):
        codec = _marked(data) or codec or _guess(data)
    text = _decode(data, codec)
    if codec in _NOT_ONE_TO_ONE and encode(text, codec) != data:
        codec = WINDOWS
        text = _decode(data, codec)
    return text, codec


def encode(text: str, codec: str) -> bytes:
    """The bytes a stretch of decoded text was made of."""
    if codec.startswith("utf-16"):
        return text.encode(codec, "surrogatepass")
    return text.encode(codec, "surrogateescape")


def redecode(text: str, codec: str) -> tuple[str, str, bool]:
    """One message of a file again: one with bytes that are no text may be in an encoding of its own.

    Returns text, codec, and whether it still holds bytes that are no text.
    """
    if not _BAD.search(text):
        return text, codec, False
    if codec.startswith("utf-16"):
        return text, codec, True
    data = encode(text, codec)
    for other in dict.fromkeys((_declared(data), UTF_8, GB18030)):
        if other and other != codec and _is_valid(data, other):
            return data.decode(other), other, False
    return text, codec, True


def show_bad_bytes(text: str) -> str:
    r"""Bytes that are no text as ``\xNN`` (a UTF-16 unit ``\uNNNN``), backslashes of the text twice."""
    return _BAD.sub(_show, text.replace("\\", "\\\\"))


def _show(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number == 0 or 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number & 0xFF:02x}"
    return f"\\u{number:04x}"


def _decode(data: bytes, codec: str) -> str:
    if codec.startswith("utf-16"):
        # An odd last byte is half a character: it stays visible and is counted to the last item.
        even, odd = data[: len(data) & ~1], data[len(data) & ~1 :]
        return even.decode(codec, "surrogatepass") + "".join(chr(0xDC00 + byte) for byte in odd)
    return data.decode(codec, "surrogateescape")


def _codec(name: str | None) -> str | None:
    """A codec that keeps every byte, by its HL7 or Python name; None when unknown."""
    if not name:
        return None
    upper = name.strip().upper()
    if upper in ("UTF-16", "UTF16", "UNICODE UTF-16"):
        return "utf-16-le"
    if found := _NAMES.get(upper):
        return found
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    known = {"gbk": GB18030, "gb2312": GB18030, "utf-8-sig": UTF_8, "utf-16": "utf-16-le"}.get(known, known)
    allowed = {UTF_8, GB18030, WINDOWS, "ascii", "utf-16-le", "utf-16-be", "big5", "euc_kr", "iso8859-1"}
    return known if known in allowed or known.startswith(("iso8859-", "cp125")) else None


def _marked(data: bytes) -> str | None:
    for mark, codec in _BOMS:
        if data.startswith(mark):
            return codec
    start = data.lstrip(b"\x0b\r\n \t")[:6]
    if data[:2] in (b"M\0", b"\x0b\0", b"F\0", b"B\0") or start == b"M\0S\0H\0":
        return "utf-16-le"
    return "utf-16-be" if data[:2] in (b"\0M", b"\0\x0b", b"\0F", b"\0B") else None


def _declared(data: bytes) -> str | None:
    """The codec MSH-18 of the first message names."""
    match = _DECLARED.search(data)
    if match is None:
        return None
    fields = match[2].split(match[1])
    if len(fields) < 17:
        return None
    name = re.split(rb"[~^]", fields[16])[0].decode("ascii", "ignore").strip().upper()
    return _NAMES.get(name)


def _guess(data: bytes) -> str:
    if data.isascii():
        return UTF_8
    declared = _declared(data)
    if _is_valid(data, UTF_8):
        # Two-byte characters alone may be Chinese in GB18030; three-byte ones are not a coincidence.
        is_sure = declared in (None, UTF_8) or _WIDE.search(data.decode(UTF_8)) is not None
        if is_sure or declared is None or not _is_valid(data, declared):
            return UTF_8
        return declared
    if declared and declared != UTF_8 and _is_valid(data, declared):
        return declared
    return _likeliest(data, declared)


def _likeliest(data: bytes, declared: str | None) -> str:
    """Not UTF-8 as a whole: judged by its lines that are not ASCII."""
    lines = [line for line in re.split(rb"[\r\n]", data) if not line.isascii()]
    utf8 = sum(_is_valid(line, UTF_8) for line in lines)
    if 2 * utf8 >= len(lines):
        return UTF_8
    # One broken character spoils its line, not what the others are: read as Windows-1252 they all would be wrong.
    whole, beyond = _count(data, UTF_8)
    if whole >= _SURE and whole > 0.8 * beyond:
        return UTF_8
    chinese = sum(_is_chinese(line) for line in lines)
    if 2 * chinese >= len(lines):
        return GB18030
    if declared == GB18030:
        chinese, characters = _count(data, GB18030)
        if chinese > 0.9 * characters:
            return GB18030
    return UTF_8 if whole > 0.3 * beyond else WINDOWS


def _count(data: bytes, codec: str) -> tuple[int, int]:
    """Characters beyond ASCII: those that are no broken bytes, and all."""
    beyond = [character for character in data.decode(codec, "surrogateescape") if character > "\x7f"]
    return sum(not "\ud800" <= character <= "\udfff" for character in beyond), len(beyond)


def _is_valid(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(line: bytes) -> bool:
    """Valid GB18030 whose characters beyond ASCII are mostly CJK or full-width."""
    if not _is_valid(line, GB18030):
        return False
    wide = [character for character in line.decode(GB18030) if character > "\x7f"]
    common = sum(bool(character.encode("gbk", "ignore")) for character in wide)
    # "Müller" in Windows-1252 decodes as GB18030 when an accented letter is followed by a letter; then a single
    # Chinese character stands between Latin letters. Chinese text has runs.
    runs = re.findall(r"[\u3000-\u9fff\uff00-\uffef]{2,}", line.decode(GB18030))
    return common >= 0.9 * len(wide) and 2 * sum(map(len, runs)) >= len(wide)
