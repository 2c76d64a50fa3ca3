"""After something was mended, a replay lets through exactly what passes now; every way of reading gives one result."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_site import ENCOUNTER, PATIENT, VITALS, csv_of, deliver, new_zone, resources, run, snapshot, write_region

from contracts.errors import DataError
from contracts.region import load_region
from contracts.zone import SiteZone
from fhir_mapping.identity.key import KEY_FILE, load_key
from fhir_mapping.lifecycle import marker
from fhir_mapping.lifecycle.erase import remake
from fhir_mapping.lifecycle.replay import Replayed, list_quarantine, replay_quarantine, show_quarantine
from fhir_mapping.lifecycle.rotate import rotate_key

SPECS = {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS}
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04")
MENDED_MAP = "source,target_system,target_code,target_display,note\n内科,urn:dept,03,Internal medicine,\n"


def visit(number: int, **changes: Any) -> dict[str, Any]:
    return {
        **{"visit_no": f"V{number}", "patient_no": f"P{number % 4}", "visit_type": "门诊", "dept": "内科", "sex": "女"},
        **{"visit_time": "2026-03-01 08:00", "updated_at": "2026-03-01 09:00", "temp": "37.5", **changes},
    }


def without_history(zone: SiteZone) -> dict[str, list[str]]:
    """All tables but the list of mappings, which remembers those that are no more."""
    return {name: rows for name, rows in snapshot(zone).items() if name != "mapping__version"}


def random_changes(seed: int) -> list[dict[str, Any]]:
    """Visits and later corrections of them, some of which break a rule or cancel; each with its own time."""
    chance = random.Random(seed)
    broken = [{}, {}, {}, {"dept": "木工科"}, {"visit_time": "2026-02-30"}, {"cancelled": "1"}, {"temp": "warm"}]
    return [
        visit(chance.randint(1, 6), cancelled="0", complaint=f"c{number}", updated_at=f"2026-03-01 10:{number:02d}")
        | chance.choice(broken)
        for number in range(20)
    ]


def test_bulk_incremental_in_any_order_and_replay_give_the_same_tables(spark, tmp_path: Path) -> None:
    region = write_region(tmp_path / "region", SPECS)
    changes, chance = random_changes(7), random.Random(7)
    bulk, steps = new_zone(tmp_path / "bulk"), new_zone(tmp_path / "steps")
    for index, day in enumerate(DAYS):
        for zone in (bulk, steps):
            deliver(zone, day, f"visit_{index}.csv", csv_of(changes[index::3]))
    run(spark, bulk, region)
    for day in chance.sample(DAYS, 3):
        run(spark, steps, region, [day])
    assert snapshot(steps) == snapshot(bulk)
    replay_quarantine(spark, steps, region, region.site("north"))
    assert snapshot(steps) == snapshot(bulk)


def test_a_late_correction_wins_by_its_own_time_whichever_day_is_read_first(spark, tmp_path: Path) -> None:
    region, zone = write_region(tmp_path / "region", SPECS), new_zone(tmp_path / "zone")
    deliver(zone, DAYS[2], "visit.csv", csv_of([visit(1, complaint="oldest", updated_at="2026-03-01 09:00")]))
    deliver(zone, DAYS[0], "visit.csv", csv_of([visit(1, complaint="newest", updated_at="2026-03-01 11:00")]))
    deliver(zone, DAYS[1], "visit.csv", csv_of([visit(1, complaint="between", updated_at="2026-03-01 10:00")]))
    run(spark, zone, region, [DAYS[0], DAYS[2]])
    run(spark, zone, region, [DAYS[1]])
    assert [row["reasonCode"][0]["text"] for row in resources(zone, "Encounter")] == ["newest"]


def test_a_mended_map_drains_what_passes_and_nothing_else(spark, tmp_path: Path) -> None:
    region, zone = (
        write_region(tmp_path / "region", SPECS, maps={"department": MENDED_MAP}),
        new_zone(tmp_path / "zone"),
    )
    deliver(zone, DAYS[0], "visit.csv", csv_of([visit(1), visit(2, dept="外科"), visit(3, dept="木工科")]))
    deliver(zone, DAYS[1], "visit.csv", csv_of([visit(4, dept="外科", visit_time="soon")]) + '"V9\n')
    deliver(zone, DAYS[1], "letter.pdf", b"%PDF")
    run(spark, zone, region)
    held = {(one.rule, one.path): (one.records, one.first_day) for one in list_quarantine(zone)}
    assert held[("unmapped_code:department", "Encounter.serviceType")] == (3, DAYS[0])
    assert held[("unclosed_quote", "")] == (1, DAYS[1]) and held[("no_source", "")] == (1, DAYS[1])
    shown = list(show_quarantine(zone, "unmapped_code:department"))
    assert [(row["file"], row["record"], "raw" in row) for row in shown] == [
        *[("visit.csv", number, False) for number in (1, 2, 0)]
    ]
    assert all(len(row["spec_digest"]) == 64 for row in shown)
    write_region(tmp_path / "region", SPECS)
    found, report = replay_quarantine(spark, zone, load_region(tmp_path / "region"), region.site("north"))
    by_rule = {one.rule: one for one in found}
    assert by_rule["unmapped_code:department"] == Replayed("his__visit", "unmapped_code:department", 3, 1, 2, 0)
    assert (by_rule["unclosed_quote"].drained, report.quarantined) == (0, 3)
    fresh = new_zone(tmp_path / "fresh")
    shutil.copytree(zone.landing, fresh.landing)
    run(spark, fresh, load_region(tmp_path / "region"))
    assert without_history(zone) == without_history(fresh)


def test_a_mended_source_is_read_again_where_landing_still_has_its_files(spark, tmp_path: Path) -> None:
    columns = (
        "visit_no",
        "patient_no",
        "visit_type",
        "visit_time",
        "dept",
        "updated_at",
        "cancelled",
        "complaint",
        "sex",
    )
    specs = {"encounter": ENCOUNTER}
    region, zone = write_region(tmp_path / "region", specs, columns), new_zone(tmp_path / "zone")
    deliver(zone, DAYS[0], "visit.csv", csv_of([visit(1), visit(2, dept="木工科")]))
    deliver(zone, DAYS[1], "visit.csv", csv_of([visit(3)]))
    run(spark, zone, region)
    mended = write_region(tmp_path / "region", specs, (*columns, "temp"))
    replay_quarantine(spark, zone, mended, mended.site("north"))
    assert len(resources(zone, "Encounter")) == 2
    shutil.rmtree(zone.landing / DAYS[1])
    again = write_region(tmp_path / "region", specs, columns)
    with pytest.raises(DataError, match="landing lacks 1 of the days"):
        replay_quarantine(spark, zone, again, again.site("north"))


def test_another_key_changes_every_id_and_nothing_else(spark, tmp_path: Path) -> None:
    region, zone = write_region(tmp_path / "region", SPECS), new_zone(tmp_path / "zone")
    deliver(zone, DAYS[0], "visit.csv", csv_of([visit(n) for n in (1, 2)]))
    run(spark, zone, region)
    before, old = resources(zone, "Encounter"), load_key(zone)
    rotate_key(zone)
    assert marker.unfinished(zone) is not None and load_key(zone) != old
    remake(spark, zone, region, region.site("north"), DAYS[:1])
    after = resources(zone, "Encounter")
    assert not {row["id"] for row in before} & {row["id"] for row in after}
    assert {row["subject"]["reference"] for row in after} == {f"Patient/{r['id']}" for r in resources(zone, "Patient")}
    kept = [sorted(repr((row["period"], row["status"])) for row in rows) for rows in (before, after)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("lost", ["before the old key was destroyed", "between", "after"])
def test_a_rotation_that_died_goes_on_to_the_key_it_had_begun(tmp_path: Path, lost: str) -> None:
    zone = new_zone(tmp_path / "zone")
    old = load_key(zone)
    rotate_key(zone)
    new = load_key(zone)
    if lost == "before the old key was destroyed":
        (zone.secrets / KEY_FILE).rename(zone.secrets / f"{KEY_FILE}.next")
        new_zone(tmp_path / "zone", key=old)
    elif lost == "between":
        (zone.secrets / KEY_FILE).rename(zone.secrets / f"{KEY_FILE}.next")
    rotate_key(zone)
    assert load_key(zone) == new
    assert not (zone.secrets / f"{KEY_FILE}.next").exists()
