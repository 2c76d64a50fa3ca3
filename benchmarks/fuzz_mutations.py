"""Files made worse: cut, shuffled, nested, in two encodings at once, or not a file of the format at all."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from random import Random

Mutation = Callable[[Random, bytes, bytes], bytes]
"""``mutate(rng, data, other)``: another seed may lend a part."""

_TOKENS = {
    "hl7v2": re.compile(rb"([|^~&\r\n])"),
    "cda": re.compile(rb"(<[^>]*>|\"[^\"]*\")"),
    "fhir": re.compile(rb"(\"(?:[^\"\\]|\\.)*\"|[][{},:]|-?\d[\d.eE+-]*)"),
    "csv": re.compile(rb"([,\n\"])"),
    "tsv": re.compile(rb"([\t\n\"])"),
}
_ANY = (
    *(b"", b"\0", b"null", b'""', b"0", b"-0", b"9" * 400, b"1e400", b"-1.50e-7", b"NaN", b"20241301", b"0000-00-00"),
    *(b"2024-02-30T25:61:61+99:00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x81\x30", "億僞乗".encode("gbk"), b"\xed\xa0\x80"),
    *(
        "无".encode(),
        "张三".encode(),
        "１２．５".encode(),
        b"\x1c\x0b",
        b"\xe2\x80\xa8",
        b"x" * 3000,
        b"<0.5",
        b"%s{0}",
    ),
)
_OWN = {
    "hl7v2": (
        b"\\X0D\\",
        b"\\Zfoo\\",
        b"\\",
        b"^^^^^^",
        b"~" * 50,
        b"&" * 80,
        b"|" * 300,
        b"MSH|",
        b"OBX|1|ED|",
        b'""',
    ),
    "cda": (
        *(b"&amp;", b"&x;", b"&#0;", b"<!-- -->", b"<![CDATA[x]]>", b'nullFlavor="UNK"', b"<text>", b"</section>"),
        *(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', b'xsi:type="PQ"', b'"2024"', b"<value/>"),
    ),
    "fhir": (
        *(
            b"{}",
            b"[]",
            b"null",
            b"true",
            b'"\\ud800"',
            b'{"a":',
            b"[[[]]]",
            b'"resourceType"',
            b'"contained"',
            b'"id"',
        ),
        *(b'"extension"', b'"_status"', b'"#x"', b'"Patient/"', b'"reference"', b"1.0e+5", b'"valueQuantity"'),
    ),
    "csv": (b'"', b'""', b'"a\nb"', b'"x"y', b"'", b";", b"\t", b"\r", b","),
    "tsv": (b'"', b'""', b'"a\nb"', b'"x"y', b"'", b",", b"\r", b"\t"),
}
_NESTS = {"cda": (b"<a>", b"</a>"), "fhir": (b'{"extension":[', b"]}"), "hl7v2": (b"\\T\\", b"&"), "csv": (b'"', b'"')}
_CODECS = ("utf-8", "gb18030", "utf-16-le", "utf-16", "latin-1", "big5")


def mutated(form: str, rng: Random, files: Sequence[bytes]) -> bytes:
    """One input: a file with one to six changes, seldom rubbish, seldom as it was."""
    if rng.random() < 0.04:
        return rng.randbytes(rng.randrange(300))
    data, other = rng.choice(files), rng.choice(files)
    if form == "xlsx":
        return _workbook(rng, data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 6))):
        data = rng.choice(_MUTATIONS)(form, rng, data, other)
    return data[:60_000]


def _tokens(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    """Parts dropped, doubled, exchanged, or replaced by what no sender should send."""
    parts = _TOKENS[form].split(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        here, there = rng.randrange(len(parts)), rng.randrange(len(parts))
        what = rng.randrange(5)
        if what == 0:
            parts[here] = b""
        elif what == 1:
            parts[here] *= rng.choice((2, 2, 9))
        elif what == 2:
            parts[here], parts[there] = parts[there], parts[here]
        else:
            parts[here] = rng.choice(_ANY if what == 3 else _OWN[form])
    return b"".join(parts)


def _lines(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    """Lines deleted, doubled, shuffled, or borrowed from another file; line ends changed."""
    end = b"\r" if data.count(b"\r") > data.count(b"\n") else b"\n"
    lines, borrowed = data.split(end), re.split(rb"[\r\n]", other)
    what, here = rng.randrange(6), rng.randrange(len(lines))
    if what == 0:
        del lines[here]
    elif what == 1:
        lines.insert(here, lines[rng.randrange(len(lines))])
    elif what == 2:
        rng.shuffle(lines)
    elif what == 3:
        lines.insert(here, rng.choice(borrowed))
    elif what == 4:
        lines[here] = b""
    return (rng.choice((b"\r", b"\n", b"\r\n", b"")) if what == 5 else end).join(lines)


def _bytes(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 4))):
        place, removed = rng.randrange(len(data) + 1), rng.choice((0, 1, 1, 3, 40))
        data = data[:place] + rng.choice((b"", rng.randbytes(rng.choice((1, 2, 9))))) + data[place + removed :]
    return data


def _cut(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] if rng.random() < 0.8 else data[place:]


def _splice(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _joined(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    return data + rng.choice((b"", b"\r", b"\n", b"\x0b", b"\x1c\r")) + other


def _recoded(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    """The whole in another encoding, or its second half: what concatenated exports look like."""
    text = (
        data.decode("utf-8", "replace").replace("\ufffd", "肺")
        if b"\0" not in data
        else data.decode("utf-16", "replace")
    )
    other_bytes = text.encode(rng.choice(_CODECS), "replace")
    if rng.random() < 0.5:
        return other_bytes
    place = rng.randrange(len(data) + 1)
    return data[:place] + other_bytes[rng.randrange(len(other_bytes) + 1) :]


def _nested(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    opens, closes = _NESTS.get(form, _NESTS["csv"])
    times, place = rng.choice((3, 60, 300, 2_000)), rng.randrange(len(data) + 1)
    return data[:place] + opens * times + closes * rng.choice((0, times)) + data[place:]


def _delimiters(form: str, rng: Random, data: bytes, other: bytes) -> bytes:
    old, new = rng.choice(b"|^~\\&,\t\"'<>:{}[];\r\n"), rng.choice(b"|^~\\&,\t;#$!a \r\n")
    return data.replace(bytes([old]), bytes([new]), rng.choice((-1, -1, 1, 7)))


_MUTATIONS = (
    *(_tokens, _tokens, _tokens, _tokens, _tokens, _lines, _lines, _bytes, _cut, _splice, _joined),
    *(_recoded, _nested, _delimiters),
)


def _workbook(rng: Random, data: bytes) -> bytes:
    """Bytes of the archive changed, or XML inside of it."""
    if rng.random() < 0.4:
        return rng.choice((_bytes, _cut, _splice))("xlsx", rng, data, data)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        names = source.namelist()
        worse = rng.choice([name for name in names if "sheet1" in name or rng.random() < 0.3] or names)
        for name in names:
            body = source.read(name)
            for _ in range(rng.choice((1, 2, 4)) if name == worse else 0):
                body = rng.choice((_tokens, _tokens, _tokens, _bytes, _cut, _nested))("cda", rng, body, body)
            target.writestr(name, body)
    return out.getvalue()
