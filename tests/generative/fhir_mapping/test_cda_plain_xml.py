"""A plain document that goes to the parser as it is gives what the closer look at it gives, whatever its bytes are."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from fhir_mapping.cda import parse_document, safe_xml
from fhir_mapping.document import RecordError

DOCUMENTS = [
    b'<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet href="a"?><!-- c -- -->\n<a xmlns="urn:hl7-org:v3" '
    b'x="1"><b>\xe4\xb8\xad<c/>t</b><!--d--><?p i?><![CDATA[<z>]]></a>',
    b"\xef\xbb\xbf <!-- q --><a>\xc2\xa0<b/></a>",
    b'<?xml version="1.0"?><section><value xsi:type="CD"/>&amp;&lt;</section>',
    b"<?xml version='1.0' encoding='utf-8' standalone='yes'?><ClinicalDocument><a b='&#20013;'/></ClinicalDocument>",
]
PIECES = [
    *(b"<", b">", b"<!", b"<!DOCTYPE a>", b"<!--", b"-->", b"--", b"<?", b"?>", b'<!ENTITY x "y">', b"&x;", b"&#0;"),
    *(b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe3\x80\x80", b"\xc2\x85", b"\xe2\x80\xa8", b"\xf4\x90\x80\x80"),
    *(b"\x0b", b"\x0c", b"\x1c", b" ", b"\n", b"\xef\xbb\xbf", b'"', b"'", b"[", b"]]>", b"<a/>", b"</a>", b"x:"),
    *(b'<?xml version="1.0"?>', b"<?XML?>", b'version="1.1"', b'encoding="gbk"', b'encoding="UTF-8"', b'xmlns:x="u"'),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A document with up to three pieces put into it, or bytes taken out."""
    data = bytearray(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.sampled_from([0, 0, 1, 6]))] = draw(st.sampled_from([*PIECES, b""]))
    return bytes(data)


def _outcome(parse: Callable[[bytes], etree._Element], data: bytes) -> str:
    try:
        return etree.tostring(parse(data), encoding="unicode")
    except RecordError as error:
        return error.rule


@given(mutated())
@example(b'<?xml version="1.0" encoding="no-such"?><section/>')
@example(b" " * 4_000 + b"no tag")
def test_both_ways_agree(data: bytes) -> None:
    assert _outcome(parse_document, data) == _outcome(safe_xml._parse_closely, data)
