"""An erasure does not end while landing holds files of which nobody can say whether they tell of the person."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from small_site import ENCOUNTER, PATIENT, csv_of, deliver, new_zone, write_region

from contracts.errors import PrivacyError
from contracts.region import load_region
from contracts.zone import SiteZone
from fhir_mapping.lifecycle import marker
from fhir_mapping.lifecycle.unread import unread_files
from pipelines import zone_work
from pipelines.erasure import erase
from pipelines.settings import Settings

DAY = "2026-03-02"
VISITS = [{"visit_no": f"V{number}", "patient_no": f"P{number:03}", "name": "Wang"} for number in range(3)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    region = write_region(tmp_path / "region", {"encounter": ENCOUNTER, "patient": PATIENT})
    return Settings(region=region.folder, work=tmp_path / "work")


@pytest.fixture
def zone(settings: Settings) -> SiteZone:
    zone = new_zone(settings.area.site("north").root)
    deliver(zone, DAY, "visit.csv", csv_of(VISITS))
    return zone


@pytest.fixture
def engine(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of all tests: a process has one engine."""
    monkeypatch.setattr(zone_work, "engine", lambda _: nullcontext(spark))


def test_an_erasure_names_files_that_no_source_reads_and_waits_for_somebody_to_look(
    engine: None, settings: Settings, zone: SiteZone
) -> None:
    deliver(zone, DAY, "letter.txt", "Dear Wang, thank you for coming")
    deliver(zone, DAY, "picture.bin", b"\0 P001 \0")
    (zone.landing / "notes.txt").write_text("Wang called", encoding="utf-8")
    (zone.landing / DAY / ".visit.csv.part").write_text("half", encoding="utf-8")
    with pytest.raises(PrivacyError, match="no source reads 3 files in landing") as caught:
        erase(settings, "north", ["P001"])
    for name in (f"landing/{DAY}/letter.txt", "landing/notes.txt", f"landing/{DAY}/.visit.csv.part"):
        assert name in str(caught.value)
    assert "picture.bin" not in str(caught.value) and (zone.landing / DAY / "picture.bin").read_bytes() == b""
    assert b"P001" not in (zone.landing / DAY / "visit.csv").read_bytes()
    assert marker.unfinished(zone) is not None
    with pytest.raises(PrivacyError, match="--unread-checked"):
        erase(settings, "north", [])
    (zone.landing / "notes.txt").unlink()
    erase(settings, "north", [], are_unread_checked=True)
    assert marker.unfinished(zone) is None
    last = json.loads((zone.governance / "audit.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert (last["event"], last["facts"]["unread"]) == ("erased", 2)


def test_where_sources_read_every_file_an_erasure_ends_by_itself(
    engine: None, settings: Settings, zone: SiteZone
) -> None:
    assert erase(settings, "north", ["P001"]).records == 1
    assert marker.unfinished(zone) is None


def test_a_refused_file_and_a_dead_link_are_read_by_no_source(settings: Settings, zone: SiteZone) -> None:
    deliver(zone, DAY, "visit_2.csv", b"\xff\xfe\x00\xd8 no text")
    (zone.landing / DAY / "gone").symlink_to("nowhere")
    found = unread_files(zone, load_region(settings.region).site("north"))
    assert [path.name for path in found] == ["gone", "visit_2.csv"]


def test_what_is_behind_a_link_or_cannot_be_looked_into_is_not_vouched_for(
    settings: Settings, zone: SiteZone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = load_region(settings.region).site("north")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "wang.txt").write_text("Dear Wang", encoding="utf-8")
    (zone.landing / DAY / "letters").symlink_to(tmp_path / "letters")
    assert [path.name for path in unread_files(zone, site)] == ["letters"]
    closed = zone.landing / "closed"
    closed.mkdir()
    scan = os.scandir

    def refuse(path: os.PathLike[str]) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(PrivacyError, match="cannot be looked into"):
        unread_files(zone, site)
