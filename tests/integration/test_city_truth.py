"""The ledger against the truth: the city's planted defects are found, each under its rule, and nothing else is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.region import Region, Site, load_region
from contracts.zone import SiteZone, WorkArea
from fhir_mapping.bronze import ingest_day, landing_days
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from lake.reader import read_arrow
from synthetic.generate import generate_city
from synthetic.truth import SiteTruth, Truth

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEMO = Path(__file__).resolve().parents[2] / "regions" / "demo"
SITES = ("north", "south", "east", "west")
FileKey = tuple[str, str]


@pytest.fixture(scope="module")
def region() -> Region:
    return load_region(DEMO)


@pytest.fixture(scope="module")
def city(
    spark: SparkSession, region: Region, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[WorkArea, Truth]]:
    """A small city, ingested, mapped and built at every site."""
    area = WorkArea(tmp_path_factory.mktemp("city"))
    truth = generate_city(region, area, seed=11, patients=80)
    for site in region.sites:
        _run(spark, area.site(site.name), region, site)
    yield area, truth


def _run(spark: SparkSession, zone: SiteZone, region: Region, site: Site) -> None:
    zone.secrets.mkdir(parents=True)
    key = zone.secrets / "pseudonym.key"
    key.write_bytes(b"\x05" * 32)
    key.chmod(0o600)
    days = landing_days(zone)
    for day in days:
        ingest_day(zone, site, day)
    map_day(spark, zone, region, site, days)
    build_silver(spark, zone, region, site)


def _rows(zone: SiteZone, table: str) -> list[dict[str, Any]]:
    return read_arrow(zone.table(table)).to_pylist()


@pytest.mark.parametrize("site", SITES)
def test_every_file_ends_as_the_truth_says(city: tuple[WorkArea, Truth], site: str) -> None:
    area, truth = city
    found = {
        (row["delivery_date"], row["file_name"]): {
            name: row[name]
            for name in ("records_in", "mapped", "quarantined", "skipped", "superseded", "erased", "pending")
        }
        for row in _rows(area.site(site), "ledger__file")
    }
    expected = {
        (file.day, file.name): {
            "records_in": file.records,
            "mapped": file.mapped,
            "quarantined": sum(file.quarantined.values()),
            "skipped": sum(file.skipped.values()),
            "superseded": file.superseded,
            "erased": 0,
            "pending": file.pending,
        }
        for file in truth.sites[site].files
    }
    assert found == expected


@pytest.mark.parametrize("site", SITES)
def test_every_planted_defect_is_quarantined_under_its_rule(city: tuple[WorkArea, Truth], site: str) -> None:
    """A record may break more rules than the planted one (no patient number: no reference either); not fewer."""
    area, truth = city
    broken: dict[FileKey, list[set[str]]] = {}
    for row in _rows(area.site(site), "quarantine__record"):
        key = (row["_delivery_date"], row["file_name"])
        broken.setdefault(key, []).append({rule["rule"] for rule in row["rules"]})
    for file in truth.sites[site].files:
        records = broken.get((file.day, file.name), [])
        for rule, count in file.quarantined.items():
            assert sum(rule in rules for rules in records) == count, f"{file.name}: {rule}"
        assert len(records) == sum(file.quarantined.values())


@pytest.mark.parametrize("site", SITES)
def test_silver_holds_exactly_the_resources_of_the_good_records(city: tuple[WorkArea, Truth], site: str) -> None:
    area, truth = city
    zone = area.site(site)
    expected = truth.sites[site].resources
    assert {kind: len(_rows(zone, f"silver_fhir__{kind.lower()}")) for kind in expected} == expected


@pytest.mark.parametrize("site", SITES)
def test_pending_rows_are_those_of_the_patients_who_never_arrive(city: tuple[WorkArea, Truth], site: str) -> None:
    area, truth = city
    pending = Counter(
        missing
        for kind in truth.sites[site].resources
        for row in _rows(area.site(site), f"silver_fhir__{kind.lower()}")
        for missing in row["_pending"] or ()
    )
    assert pending == Counter({"Patient": truth.sites[site].pending})


def test_the_city_is_not_trivial(city: tuple[WorkArea, Truth]) -> None:
    """Every disposition but erasure occurs, and at least a dozen rules."""
    sites: list[SiteTruth] = list(city[1].sites.values())
    assert all(site.mapped and site.superseded and site.quarantined and site.pending for site in sites)
    assert any(site.skipped for site in sites)
    assert len({rule for site in sites for rule in site.quarantined}) >= 12


def test_names_id_cards_and_telephones_reach_no_silver_table(city: tuple[WorkArea, Truth]) -> None:
    area, _ = city
    zone = area.site("west")
    visits = [row for row in _rows(zone, "bronze_clinic__visit") if row["_error"] is None]
    # 卡号, 姓名, 证件号, 电话 as the visit table writes them
    direct = {row["_raw"].split(",")[place] for row in visits for place in (1, 2, 5, 6)} - {""}
    assert len(direct) > 40
    for path in sorted(zone.lake.glob("silver_*")):
        text = repr(read_arrow(path).to_pylist())
        assert not [value for value in direct if value in text]
