"""One person under several numbers: merges and crosswalks, in whatever order they arrive."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from small_site import deliver, new_zone, resources, rules, run, snapshot, write_region

from fhir_mapping.identity.standing import Link, resolve_links
from fhir_mapping.tables import link_table
from lake.reader import read_arrow

MERGE = """
source = "his__visit"
resource = "Patient"
key = ["old_no"]
order_by = "at"
when = { present = "old_no" }
[elements]
"active" = { const = false }
"link[0].other" = { reference = "Patient", key = ["no"] }
"link[0].type" = { const = "replaced-by" }
"""
PATIENT = """
source = "his__visit"
resource = "Patient"
key = ["no"]
[elements]
"gender" = { lookup = "administrative_gender", column = "sex" }
"""
VISIT = """
source = "his__visit"
resource = "Encounter"
key = ["visit"]
when = { present = "visit" }
[elements]
"status" = { const = "finished" }
"class" = { code = "AMB", system = "http://terminology.hl7.org/CodeSystem/v3-ActCode" }
"subject" = { reference = "Patient", key = ["no"] }
"""
HEAD = "no,old_no,visit,sex,at\n"
DAYS = {
    "2026-03-01": "A,,v1,男,2026-03-01\n",
    "2026-03-02": "B,A,,男,2026-03-02\n",
    "2026-03-03": "C,B,v3,男,2026-03-03\n",
}


def links(*pairs: tuple[str, str, str | None]) -> list[Link]:
    return [Link(old, new, order) for old, new, order in pairs]


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        ([("a", "b", None)], {"a": "b"}),
        ([("a", "b", "1"), ("b", "c", "2")], {"a": "c", "b": "c"}),
        ([("a", "b", "1"), ("a", "c", "2")], {"a": "c"}),
        ([("a", "a", "1")], {}),
        ([("a", "b", "1"), ("b", "a", "2")], {"b": "a"}),
        ([("a", "b", None), ("b", "a", None)], {"a": None, "b": None}),
        ([("a", "b", "1"), ("b", "a", "1"), ("x", "a", "9")], {"a": None, "b": None, "x": None}),
        ([("a", "b", "3"), ("b", "c", "1"), ("c", "a", "2")], {"a": "b", "c": "b"}),
    ],
)
def test_chains_end_at_whoever_stands_in_any_order(told, standing) -> None:
    for order in permutations(links(*told)):
        assert resolve_links(order) == standing


def test_references_name_the_person_who_stands(spark, tmp_path: Path) -> None:
    specs = {"merge": MERGE, "patient": PATIENT, "visit": VISIT}
    region = write_region(tmp_path / "region", specs, ("no", "old_no", "visit", "sex", "at"))
    found: list[dict[str, list[str]]] = []
    for turn in (list(DAYS), list(DAYS)[::-1]):
        zone = new_zone(tmp_path / f"zone{len(found)}")
        for day in turn:
            deliver(zone, day, "visit.csv", HEAD + DAYS[day])
            report = run(spark, zone, region, [day])
        assert rules(zone) == {} and report.pending == 0
        assert report.records_in == report.mapped + report.superseded
        found.append(snapshot(zone))
    assert found[0] == found[1]
    people = {one["id"]: one for one in resources(zone, "Patient")}
    (standing,) = [one["id"] for one in people.values() if "link" not in one]
    assert {one["subject"]["reference"] for one in resources(zone, "Encounter")} == {f"Patient/{standing}"}
    assert {one["link"][0]["other"]["reference"] for one in people.values() if "link" in one} == {f"Patient/{standing}"}
    assert {row["standing_id"] for row in read_arrow(link_table(zone).path).to_pylist()} == {standing}


def test_a_site_whose_specs_link_nobody_has_no_table_of_links(spark, tmp_path: Path) -> None:
    columns = ("no", "old_no", "visit", "sex", "at")
    region = write_region(tmp_path / "region", {"patient": PATIENT, "visit": VISIT}, columns)
    zone = new_zone(tmp_path / "zone")
    deliver(zone, "2026-03-01", "visit.csv", HEAD + DAYS["2026-03-01"])
    run(spark, zone, region)
    assert not link_table(zone).path.exists()
