"""A spec with a version by day: what was delivered before stays as it was, what comes after is mapped anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_site import (
    ENCOUNTER,
    PATIENT,
    csv_of,
    deliver,
    ledger,
    new_zone,
    resources,
    rules,
    run,
    snapshot,
    write_region,
)

from contracts.errors import SpecError
from contracts.region import load_region
from fhir_mapping.lifecycle.replay import show_quarantine
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.versions import table
from lake.reader import read_arrow

BEFORE, FROM, AFTER = "2026-05-31", "2026-06-01", "2026-06-02"
NEWER = ENCOUNTER.replace('{ column = "complaint" }', '{ column = "complaint", required = true }').replace(
    '"status" = { const = "finished" }', '"status" = { const = "arrived" }'
)


def visit(number: int, complaint: str = "咳嗽") -> dict[str, str]:
    return {
        **{"visit_no": f"V{number}", "patient_no": f"P{number}", "visit_type": "门诊", "dept": "内科", "sex": "女"},
        **{"visit_time": "2026-05-01 08:00", "updated_at": "2026-05-01 09:00", "complaint": complaint},
    }


def test_the_day_of_delivery_decides_and_a_replay_can_be_explained(spark, tmp_path: Path) -> None:
    region = write_region(tmp_path / "region", {"encounter": ENCOUNTER, "patient": PATIENT})
    zone = new_zone(tmp_path / "zone")
    deliver(zone, BEFORE, "visit.csv", csv_of([visit(1), visit(2, "")]))
    deliver(zone, FROM, "visit.csv", csv_of([visit(3), visit(4, "")]))
    deliver(zone, AFTER, "visit.csv", csv_of([visit(5)]))
    run(spark, zone, region)
    assert {row["status"] for row in resources(zone, "Encounter")} == {"finished"}
    dated = region.folder / "sites" / "north" / "specs" / f"encounter@{FROM}.toml"
    dated.write_text(NEWER, encoding="utf-8")
    versioned = load_region(region.folder)
    map_day(spark, zone, versioned, versioned.site("north"), [])
    build_silver(spark, zone, versioned, versioned.site("north"))
    status = [(row["status"], row.get("reasonCode") is None) for row in resources(zone, "Encounter")]
    assert sorted(status) == [("arrived", False), ("arrived", False), ("finished", False), ("finished", True)]
    assert rules(zone) == {("visit.csv", 1): ["required"]}
    digests = {day: ledger(zone)[f"{day}/visit.csv"]["spec_digest"] for day in (BEFORE, FROM, AFTER)}
    assert digests[BEFORE] != digests[FROM] == digests[AFTER]
    assert [row["spec_digest"] for row in show_quarantine(zone, "required")] == [digests[FROM]]
    known = {row["digest"]: row for row in read_arrow(table(zone).path).to_pylist() if row["source"] == "his__visit"}
    assert (known[digests[FROM]]["valid_from"], known[digests[BEFORE]]["valid_from"]) == (FROM, None)
    fresh = new_zone(tmp_path / "fresh")
    for day in (BEFORE, FROM, AFTER):
        deliver(fresh, day, "visit.csv", (zone.landing / day / "visit.csv").read_bytes())
    run(spark, fresh, versioned)
    assert snapshot(fresh) == snapshot(zone)
    dated.unlink()
    run(spark, zone, load_region(region.folder))
    assert {row["status"] for row in resources(zone, "Encounter")} == {"finished"}
    assert [path.name for path in zone.lake.glob("mapped_*")] == ["mapped_his__visit"]
    former = [row for row in read_arrow(table(zone).path).to_pylist() if not row["is_present"]]
    assert [row["digest"] for row in former] == [digests[FROM]]


def test_a_version_without_a_day_is_refused(tmp_path: Path) -> None:
    from fhir_mapping.spec.model import load_emits

    region = write_region(tmp_path / "region", {"encounter@june": ENCOUNTER})
    with pytest.raises(SpecError, match="@YYYY-MM-DD"):
        load_emits(region.folder, region.site("north").folder, {"his__visit"})
