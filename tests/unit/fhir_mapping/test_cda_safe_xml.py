"""No document makes the reader fetch, expand, hang or raise anything but its own error."""

from __future__ import annotations

import time

import pytest

from fhir_mapping.cda import convert_document, parse_document
from fhir_mapping.cda.element import local_name
from fhir_mapping.document import RecordError

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n} "&l{n - 1};&l{n - 1};&l{n - 1};&l{n - 1};&l{n - 1};">' for n in range(1, 30))
    + ']><section title="&l29;">&l29;</section>'
)
UNSAFE = {
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><section>&x;</section>',
    "external DTD": '<?xml version="1.0"?>\n<!-- c --><!DOCTYPE ClinicalDocument SYSTEM "http://example.org/a.dtd"><section/>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://example.org/x"> %x;]><section/>',
    "billion laughs": LAUGHS,
    "deep nesting": "<section>" + "<component>" * 5000 + "</component>" * 5000 + "</section>",
}


@pytest.mark.parametrize("name", sorted(UNSAFE))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_is_unsafe_is_refused_as_unsafe(name, encoding):
    with pytest.raises(RecordError) as refused:
        parse_document(UNSAFE[name].encode(encoding))
    assert refused.value.rule == "unsafe_xml"


def test_a_doctype_in_a_comment_is_only_words():
    assert local_name(parse_document(b"<!-- <!DOCTYPE a> --><section/>")) == "section"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "not_a_clinical_document"),
        (b"MSH|^~\\&|a", "not_a_clinical_document"),
        (b"\x00\x01\x02", "not_a_clinical_document"),
        (b"<section>", "bad_xml"),
        (b"<!-- never closed <section/>", "bad_xml"),
        (b"<a></b>", "bad_xml"),
        (b"<section>\xff\xfe</section>", "bad_encoding"),
        (b'<?xml version="1.0" encoding="no-such"?><section/>', "bad_encoding"),
        (b"<html><body>x</body></html>", "not_a_clinical_document"),
    ],
)
def test_what_is_no_document_is_told_apart(data, rule):
    with pytest.raises(RecordError) as refused:
        convert_document(data)
    assert refused.value.rule == rule


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030", "GBK", "GB2312", "UTF-16"])
def test_the_declared_encoding_is_honoured(encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><section><title>门诊</title></section>'
    assert "".join(parse_document(text.encode(encoding)).itertext()) == "门诊"


def test_chinese_bytes_that_claim_to_be_utf_8_are_read():
    body = '<ClinicalDocument><realmCode code="CN"/><title>检验报告</title></ClinicalDocument>'
    text = f'<?xml version="1.0" encoding="UTF-8"?>{body}'
    assert "".join(parse_document(text.encode("gb18030")).itertext()) == "检验报告"


def test_fragments_may_lack_namespace_declarations_and_a_single_root():
    assert local_name(parse_document(b'<section><value xsi:type="CD"/><sdtc:id/></section>')) == "section"
    assert len(parse_document(b"<!-- two --><entry/><entry/>")) == 2


def test_thousands_of_acts_of_one_number_cost_no_square():
    inner = '<id root="1.2.3456"/><code code="{0}"/><effectiveTime value="bad"/>'
    act = f"<entry><observation>{inner}</observation></entry>"
    text = "<section>" + "".join(act.format(number) for number in range(4_000)) + "</section>"
    started = time.process_time()
    converted = convert_document(text.encode())
    assert len(converted.problems) == 4_000
    assert time.process_time() - started < 10


@pytest.mark.parametrize("words", ["检验报告", "检验报告单"])
def test_utf_8_under_the_name_of_a_chinese_encoding_is_read(words):
    text = f'<?xml version="1.0" encoding="GB2312"?><section><title>{words}</title></section>'
    assert "".join(parse_document(text.encode()).itertext()) == words


def test_control_characters_do_not_cost_a_document():
    text = "<section><title>咳嗽\x0b三天\x01</title></section>\x00\x00"
    assert "".join(parse_document(text.encode()).itertext()) == "咳嗽三天"
    with pytest.raises(RecordError, match="unsafe_xml"):
        parse_document(b"<\x01!DOCTYPE a><section/>")


@pytest.mark.parametrize("words", ["呼吸&内科", "CRP <0.5 mg/L", "A & B; C", "x < y &amp; z"])
def test_marks_that_were_not_escaped_are_text(words):
    text = f"<section><title>{words}</title></section>"
    assert "".join(parse_document(text.encode()).itertext()) == words.replace("&amp;", "&")


@pytest.mark.parametrize(
    ("text", "rule"),
    [("<section>&x; a & b</section>", "unsafe_xml"), ("<section><![CDATA[a&b]]> & </section>", "bad_xml"),
     ("<section>a & <b></section>", "bad_xml")],
)  # fmt: skip
def test_what_else_is_wrong_beside_such_marks_is_refused(text, rule):
    with pytest.raises(RecordError) as refused:
        parse_document(text.encode())
    assert refused.value.rule == rule
