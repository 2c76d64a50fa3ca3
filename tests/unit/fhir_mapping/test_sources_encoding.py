"""How a file's encoding is found, and that undecodable bytes come back from a record's text."""

from __future__ import annotations

import pytest

from fhir_mapping.sources.encoding import decode, detect, restore

CHINESE = "病历号,姓名,主诉\n" + "".join(f"V{n},张三{n},咳嗽发热三天伴有胸痛\n" for n in range(40))
LATIN = "id,name,befund\n" + "".join(f"{n},Jörg Müßig,5 µg/l Ferritin, müde\n" for n in range(40))
ASCII = "id,complaint\n" + "1,cough\n" * 40


def _label(data: bytes, declared: str) -> str | None:
    found = detect(data, declared)
    return found.label if found else None


@pytest.mark.parametrize(
    ("data", "declared", "label"),
    [
        (ASCII.encode(), "utf-8", "utf-8"),
        (ASCII.encode(), "gb18030", "gb18030"),
        (CHINESE.encode(), "utf-8", "utf-8"),
        (CHINESE.encode("gb18030"), "gb18030", "gb18030"),
        (CHINESE.encode("utf-8-sig"), "utf-8", "utf-8-sig"),
        (CHINESE.encode("utf-8-sig"), "gb18030", "utf-8-sig"),
        (("\ufeff" + CHINESE).encode("gb18030"), "gb18030", "gb18030-sig"),
        (CHINESE.encode("utf-16"), "utf-8", "utf-16-le-sig"),
        (("\ufeff" + CHINESE).encode("utf-16-be"), "gb18030", "utf-16-be-sig"),
        (CHINESE.encode("utf-16-le"), "utf-16", "utf-16-le"),
        (CHINESE.encode("utf-16-be"), "utf-16", "utf-16-be"),
        (CHINESE.encode("utf-16-le"), "utf-16-be", "utf-16-le"),
        (CHINESE.encode(), "utf-16", "utf-8"),
        (LATIN.encode("windows-1252"), "windows-1252", "windows-1252"),
        (LATIN.encode("latin-1"), "latin-1", "latin-1"),
        (LATIN.encode(), "windows-1252", "utf-8"),
        (CHINESE.encode("gb18030"), "windows-1252", "gb18030"),
    ],
)
def test_a_file_in_its_declared_encoding_or_with_a_mark_is_taken_as_that(
    data: bytes, declared: str, label: str
) -> None:
    assert _label(data, declared) == label


def test_the_other_encoding_is_taken_when_the_bytes_leave_no_doubt() -> None:
    assert _label(CHINESE.encode("gb18030"), "utf-8") == "gb18030"
    assert _label(CHINESE.encode(), "gb18030") == "utf-8"


def test_utf8_that_happens_to_decode_as_gb18030_is_still_utf8() -> None:
    data = ("a,b\n" + "胸痛咳嗽,x\n" * 4).encode()
    data.decode("gb18030")
    assert _label(data, "gb18030") == "utf-8"


def test_a_latin1_letter_does_not_make_a_file_gb18030() -> None:
    data = b"item,result\n" + b"CRP,12\n" * 30 + b"Fe,5 \xb5g\n"
    b"\xb5g".decode("gb18030")
    assert _label(data, "utf-8") == "utf-8"


def test_a_few_bad_bytes_do_not_change_the_encoding() -> None:
    data = CHINESE.encode("gb18030").replace(b"V7,", b"V7\xff,").replace(b"V9,", b"V9\x80,")
    assert _label(data, "gb18030") == "gb18030"


@pytest.mark.parametrize(
    "data",
    [
        CHINESE.encode("utf-16-le"),
        CHINESE.encode("utf-16-be"),
        CHINESE.encode("utf-32"),
        ASCII.encode("utf-16-le"),
        ASCII.encode("utf-32"),
        bytes(range(128, 256)) * 40 + b"\n" + bytes(range(200, 256)) * 30,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(reversed(range(256))) * 8,
    ],
)
@pytest.mark.parametrize("declared", ["utf-8", "gb18030"])
def test_what_is_no_text_in_a_supported_encoding_is_refused(data: bytes, declared: str) -> None:
    assert detect(data, declared) is None


def test_bad_bytes_are_escaped_on_their_line_only_and_come_back() -> None:
    data = b"a\\x\xff\n\\x41\nb\x00\\"
    text, bad = decode(data, "utf-8", "\n")
    lines = text.decode().split("\n")
    assert lines == [r"a\\x\xff", r"\x41", r"b\x00\\"]
    assert bad == {0, 2}
    assert [restore(line, "utf-8", is_escaped=n in bad) for n, line in enumerate(lines)] == data.split(b"\n")
