"""Silver is a function of what was delivered: not of runs, batches or days; and no record is ever lost."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_site import ENCOUNTER, PATIENT, VITALS, csv_of, deliver, ledger, new_zone, run, snapshot, write_region

from contracts.zone import SiteZone
from fhir_mapping.tables import DISPOSITIONS, silver_table
from lake.reader import read_arrow

SPECS = {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS}
DAYS = ("2026-03-02", "2026-03-03", "2026-03-04")
COLUMNS = (
    *("visit_no", "patient_no", "visit_type", "visit_time", "dept", "complaint", "cancelled", "updated_at", "temp"),
    *("pulse", "id_card", "birthday", "sex"),
)

few = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))

cells = {
    "visit_no": st.sampled_from(["V1", "V2", "V3", "V4", ""]),
    "patient_no": st.sampled_from(["P1", "P2", "Ｐ２", ""]),
    "visit_type": st.sampled_from(["门诊", "急诊", "X"]),
    "visit_time": st.sampled_from(["2026-03-01 08:00", "2026年3月1日 9:05", "2026-02-30", ""]),
    "dept": st.sampled_from(["内科", "外科", "无", "?"]),
    "complaint": st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8),
    "cancelled": st.sampled_from(["0", "1"]),
    "temp": st.sampled_from(["37.5", "<36", "3６.1", "warm", ""]),
    "id_card": st.sampled_from(["11010519491231002X", "110105194912310021", ""]),
    "birthday": st.sampled_from(["1949-12-31", "19491231", "soon", ""]),
    "sex": st.sampled_from(["男", "2", "?", ""]),
}
visits = st.lists(st.fixed_dictionaries(cells), min_size=2, max_size=12)


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each record with its own time of change: which of two is later does not depend on how they are delivered."""
    return [{**row, "updated_at": f"2026-03-01 10:{n // 60:02d}:{n % 60:02d}"} for n, row in enumerate(rows)]


def content_of_silver(zone: SiteZone) -> Counter[str]:
    """Resources without where they were delivered."""
    lineage = ("_delivery_date", "_file_id", "_file_name", "_record_no")
    found: Counter[str] = Counter()
    for kind in ("Patient", "Encounter", "Observation"):
        rows = read_arrow(silver_table(zone, kind).path).to_pylist()
        found.update(repr({k: v for k, v in row.items() if k not in lineage}) for row in rows)
    return found


@few
@given(rows=visits, cuts=st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_another_batch_split_gives_the_same_resources(spark, rows: list[dict[str, Any]], cuts: list[int]) -> None:
    changes = numbered(rows)
    with tempfile.TemporaryDirectory() as name:
        region = write_region(Path(name) / "region", SPECS, COLUMNS)
        whole, split = new_zone(Path(name) / "whole"), new_zone(Path(name) / "split")
        deliver(whole, DAYS[0], "visit.csv", csv_of(changes))
        for index, day in enumerate(DAYS):
            part = [row for row, cut in zip(changes, cuts, strict=False) if cut == index]
            if part:
                deliver(split, day, f"visit_{index}.csv", csv_of(part))
        reports = [run(spark, zone, region) for zone in (whole, split)]
        assert content_of_silver(whole) == content_of_silver(split)
        assert reports[0] == reports[1]


@few
@given(first=visits, second=visits)
def test_mapping_twice_changes_nothing_and_every_record_is_accounted_for(
    spark, first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        region, zone = write_region(Path(name) / "region", SPECS, COLUMNS), new_zone(Path(name) / "zone")
        deliver(zone, DAYS[0], "visit.csv", csv_of(numbered(first)))
        deliver(zone, DAYS[1], "visit.csv", csv_of(numbered(second)) + 'V1,"open\n')
        run(spark, zone, region)
        once = snapshot(zone)
        run(spark, zone, region, [DAYS[1]])
        assert snapshot(zone) == once
        for row in ledger(zone).values():
            assert row["records_in"] == sum(row[name] for name in DISPOSITIONS)
        total = sum(row["records_in"] for row in ledger(zone).values())
        assert total == len(first) + len(second) + 1
        kinds = ("Patient", "Encounter", "Observation")
        standing = {kind: read_arrow(silver_table(zone, kind).path).num_rows for kind in kinds}
        out: Counter[str] = Counter()
        for row in ledger(zone).values():
            out.update(row["resources_out"])
        assert {kind: out[kind] for kind in kinds} == standing
