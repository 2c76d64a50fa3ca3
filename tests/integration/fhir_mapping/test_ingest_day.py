"""A day's deliveries in bronze and the manifest: refusals, duplicates, reruns, a run that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from source_files import csv_source, ndjson_source

from contracts.errors import SchemaDriftError, UsageError
from contracts.region import Column, Site, Source
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day, landing_days, table
from fhir_mapping.manifest import FileEntry, read_manifest
from lake.reader import read_arrow

DAY, NEXT = "2026-11-20", "2026-11-21"
VISIT = csv_source("visit_no", "complaint", encoding="gb18030")
LAB = ndjson_source({"entity": "lab", "files": ("lab*.ndjson",)}, id="id", value="value")
SITE = Site(name="north", title="North", folder=Path(), sources=(VISIT, LAB))
GOOD = "visit_no,complaint\nV1,咳嗽\nV2,发热\n".encode("gb18030")


@pytest.fixture
def zone(tmp_path: Path) -> SiteZone:
    return SiteZone(tmp_path, "north")


def _deliver(zone: SiteZone, day: str, **files: bytes) -> None:
    (zone.landing / day).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (zone.landing / day / name.replace("__", ".")).write_bytes(data)


def _bronze(zone: SiteZone) -> list[dict]:
    rows = read_arrow(table(zone, VISIT).path).to_pylist()
    return sorted(rows, key=lambda row: (row["_delivery_date"], row["_file_name"], row["_record_no"]))


def _entry(zone: SiteZone, name: str, day: str = DAY) -> FileEntry:
    (entry,) = [e for e in read_manifest(zone) if (e.delivery_date, e.file_name) == (day, name)]
    return entry


def test_each_record_is_a_row_with_its_text_and_values(zone: SiteZone) -> None:
    _deliver(zone, DAY, visit1__csv=GOOD + b"V3,\xff\n" + b'V4,"x\n', lab1__ndjson=b'{"id": "l1", "value": 5.60}\n')
    report = ingest_day(zone, SITE, DAY)
    assert (report.files, report.accepted, report.records, report.bad_records) == (2, 2, 5, 2)
    assert [(r["_record_no"], r["_raw"], r["_error"], r["visit_no"], r["complaint"]) for r in _bronze(zone)] == [
        (0, "V1,咳嗽", None, "V1", "咳嗽"),
        (1, "V2,发热", None, "V2", "发热"),
        (2, r"V3,\xff", "bad_encoding", None, None),
        (3, 'V4,"x', "unclosed_quote", None, None),
    ]
    assert read_arrow(table(zone, LAB).path).to_pylist()[0]["value"] == "5.60"
    entry = _entry(zone, "visit1.csv")
    assert (entry.records, entry.lines, entry.header_lines, entry.blank_lines, entry.line_end) == (4, 5, 1, 0, "LF")
    assert {row["_file_id"] for row in _bronze(zone)} == {entry.file_id}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("visit2.csv", b"", "empty_file"),
        ("visit2.csv", b"visit_no,note\nV1,x\n", "missing_column:complaint"),
        ("visit2.csv", GOOD.decode("gb18030").encode("utf-32"), "unknown_encoding"),
        ("other.csv", GOOD, "no_source"),
        ("visit2.csv.gz", b"\x1f\x8b", "compressed_file"),
    ],
)
def test_a_refused_file_is_in_the_manifest_and_stops_no_other(
    zone: SiteZone, name: str, data: bytes, reason: str
) -> None:
    _deliver(zone, DAY, visit1__csv=GOOD, visit3__csv=GOOD.replace(b"V1", b"V9"), **{name.replace(".", "__"): data})
    report = ingest_day(zone, SITE, DAY)
    assert (report.accepted, report.refused, report.records) == (2, 1, 4)
    entry = _entry(zone, name)
    assert (entry.status, entry.reason, entry.records, entry.bytes) == ("refused", reason, 0, len(data))
    _deliver(zone, NEXT, visit2__csv=GOOD.replace(b"V1", b"V7"))
    assert ingest_day(zone, SITE, NEXT).accepted == 1


def test_the_detected_encoding_is_in_the_manifest(zone: SiteZone) -> None:
    utf8 = ("\ufeffvisit_no,complaint\n" + "V1,咳嗽发热三天\n" * 9).encode()
    _deliver(zone, DAY, visit1__csv=utf8, visit2__csv=GOOD)
    ingest_day(zone, SITE, DAY)
    found = [(e.declared_encoding, e.detected_encoding) for e in read_manifest(zone)]
    assert found == [("gb18030", "utf-8-sig"), ("gb18030", "gb18030")]
    assert _bronze(zone)[0]["complaint"] == "咳嗽发热三天"


@pytest.mark.parametrize("order", [(DAY, NEXT), (NEXT, DAY)])
def test_the_later_of_two_equal_files_is_the_duplicate_in_whatever_order_days_are_ingested(
    zone: SiteZone, order: tuple[str, str]
) -> None:
    _deliver(zone, DAY, visit1__csv=GOOD)
    _deliver(zone, NEXT, visit1__csv=GOOD, visit2__csv=GOOD.replace(b"V1", b"V5"))
    reports = [ingest_day(zone, SITE, day) for day in order]
    assert [e.is_duplicate for e in read_manifest(zone)] == [False, True, False]
    assert len({e.file_id for e in read_manifest(zone)}) == 2
    assert sum(report.records for report in reports) == len(_bronze(zone)) == 6


def test_a_file_that_was_refused_before_is_no_duplicate_when_it_can_be_read(zone: SiteZone) -> None:
    """Were it one, its records would count as superseded by records that never were."""
    other = (Column(name="visit_no"), Column(name="complaint", header="主诉"))
    wrong = SITE.model_copy(update={"sources": (VISIT.model_copy(update={"column": other}), LAB)})
    _deliver(zone, DAY, visit1__csv=GOOD)
    _deliver(zone, NEXT, visit1__csv=GOOD)
    assert ingest_day(zone, wrong, DAY).refused == 1
    assert ingest_day(zone, SITE, NEXT).duplicates == 0
    assert (ingest_day(zone, SITE, DAY).duplicates, _entry(zone, "visit1.csv", NEXT).is_duplicate) == (0, True)


def test_ingesting_a_day_again_changes_nothing(zone: SiteZone) -> None:
    _deliver(zone, DAY, visit1__csv=GOOD)
    _deliver(zone, NEXT, visit2__csv=GOOD)
    first = [ingest_day(zone, SITE, day) for day in (DAY, NEXT)]
    before = (_bronze(zone), read_manifest(zone))
    assert [ingest_day(zone, SITE, day) for day in (NEXT, DAY)] == first[::-1]
    assert (_bronze(zone), read_manifest(zone)) == before


def test_a_file_that_was_taken_back_leaves_with_its_rows(zone: SiteZone) -> None:
    _deliver(zone, DAY, visit1__csv=GOOD, visit2__csv=GOOD.replace(b"V1", b"V5"))
    ingest_day(zone, SITE, DAY)
    (zone.landing / DAY / "visit1.csv").unlink()
    ingest_day(zone, SITE, DAY)
    assert {row["_file_name"] for row in _bronze(zone)} == {"visit2.csv"}
    assert len(read_manifest(zone)) == 1


def test_days_are_folders_named_by_a_date(zone: SiteZone) -> None:
    assert landing_days(zone) == []
    for name in (NEXT, DAY, "20261120", "2026-13-01", "notes"):
        (zone.landing / name).mkdir(parents=True)
    assert landing_days(zone) == [DAY, NEXT]
    with pytest.raises(UsageError, match="no day of delivery '2026-01-01'"):
        ingest_day(zone, SITE, "2026-01-01")


def test_files_in_sub_folders_are_delivered_and_those_with_a_dot_not_yet(zone: SiteZone) -> None:
    _deliver(zone, DAY, **{"__visit3__csv": GOOD})
    (zone.landing / DAY / "a").mkdir()
    (zone.landing / DAY / "a" / "b.csv").write_bytes(GOOD)
    ingest_day(zone, SITE, DAY)
    assert [(e.file_name, e.reason) for e in read_manifest(zone)] == [("a/b.csv", "no_source")]


def test_changed_columns_of_a_source_are_refused_as_drift(zone: SiteZone) -> None:
    _deliver(zone, DAY, visit1__csv=GOOD)
    ingest_day(zone, SITE, DAY)
    wider = VISIT.model_copy(update={"column": (*VISIT.column, Column(name="extra", required=False))})
    with pytest.raises(SchemaDriftError, match="extra"):
        ingest_day(zone, SITE.model_copy(update={"sources": (wider, LAB)}), DAY)


_CRASH = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(os.pathsep)
import fhir_mapping.bronze as bronze
from test_ingest_day import SITE, DAY, SiteZone
where = sys.argv[3]
real, calls = bronze.write_arrow, []
def die_after(*args, **kwargs):
    real(*args, **kwargs)
    calls.append(1)
    if len(calls) == int(where):
        os._exit(9)
bronze.write_arrow = die_after
print("ready", flush=True)
bronze.ingest_day(SiteZone(Path(sys.argv[2]), "north"), SITE, DAY)
"""


