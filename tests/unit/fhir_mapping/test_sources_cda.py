"""CDA documents as rows: what paths read, what a record is, and what is no document."""

from __future__ import annotations

import io

import pytest
from source_files import cda_source

from contracts.errors import SpecError
from fhir_mapping.sources.cda_path import parse_rows, parse_value
from fhir_mapping.sources.reader import inspect, read_records
from fhir_mapping.sources.record import RawRecord, Refusal

LAB = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <id root="1.2.3" extension="D1"/><effectiveTime value="20240301080500+0800"/>
 <recordTarget><patientRole><id root="a" extension="P1"/><id root="b" extension="X9"/>
  <patient><administrativeGenderCode code="2"/><sdtc:raceCode code="HA"/></patient></patientRole></recordTarget>
 <component><section><code code="11348-0"/>
  <entry><observation><code code="Z"/></observation></entry></section></component>
 <component><section><code code="30954-2"/><title>实验室 检查</title>
  <entry><organizer><component><observation>
   <code code="DE04.30.019.00" displayName="血糖"/><value xsi:type="PQ" value="5.60" unit="mmol/L"/>
   <entryRelationship><observation><code code="DE04.50.134.00"/><value>血清
      标本</value></observation></entryRelationship>
   <entryRelationship><observation><code code="DE04.30.016.00"/><value>H</value></observation></entryRelationship>
  </observation></component>
  <component><observation><code code="K"/><value xsi:type="ST">阴性</value></observation></component>
  </organizer></entry>
 </section></component>
</ClinicalDocument>"""
ROWS = "section[30954-2,57698-3]/entry/organizer/component/observation"


def _read(data: str | bytes, rows: str | None = ROWS, **paths: str) -> list[RawRecord]:
    return list(read_records(cda_source(rows, **paths), data.encode() if isinstance(data, str) else data))


def _column(path: str, rows: str | None = ROWS, data: str = LAB) -> list[str | None]:
    return [record.values["c"] for record in _read(data, rows, c=path)]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("code/@code", ["DE04.30.019.00", "K"]),
        ("value/@value", ["5.60", None]),
        ("value/@xsi:type", ["PQ", "ST"]),
        ("value", [None, "阴性"]),
        ("entryRelationship/observation[DE04.50.134.00]/value", ["血清 标本", None]),
        ("entryRelationship/observation[DE99,DE04.30.016.00]/value", ["H", None]),
        ("entryRelationship[2]/observation/code/@code", ["DE04.30.016.00", None]),
        ("*/observation/code/@code", ["DE04.50.134.00", None]),
        (".//value", ["血清 标本", "阴性"]),
        ("^section/title", ["实验室 检查", "实验室 检查"]),
        ("../../component/observation/code/@displayName", ["血糖", "血糖"]),
        ("/id/@extension", ["D1", "D1"]),
        ("/ClinicalDocument/recordTarget/patientRole/id[@root=b]/@extension", ["X9", "X9"]),
        ("//patient/sdtc:raceCode/@code", ["HA", "HA"]),
        ("/recordTarget//administrativeGenderCode/@code", ["2", "2"]),
        ("value/@value | value", ["5.60", "阴性"]),
        ("value/@unit | '1'", ["mmol/L", "1"]),
        ("time(effectiveTime/@value | /effectiveTime/@value)", ["2024-03-01T08:05:00+08:00"] * 2),
        ("first_in_document", ["true", "false"]),
        ("row_no", ["1", "2"]),
        ("../+component/observation/code/@code", ["K", None]),
        ("../-component/observation/code/@code", [None, "DE04.30.019.00"]),
        ("../-*/observation/code/@code", [None, "DE04.30.019.00"]),
        ("nothing/@here", [None, None]),
        ("system('2.16.840.1.113883.6.1')", ["http://loinc.org"] * 2),
        ("system('2.16.156.10011.2.3.3.11')", ["urn:oid:2.16.156.10011.2.3.3.11"] * 2),
    ],
)
def test_a_path_reads_the_first_value_it_leads_to(path: str, values: list[str | None]) -> None:
    assert _column(path) == values


def test_names_match_where_the_document_declares_no_namespace() -> None:
    bare = LAB.replace(' xmlns="urn:hl7-org:v3"', "")
    assert _column("code/@code", data=bare) == ["DE04.30.019.00", "K"]
    assert _column("/recordTarget/patientRole/id/@extension", data=bare) == ["P1", "P1"]


def test_rows_of_several_paths_come_in_the_order_of_the_document() -> None:
    assert _column("code/@code", "observation[K] | section[11348-0]//observation") == ["Z", "K"]
    assert _column("code/@code", "observation[K] | observation[K]") == ["K"]


def test_a_document_without_such_an_element_or_rows_gives_one_row() -> None:
    assert _column("/id/@extension", "section[99999-9]") == ["D1"]
    assert _column("code/@code", "section[99999-9]") == [None]
    assert _column("id/@extension", None) == ["D1"]


def test_the_first_row_keeps_the_whole_document() -> None:
    raws = [record.raw for record in _read(LAB, c="code/@code")]
    assert raws == [LAB, ""]


@pytest.mark.parametrize("codec", ["gb18030", "utf-16", "utf-8-sig"])
def test_encodings_are_those_of_xml(codec: str) -> None:
    data = LAB.replace("UTF-8", {"gb18030": "GBK", "utf-16": "UTF-16"}.get(codec, "UTF-8")).encode(codec)
    found = _read(data, c="code/@displayName")
    assert [record.values["c"] for record in found] == ["血糖", None]
    assert found[0].raw.encode("utf-16-le" if codec == "utf-16" else codec.removesuffix("-sig")) == data


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("<ClinicalDocument><id></ClinicalDocument>", "bad_xml"),
        ("no xml", "not_a_clinical_document"),
        ("<html/>", "not_a_clinical_document"),
        ('<Bundle xmlns="http://hl7.org/fhir"><id value="1"/></Bundle>', "not_a_clinical_document"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ClinicalDocument>&b;</ClinicalDocument>', "unsafe_xml"),
    ],
)
def test_what_cannot_be_read_safely_is_one_record_with_an_error(data: str, error: str) -> None:
    found = _read(data, c="/id/@extension")
    assert [(record.error, record.raw, record.values["c"]) for record in found] == [(error, data, None)]


def test_an_empty_file_is_refused() -> None:
    found = inspect(cda_source(None, c="id"), io.BytesIO(b"\n"))
    assert isinstance(found, Refusal)


@pytest.mark.parametrize("path", ["id[", "a b", "@x y", "id/@no:such", "no:name", "count(id)", "id['x']", "^", "a//^b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|name"):
        parse_value(path)
    with pytest.raises(SpecError, match="column 'c'"):
        _read(LAB, c=path)


def test_rows_are_elements() -> None:
    with pytest.raises(ValueError, match="rows are elements"):
        parse_rows("section/code/@code")
