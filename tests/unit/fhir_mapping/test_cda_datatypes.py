"""Datatypes of CDA to FHIR: small tables, one behaviour a test."""

from __future__ import annotations

import pytest
from lxml import etree

from fhir_mapping.cda.coded import coding, concept, identifier
from fhir_mapping.cda.demographics import address, human_name, telecom
from fhir_mapping.cda.narrative import xhtml
from fhir_mapping.cda.quantities import bounded, decimal, quantity
from fhir_mapping.cda.times import Clock, period
from fhir_mapping.terminology.ucum import is_ucum

XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def element(text: str) -> etree._Element:
    return etree.fromstring(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1975", "1975"),
        ("197505", "1975-05"),
        ("19750501", "1975-05-01"),
        ("201308151030-0800", "2013-08-15T10:30:00-08:00"),
        ("20130815103015.25+0530", "2013-08-15T10:30:15.25+05:30"),
        ("201308151030", "2013-08-15"),
        ("2013081510Z", "2013-08-15T10:00:00Z"),
        ("2013-08-15 10:30:15", "2013-08-15"),
        ("200130311", None),
        ("20131345", None),
        ("", None),
        ("nullFlavor", None),
    ],
)
def test_a_timestamp_is_never_more_precise_than_it_was_told(written, read):
    assert Clock().date_time(written) == read


def test_a_time_without_offset_takes_the_zone_of_the_converter():
    assert Clock("Asia/Shanghai").date_time("20240501083000") == "2024-05-01T08:30:00+08:00"


def test_an_interval_with_swapped_ends_keeps_its_start():
    swapped = element("<effectiveTime><low value='20240502'/><high value='20240501'/></effectiveTime>")
    assert period(swapped, Clock()) == {"start": "2024-05-02"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("20240501T083005", "2024-05-01T08:30:05+08:00"),
        ("20240501 0830", "2024-05-01T08:30:00+08:00"),
        ("2024/5/1 8:30", "2024-05-01T08:30:00+08:00"),
        ("2024.05.01", "2024-05-01"),
        ("2024年5月1日", "2024-05-01"),
        ("2024年05月01日 8时30分5秒", "2024-05-01T08:30:05+08:00"),
        ("２０２４年５月", "2024-05"),
        ("2024-05-01T04:00Z", "2024-05-01T04:00:00Z"),
        ("1.2.3", None),
        ("2024-13-01", None),
        ("２", None),
    ],
)
def test_other_ways_to_write_a_time_are_read(written, read):
    assert Clock("Asia/Shanghai").date_time(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("5.60", "5.60"),
        ("065.88", "65.88"),
        ("+3", 3),
        (".5", "0.5"),
        ("1,234.5", "1234.5"),
        ("-0.10", "-0.10"),
        ("３６．５０", "36.50"),
    ],
)
def test_a_number_keeps_its_text_without_what_json_forbids(written, read):
    assert decimal(written) == read


@pytest.mark.parametrize("written", ["", "high", "1e400000", "NaN", "--1", "0x10", None])
def test_what_is_no_number_is_none(written):
    assert decimal(written) is None


@pytest.mark.parametrize(
    "unit", ["mm[Hg]", "10*9/L", "mg/dL", "{score}", "/min", "kg/m2", "ug/kg/min", "%", "[iU]/L", "1"]
)
def test_units_of_the_standard_are_known(unit):
    assert is_ucum(unit)


@pytest.mark.parametrize("unit", ["mmHg", "tablet", "10^9 /L", "inches", "片", "mg//dL", "(mg", "", "mg."])
def test_other_units_are_not_ucum(unit):
    assert not is_ucum(unit)


def test_cells_are_not_counted_in_kelvin():
    assert quantity(element('<value value="6.7" unit="K/uL"/>'))["code"] == "10*3/uL"


def test_a_unit_nobody_knows_stays_text():
    assert quantity(element('<value value="2" unit="puffs per go"/>')) == {"value": 2, "unit": "puffs per go"}


def test_money_has_its_currency():
    read = quantity(element('<value value="12.50" currency="元"/>'))
    assert (read["value"], read["code"], read["system"]) == ("12.50", "CNY", "urn:iso:std:iso:4217")


def test_an_open_interval_is_a_comparator():
    kind, value = bounded(element('<value><high value="0.5" unit="mg/dL" inclusive="false"/></value>'))
    assert (kind, value["comparator"], value["value"]) == ("Quantity", "<", "0.5")


def test_a_code_of_a_known_system_has_its_uri_and_others_keep_their_oid():
    assert coding(element('<code code="8302-2" codeSystem="2.16.840.1.113883.6.1"/>'))["system"] == "http://loinc.org"
    assert coding(element('<code code="x" codeSystem="1.2.3456.7"/>'))["system"] == "urn:oid:1.2.3456.7"


