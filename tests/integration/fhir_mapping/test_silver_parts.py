"""A new day costs what the day holds: parts of silver that it does not change are not written again."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import functions as F
from small_site import ENCOUNTER, PATIENT, csv_of, deliver, new_zone, run, snapshot, write_region

from contracts.region import Region
from contracts.zone import SiteZone
from fhir_mapping.silver_parts import DAY
from fhir_mapping.tables import silver_table
from lake.reader import part_files
from lake.tables import read, replace

MONDAY, TUESDAY, WEDNESDAY = "2026-03-02", "2026-03-03", "2026-03-04"
PERSON = PATIENT.replace('order_by = "updated_at"\n', "").replace(
    '[[check]]\nrule = "id_card"\ncolumn = "id_card"\n', ""
)


def visits(numbers: range, **changes: str) -> str:
    return csv_of(
        [
            {"visit_no": f"V{n}", "patient_no": f"P{n}", "visit_type": "门诊", "visit_time": "2026-03-01 08:00"}
            | {"dept": "内科", "updated_at": "2026-03-01 09:00", "sex": "男", "birthday": "1980-01-01"}
            | changes
            for n in numbers
        ]
    )


@pytest.fixture
def region(tmp_path: Path) -> Region:
    only_with_sex = PERSON.replace("[elements]", 'when = { present = "sex" }\n[elements]')
    return write_region(tmp_path / "region", {"encounter": ENCOUNTER, "patient": only_with_sex})


@pytest.fixture
def zone(tmp_path: Path) -> SiteZone:
    return new_zone(tmp_path / "zone")


def parts(zone: SiteZone, kind: str) -> dict[str, tuple[str, ...]]:
    return part_files(silver_table(zone, kind).path, DAY)


def test_only_the_days_that_a_delivery_changes_are_written(spark, region: Region, zone: SiteZone) -> None:
    deliver(zone, MONDAY, "visit.csv", visits(range(1, 4)))
    deliver(zone, TUESDAY, "visit.csv", visits(range(4, 6), sex=""))
    run(spark, zone, region)
    before = {kind: parts(zone, kind) for kind in ("Encounter", "Patient")}
    assert set(before["Encounter"]) == {MONDAY, TUESDAY}
    run(spark, zone, region, [])
    assert {kind: parts(zone, kind) for kind in before} == before
    # V2 is corrected, so Monday's Encounters change; P4, for whom one of Tuesday's waits, arrives
    deliver(zone, WEDNESDAY, "visit.csv", visits(range(2, 3), dept="外科", sex="", updated_at="2026-03-02 10:00"))
    deliver(zone, WEDNESDAY, "visit_more.csv", visits(range(14, 15), patient_no="P4"))
    run(spark, zone, region, [WEDNESDAY])
    after = {kind: parts(zone, kind) for kind in before}
    changed = {kind: {day for day in after[kind] if after[kind][day] != before[kind].get(day)} for kind in after}
    assert changed == {"Encounter": {MONDAY, TUESDAY, WEDNESDAY}, "Patient": {WEDNESDAY}}
    whole = new_zone(zone.root.parent / "whole")
    for path in sorted(zone.landing.rglob("*.csv")):
        deliver(whole, path.parent.name, path.name, path.read_bytes())
    run(spark, whole, region)
    assert snapshot(zone) == snapshot(whole)


def test_a_part_that_is_not_as_it_was_left_is_made_again(spark, region: Region, zone: SiteZone) -> None:
    for day, numbers in ((MONDAY, range(1, 4)), (TUESDAY, range(4, 6))):
        deliver(zone, day, "visit.csv", visits(numbers))
    run(spark, zone, region)
    wanted, left = snapshot(zone), parts(zone, "Patient")
    table = silver_table(zone, "Patient")
    other = read(spark, table).where(F.col(DAY) == MONDAY).withColumn("gender", F.lit("other"))
    replace(spark, other, table, {DAY: [MONDAY]})
    (table.path / "_made_of.json").with_name("_made_of.json.part").write_text("{", encoding="utf-8")
    run(spark, zone, region, [])
    assert snapshot(zone) == wanted
    assert parts(zone, "Patient")[TUESDAY] == left[TUESDAY]