def _start(zone: SiteZone, commits: int) -> subprocess.Popen:
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1] / "support")])
    command = [sys.executable, "-c", _CRASH, path, str(zone.root), str(commits)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _undisturbed(tmp_path: Path, files: dict[str, bytes]) -> tuple[list[dict], list[FileEntry]]:
    zone = SiteZone(tmp_path / "undisturbed", "north")
    _deliver(zone, DAY, **files)
    ingest_day(zone, SITE, DAY)
    return _bronze(zone), read_manifest(zone)


@pytest.mark.parametrize("commits", [1, 2])
def test_a_run_that_dies_between_commits_is_made_good_by_the_next(zone: SiteZone, tmp_path: Path, commits: int) -> None:
    files = {"visit1__csv": GOOD, "lab1__ndjson": b'{"id": "l1"}\n'}
    _deliver(zone, DAY, **files)
    process = _start(zone, commits)
    assert process.communicate(timeout=120)[0] == "ready\n"
    assert process.returncode == 9
    assert len(_bronze(zone)) in ((2,) if commits == 2 else (0, 2)), "sources are read together, in no order"
    assert read_manifest(zone) == [], "the manifest never vouches for what is not there"
    ingest_day(zone, SITE, DAY)
    assert (_bronze(zone), read_manifest(zone)) == _undisturbed(tmp_path, files)


def test_a_run_killed_in_the_middle_is_made_good_by_the_next(zone: SiteZone, tmp_path: Path) -> None:
    body = b"".join(b"V%d,x\n" % number for number in range(100_000))
    files = {"visit1__csv": b"visit_no,complaint\n" + body, "lab1__ndjson": b'{"id": "l1"}\n' * 20_000}
    undisturbed = SiteZone(tmp_path / "undisturbed", "north")
    for area in (zone, undisturbed):
        _deliver(area, DAY, **files)
    process = _start(zone, commits=99)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.15)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert ingest_day(zone, SITE, DAY) == ingest_day(undisturbed, SITE, DAY)
    assert read_manifest(zone) == read_manifest(undisturbed)
    for source in SITE.sources:
        assert _sorted(zone, source).equals(_sorted(undisturbed, source))


def _sorted(zone: SiteZone, source: Source) -> pa.Table:
    return read_arrow(table(zone, source).path).sort_by("_record_no").combine_chunks()
