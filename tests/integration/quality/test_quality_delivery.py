"""The connection report: what arrived, what did not, and what looks wrong, in figures that name nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from signed_roster import sign_roster
from small_site import ENCOUNTER, PATIENT, VITALS, csv_of, deliver, new_zone, run, write_region

from contracts.errors import UsageError
from contracts.operations import OWN_SYSTEMS, Coverage, Gap, Suspicion, SuspicionCode
from contracts.region import Region, load_region
from contracts.zone import SiteZone, WorkArea
from fhir_mapping.bronze import ingest_day
from fhir_mapping.spec.model import load_emits
from fhir_mapping.spec.varying import varying_columns
from pipelines.bulletins import write_signed
from pipelines.connection import collect, make_report, report_lines
from quality.delivery import deliveries, gaps, held
from quality.suspicion import suspicions

SPECS = {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS}
MONDAY = "2026-03-02"


def visits(count: int, start: int = 0, **same: str) -> str:
    return csv_of(
        [
            {
                **{"visit_no": f"V{number}", "patient_no": f"P{number}", "visit_type": "门诊", "dept": "内科"},
                **{"visit_time": "2026-03-01 08:00", "updated_at": "2026-03-01 09:00", "temp": f"36.{number % 9}"},
                **{"sex": "女" if number % 2 else "男", "birthday": f"19{number % 80 + 10}-01-01", **same},
            }
            for number in range(start, start + count)
        ]
    )


@pytest.fixture
def region(tmp_path: Path) -> Region:
    region = write_region(tmp_path / "region", SPECS)
    text = 'name = "north"\ntitle = "North"\n[schedule]\nhis__visit = "weekdays"\n'
    (tmp_path / "region" / "sites" / "north" / "site.toml").write_text(text, encoding="utf-8")
    return load_region(region.folder)


def test_a_site_tells_its_deliveries_in_coarse_figures(spark, region: Region, tmp_path: Path) -> None:
    zone = new_zone(tmp_path / "work" / "sites" / "north")
    deliver(zone, MONDAY, "visit_1.csv", visits(57) + visits(5, 100, dept="木工科").partition("\n")[2])
    deliver(zone, MONDAY, "letter.pdf", b"%PDF")
    deliver(
        zone, "2026-03-03", "visit_1.csv", visits(60, 200, birthday="1990-01-01", sex="女", visit_time="2026-04-01")
    )
    run(spark, zone, region)
    unclaimed, first, second = deliveries(zone)
    assert (unclaimed.source, unclaimed.refused_files, unclaimed.records) == (None, 1, 0)
    assert (first.records, first.mapped, first.quarantined, first.quarantined_percent) == (60, 60, "under_ten", None)
    assert (second.records, second.mapped_percent) == (60, 100)
    assert {(one.source, one.rule): one.records for one in held(zone)} == {
        ("his__visit", "unmapped_code:department"): "under_ten",
        (None, "no_source"): "under_ten",
    }
    area = WorkArea(tmp_path / "work")
    sign_roster(area, region)
    heard = collect(region, area, [])
    messages = heard.messages
    codes = {one.element: (one.system, one.percent, one.is_shared) for one in messages if isinstance(one, Coverage)}
    assert codes["Observation.code"] == ("http://loinc.org", 100, True)
    assert codes["Encounter.serviceType"] == (OWN_SYSTEMS, 100, False)
    found = {one.code for one in messages if isinstance(one, Suspicion)}
    assert found == {
        *(SuspicionCode.EQUAL_BIRTH_DATES, SuspicionCode.ONE_SEX, SuspicionCode.FUTURE_DATES),
        SuspicionCode.CONSTANT_COLUMN,
    }
    shown = "\n".join(report_lines(region, heard))
    assert "all patients are of one sex" in shown and "fewer than ten" in shown
    write_signed(tmp_path / "north.json", heard.bulletins)
    assert make_report(region.folder, area.root, [], None, [tmp_path / "north.json"])[1].messages == messages
    assert not any(f"V{number}" in (tmp_path / "north.json").read_text(encoding="utf-8") for number in range(57))


@pytest.fixture
def zone(region: Region, tmp_path: Path) -> SiteZone:
    """Deliveries on four days of a week and the Monday after it, not mapped: nothing but landing and bronze."""
    zone = new_zone(tmp_path / "zone")
    for number, count in enumerate((40, 50, 60)):
        deliver(zone, f"2026-03-0{number + 2}", "visit.csv", visits(count, 100 * number))
    deliver(zone, "2026-03-06", "visit.csv", visits(10, 900, temp="36.5"))
    deliver(zone, "2026-03-06", "visit_renamed.csv", visits(40))
    deliver(zone, "2026-03-09", "visit.csv", visits(45, 1000, temp="36.5"))
    for path in zone.landing.iterdir():
        ingest_day(zone, region.site("north"), path.name)
    return zone


def test_a_renamed_file_a_constant_column_and_an_odd_volume_are_told(zone: SiteZone, region: Region) -> None:
    emits = load_emits(region.folder, region.site("north").folder, {"his__visit"})
    found = suspicions(zone, region.site("north"), varying_columns(emits))
    assert [(one.day, one.code, one.column, one.percent) for one in found] == [
        ("2026-03-06", SuspicionCode.SAME_FILE_AGAIN, None, None),
        ("2026-03-06", SuspicionCode.VOLUME_LOW, None, 20),
        ("2026-03-09", SuspicionCode.CONSTANT_COLUMN, "temp", None),
    ]


def test_days_that_the_schedule_promises_and_that_did_not_come_are_told(zone: SiteZone, region: Region) -> None:
    assert gaps(zone, region.site("north"), "2026-03-10") == [
        Gap(site="north", source="his__visit", schedule="weekdays", days=("2026-03-05", "2026-03-10"))
    ]


def test_a_report_needs_tables_or_messages(region: Region, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--work"):
        make_report(region.folder, None, [], None, [])
    with pytest.raises(UsageError, match="delivered anything"):
        make_report(region.folder, tmp_path, [], None, [])
