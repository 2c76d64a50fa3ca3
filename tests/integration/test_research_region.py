"""MIMIC-IV, eICU and OMOP through their specs: every record of a sample ends somewhere that the ledger knows."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from small_site import new_zone, resources, rules, run

from contracts.region import Region, Site, load_region
from contracts.zone import SiteZone
from fhir_mapping.ledger import SiteReport
from pipelines.delivery import joined, landing_name, write_if_changed
from quality.reconciliation import reconcile

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CLOISTER_DATA", CHECKOUT.parent / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not (DATA / "mimic-iv-demo").is_dir(), reason=f"needs mimic-iv-demo, eicu and omop-eunomia in {DATA}"
)
MOST = 200
"""Records of a table in the sample; `cloister run regions/research --data ...` maps them all."""


def deliver_sample(region: Region, site: Site, zone: SiteZone) -> int:
    """Every n-th record of each table, joined as the region delivers it; how many records there are."""
    records = 0
    for source in site.sources:
        delivery = source.delivery
        assert delivery is not None
        header, *lines = unpacked(delivery.data).splitlines(keepends=True)
        content = b"".join([header, *lines[:: max(1, len(lines) // MOST)]])
        for join in delivery.join:
            content = joined(source, content, join, unpacked(join.data))
        write_if_changed(zone.landing / delivery.day / landing_name(delivery), content)
        records += content.count(b"\n") - 1
    return records


def unpacked(name: str) -> bytes:
    return gzip.decompress((DATA / name).read_bytes())


def run_sample(spark: SparkSession, folder: Path, name: str) -> tuple[SiteZone, SiteReport]:
    region = load_region(CHECKOUT / "regions" / "research")
    site = region.site(name)
    zone = new_zone(folder, name)
    delivered = deliver_sample(region, site, zone)
    report = run(spark, zone, region)
    assert report.records_in == delivered
    found = reconcile(zone)
    assert (found.records_in, found.unexplained) == (delivered, 0)
    return zone, report


@needs_data
def test_mimic_tables_become_fhir_and_every_record_is_explained(spark: SparkSession, tmp_path: Path) -> None:
    zone, report = run_sample(spark, tmp_path, "mimic")
    assert (report.quarantined, report.skipped, report.superseded) == (0, 0, 0)
    assert all(count > 0 for kind, count in report.resources_out.items() if kind != "Procedure")
    codes = {one["code"]["coding"][0]["code"] for one in resources(zone, "Condition")}
    assert all(code[3:4] in (".", "") or code.startswith("E") for code in codes) and any("." in code for code in codes)
    assert all("2050" < one["period"]["start"] < "2220" for one in resources(zone, "Encounter"))


@needs_data
def test_eicu_tables_become_fhir_and_every_record_is_explained(spark: SparkSession, tmp_path: Path) -> None:
    zone, report = run_sample(spark, tmp_path, "eicu")
    assert {rule for broken in rules(zone).values() for rule in broken} <= {"required"}
    assert report.quarantined < 20 and report.skipped == 0
    encounters = resources(zone, "Encounter")
    assert any(one.get("partOf") for one in encounters) and any(not one.get("partOf") for one in encounters)
    assert all(one["effectiveDateTime"] for one in resources(zone, "Observation") if one["code"].get("text") == "BUN")


@needs_data
def test_omop_tables_become_fhir_and_every_record_is_explained(spark: SparkSession, tmp_path: Path) -> None:
    zone, report = run_sample(spark, tmp_path, "omop")
    assert (report.quarantined, report.skipped) == (0, 0)
    assert {one["vaccineCode"]["coding"][0]["system"] for one in resources(zone, "Immunization")} == {
        "http://hl7.org/fhir/sid/cvx"
    }
