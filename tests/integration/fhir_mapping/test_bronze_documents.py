"""Many CDA documents of a day, written by worker processes: the rows and the manifest that few documents get."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from source_files import cda_source

from contracts.region import Site
from contracts.zone import SiteZone
from fhir_mapping import bronze_documents
from fhir_mapping.bronze import IngestReport, ingest_day, table
from fhir_mapping.lifecycle.erased import Erasure, record_erasures
from fhir_mapping.manifest import FileEntry, read_manifest
from lake.reader import read_arrow

DAY = "2026-11-20"
REPORT = cda_source("section//observation", number="/id/@extension", item="value", no="row_no").model_copy(
    update={"files": ("*.xml",)}
)
SITE = Site(name="north", title="North", folder=Path(), sources=(REPORT,))
TWO = (
    '<?xml version="1.0" encoding="{0}"?><ClinicalDocument><id extension="D{1}"/><section><title>检验</title>'
    "<observation><value>血糖</value></observation><observation><value>肌酐</value></observation></section>"
    "</ClinicalDocument>"
)
LEFT = TWO.format("UTF-8", "left").encode()
FILES = {
    **{f"good{number:03d}.xml": TWO.format("UTF-8", number).encode() for number in range(40)},
    "again.xml": TWO.format("UTF-8", 7).encode(),
    "blank.xml": b" \r\n",
    "cut.xml": TWO.format("UTF-8", 8).encode()[:-30],
    "empty.xml": b"",
    "entity.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "gb.xml": TWO.format("GB18030", 9).encode("gb18030"),
    "left.xml": LEFT,
    "letter.doc": b"a letter",
    "noise.xml": b"\xff\xff",
    "utf16.xml": TWO.format("UTF-16", 10).encode("utf-16"),
    "ward/none.xml": b"<ClinicalDocument/>",
}

Ingested = tuple[IngestReport, pa.Table, list[FileEntry]]


def _delivered(folder: Path) -> SiteZone:
    zone = SiteZone(folder, "north")
    for name, data in FILES.items():
        path = zone.landing / DAY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return zone


def _ingest(zone: SiteZone) -> Ingested:
    report = ingest_day(zone, SITE, DAY)
    rows = read_arrow(table(zone, REPORT).path).sort_by([("_file_name", "ascending"), ("_record_no", "ascending")])
    return report, rows.combine_chunks(), read_manifest(zone)


@pytest.fixture
def by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few documents are many, and every worker gets some."""
    monkeypatch.setattr(bronze_documents, "MANY_BYTES", 1)
    monkeypatch.setattr(bronze_documents, "_LEAST", 600)


def _erase(zone: SiteZone) -> None:
    """As if of four records of ``left.xml``, and of all of ``empty.xml``, two were of somebody who was erased."""
    for name, numbers in {"left.xml": (0, 2), "empty.xml": (0, 1)}.items():
        digest = hashlib.sha256(FILES[name]).hexdigest()
        erasure = Erasure(DAY, name, REPORT.name, f"id of {name}", "0" * 64, 999, digest, numbers)
        record_erasures(zone, [erasure])


@pytest.mark.parametrize("is_erased", [False, True])
def test_many_documents_become_what_few_become(tmp_path: Path, request: pytest.FixtureRequest, is_erased: bool) -> None:
    few, many = _delivered(tmp_path / "few"), _delivered(tmp_path / "many")
    for zone in (few, many) if is_erased else ():
        _erase(zone)
    report, rows, entries = _ingest(few)
    request.getfixturevalue("by_workers")
    again = _ingest(many)
    assert again == (report, rows, entries)
    assert (report.files, report.refused, report.duplicates, report.bad_records) == (51, 2 + (not is_erased), 1, 3)
    assert report.records == 2 * 44 + 4 + 4 * is_erased
    assert len(list(table(many, REPORT).path.glob("*/*.parquet"))) > len(list(table(few, REPORT).path.glob("*/*")))
    numbers = [row["_record_no"] for row in rows.to_pylist() if row["_file_name"] == "left.xml"]
    assert numbers == ([1, 3] if is_erased else [0, 1])


def test_what_an_erasure_left_is_read_by_the_source_that_claims_the_file_now(tmp_path: Path, by_workers: None) -> None:
    zone = _delivered(tmp_path)
    digest = hashlib.sha256(LEFT).hexdigest()
    record_erasures(zone, [Erasure(DAY, "left.xml", "former", "id of left.xml", "0" * 64, 999, digest, (0, 2))])
    _, rows, entries = _ingest(zone)
    left = [row["_record_no"] for row in rows.to_pylist() if row["_file_name"] == "left.xml"]
    (entry,) = (entry for entry in entries if entry.file_name == "left.xml")
    assert (left, entry.source, entry.records) == ([1, 3], REPORT.name, 4)


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(os.pathsep)
from test_bronze_documents import SITE, DAY, SiteZone, bronze_documents, ingest_day
in_threads = bronze_documents.in_threads
def die_at_first(function, pieces):
    for _ in in_threads(function, pieces):
        os.kill(os.getpid(), signal.SIGKILL)
bronze_documents.MANY_BYTES, bronze_documents._LEAST, bronze_documents.in_threads = 1, 1, die_at_first
if __name__ == "__main__":
    ingest_day(SiteZone(Path(sys.argv[2]), "north"), SITE, DAY)
"""


def test_a_run_killed_while_workers_write_is_made_good_by_the_next(tmp_path: Path, by_workers: None) -> None:
    zone = _delivered(tmp_path / "killed")
    script = tmp_path / "killed.py"
    script.write_text(_KILLED, encoding="utf-8")
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, [here, here.parents[1] / "support", here.parents[2]]))
    # The pipe closes when the last worker has ended too.
    killed = subprocess.run([sys.executable, str(script), path, str(zone.root)], stdout=subprocess.PIPE, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert list(table(zone, REPORT).path.glob("*/staged-*/*.parquet")), "it died while files were written"
    assert read_manifest(zone) == []
    assert _ingest(zone) == _ingest(_delivered(tmp_path / "undisturbed"))