def test_a_code_that_hl7_never_defined_claims_no_uri():
    made_up = coding(element('<code code="ZZZ" codeSystem="2.16.840.1.113883.5.83"/>'))
    assert made_up["system"] == "urn:oid:2.16.840.1.113883.5.83"


def test_a_null_code_is_its_translations_and_original_text():
    read = concept(
        element(
            '<code nullFlavor="OTH"><originalText>odd thing</originalText>'
            '<translation code="1" codeSystem="2.16.840.1.113883.6.96" displayName="thing"/></code>'
        )
    )
    assert read["text"] == "odd thing"
    assert [one["code"] for one in read["coding"]] == ["1"]


def test_an_identifier_without_extension_is_its_root_as_urn():
    read = identifier(element('<id root="4adc1020-7b14-11db-9fe1-0800200c9a66"/>'))
    assert read == {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:4adc1020-7b14-11db-9fe1-0800200c9a66"}
    assert identifier(element('<id nullFlavor="UNK" root="1.2.3456"/>')) == {}


def test_a_name_without_parts_is_its_text():
    assert human_name(element("<name>王伟</name>"), Clock()) == {"text": "王伟"}
    assert human_name(element('<name nullFlavor="UNK"/>'), Clock()) == {}


def test_a_birth_name_is_a_maiden_name():
    born = element('<name><given>Eve</given><family qualifier="BR">Everywoman</family></name>')
    assert human_name(born, Clock())["use"] == "maiden"


def test_parts_of_an_address_outside_the_schema_are_lines():
    read = address(
        element("<addr><houserNumber>12号</houserNumber><township>东街</township><city>滨河</city></addr>"), Clock()
    )
    assert (read["line"], read["city"]) == (["12号", "东街"], "滨河")


@pytest.mark.parametrize(
    ("written", "system", "value"),
    [
        ("tel:+1(555)555-2003", "phone", "+1(555)555-2003"),
        ("mailto://a.b@c.org", "email", "a.b@c.org"),
        ("13800000000", "phone", "13800000000"),
        ("https://portal.example.org/x", "url", "https://portal.example.org/x"),
        ("fax:1234567", "fax", "1234567"),
    ],
)
def test_a_contact_point_is_told_by_its_scheme(written, system, value):
    assert telecom(element(f'<telecom value="{written}"/>')) == {"system": system, "value": value}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("<text>a &lt; b</text>", "a &lt; b"),
        ('<text><paragraph ID="p1">x</paragraph></text>', '<div id="p1">x</div>'),
        ("<text><list><caption>c</caption><item>i</item></list></text>", "<ul><li><b>c</b></li><li>i</li></ul>"),
        ('<text><list listType="ordered"><item>i</item></list></text>', "<ol><li>i</li></ol>"),
        (
            "<text><table><caption>c</caption><tr><td>1</td></tr></table></text>",
            "<table><caption>c</caption><tr><td>1</td></tr></table>",
        ),
        ('<text><content styleCode="Bold" onclick="x()">y</content></text>', "<span>y</span>"),
        ('<text><linkHtml href="javascript:x()">y</linkHtml></text>', "<a>y</a>"),
        ("<text><renderMultiMedia/>y<br/></text>", "y<br/>"),
        (
            "<text><table><tr><tr><td>1</td></tr></tr></table></text>",
            "<table><tr><td><div><div>1</div></div></td></tr></table>",
        ),
    ],
)
def test_narrative_becomes_the_xhtml_that_fhir_allows(written, wanted):
    assert xhtml(element(written)) == f'<div xmlns="http://www.w3.org/1999/xhtml">{wanted}</div>'


def test_a_narrative_without_words_is_none():
    assert xhtml(element("<text><table><tr><td> </td></tr></table></text>")) == ""


@pytest.mark.parametrize(
    ("low", "width", "unit", "end"),
    [
        ("201003292240+0000", "15", "min", "2010-03-29T22:55:00+00:00"),
        ("20100329", "2", "wk", "2010-04-12"),
        ("20100329", "15", "min", None),
        ("2010", "2", "d", None),
        ("20100329", "nan", "d", None),
        ("20100329", "1e300", "d", None),
        ("20100329", "3", "m", None),
    ],
)
def test_a_start_and_a_length_make_a_period_where_both_are_precise_enough(low, width, unit, end):
    text = f'<effectiveTime><low value="{low}"/><width value="{width}" unit="{unit}"/></effectiveTime>'
    assert period(etree.fromstring(text), Clock()).get("end") == end
