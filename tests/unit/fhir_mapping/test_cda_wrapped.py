"""A document in an envelope, in an element's text or in base64 is converted as the document that it is."""

from __future__ import annotations

import base64
from xml.sax.saxutils import escape

import pytest

from fhir_mapping.cda import convert_document
from fhir_mapping.document import RecordError

PATIENT = '<recordTarget><patientRole><id root="1.2.3.4.5" extension="9"/></patientRole></recordTarget>'
DOCUMENT = f'<ClinicalDocument xmlns="urn:hl7-org:v3"><effectiveTime value="2024"/>{PATIENT}</ClinicalDocument>'
DECLARED = '<?xml version="1.0" encoding="UTF-8"?>' + DOCUMENT
ENCODED = base64.b64encode(DECLARED.encode()).decode()


def numbers(data: bytes) -> list[str]:
    return [
        one["identifier"][0]["value"] for one in convert_document(data).resources if one["resourceType"] == "Patient"
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"<e:Envelope xmlns:e='urn:e'><e:Body>{DOCUMENT}</e:Body></e:Envelope>",
        f"<Request><Content><![CDATA[{DECLARED}]]></Content></Request>",
        f"<string>{escape(DECLARED)}</string>",
        f"<Request><Content>\n{ENCODED}\n</Content></Request>",
        ENCODED,
        "\n".join(ENCODED[start : start + 76] for start in range(0, len(ENCODED), 76)),
    ],
)
def test_what_wraps_a_document_is_taken_off(text):
    assert numbers(text.encode()) == ["9"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"<all>{DOCUMENT}{DOCUMENT}</all>", "several_documents"),
        (f"<all><a>{ENCODED}</a><a>{ENCODED}</a></all>", "several_documents"),
        (f"<a><![CDATA[<!DOCTYPE x>{DOCUMENT}]]></a>", "unsafe_xml"),
        (f"<a><![CDATA[{DOCUMENT[:-9]}]]></a>", "bad_xml"),
        ("<a>PD94 no base64 ClinicalDocument</a>", "not_a_clinical_document"),
        (f"<?xml-stylesheet href='a'?><!-- c -->{DOCUMENT[:-9]}", "bad_xml"),
        (f"{DOCUMENT[:-20]} & {DOCUMENT[-20:]}", "bad_xml"),
    ],
)
def test_what_cannot_be_unwrapped_says_why(text, rule):
    with pytest.raises(RecordError) as refused:
        convert_document(text.encode())
    assert refused.value.rule == rule


def test_utf_32_is_an_encoding_that_is_not_read():
    with pytest.raises(RecordError) as refused:
        convert_document(DOCUMENT.encode("utf-32"))
    assert refused.value.rule == "bad_encoding"
