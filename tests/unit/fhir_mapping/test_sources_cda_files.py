"""CDA files read in groups: the rows that each file has when it is read alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from source_files import cda_source

from fhir_mapping.sources import cda_files
from fhir_mapping.sources.cda_files import read_documents
from fhir_mapping.sources.reader import read_records

SOURCE = cda_source("section//observation", number="/id/@extension", item="value", of="^section/title", no="row_no")
TWO = (
    '<?xml version="1.0" encoding="{0}"?><ClinicalDocument><id extension="D1"/><section><title>检验</title>'
    "<observation><value>血糖</value></observation><observation><value>肌酐</value></observation></section>"
    "</ClinicalDocument>"
)
FILES = [
    TWO.format("UTF-8").encode(),
    b"no document",
    TWO.format("GB18030").encode("gb18030"),
    b"<ClinicalDocument><id extension='D2'/></ClinicalDocument>",
    b"<a>",
    b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    TWO.format("UTF-16").encode("utf-16"),
    b"\xff\xff",
]


@pytest.mark.parametrize("group_bytes", [1, 400, 1 << 20])
def test_files_read_together_hold_what_each_holds_alone(
    group_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cda_files, "_BLOCK_BYTES", group_bytes)
    paths = []
    for number, data in enumerate(FILES * 2):
        paths.append(tmp_path / f"{number:02d}.xml")
        paths[-1].write_bytes(data)
    alone = [[(r.raw, r.error, r.values) for r in read_records(SOURCE, data)] for data in FILES * 2]
    together: list[tuple[str, str | None, dict[str, str | None]]] = []
    counts: list[int] = []
    for block, of_files in read_documents(SOURCE, paths):
        together += [(record.raw, record.error, record.values) for record in block.records(0)]
        counts += of_files
    assert together == [record for records in alone for record in records]
    assert counts == [len(records) for records in alone]
    assert [records[0][1] for records in alone[:8]] == [
        *(None, "not_a_clinical_document", None, None, "bad_xml", "unsafe_xml", None, "bad_encoding")
    ]
