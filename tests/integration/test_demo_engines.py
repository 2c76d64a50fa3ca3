"""The demo region's bronze, silver, quarantine, ledger and features are the same tables from Sail and from Spark."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_equality import assert_tables_equal, run_on

from contracts.region import load_region
from contracts.zone import WorkArea
from features.build import build_features
from fhir_mapping.bronze import ingest_day, landing_days
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from governance.files import write_private
from synthetic.generate import generate_city

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEMO = Path(__file__).resolve().parents[2] / "regions" / "demo"
PATIENTS = 40
LAYERS = (
    "manifest__",
    "bronze_",
    "mapped_",
    "silver_",
    "superseded__",
    "pending__",
    "quarantine__",
    "ledger__",
    "feature__",
)


def build(session: SparkSession, folder: Path) -> None:
    """Every hospital of a small city, from raw exports to feature tables, on one engine."""
    # Compiling these wide plans to Java takes Spark longer than so few rows are worth; Sail has no such setting.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    region, area = load_region(DEMO), WorkArea(folder)
    generate_city(region, area, seed=5, patients=PATIENTS)
    for site in region.sites:
        started = time.monotonic()
        zone = area.site(site.name)
        write_private(zone.secrets / "pseudonym.key", bytes(range(32)))
        days = landing_days(zone)
        for day in days:
            ingest_day(zone, site, day)
        map_day(session, zone, region, site, days)
        build_silver(session, zone, region, site)
        for task in region.tasks:
            build_features(session, zone, region, task.name)
        print(f"{site.name}: {time.monotonic() - started:.1f} s")


def tables(folder: Path) -> dict[str, Path]:
    return {f"{path.parent.parent.name}/{path.name}": path for path in sorted(folder.glob("sites/*/lake/*"))}


@pytest.mark.needs_spark
@pytest.mark.timeout(1500)
def test_both_engines_make_the_same_tables_of_the_demo_region(spark: SparkSession, tmp_path: Path) -> None:
    build(spark, tmp_path / "sail")
    run_on("spark", __file__, "build", tmp_path / "spark", timeout=1400)
    sail, other = tables(tmp_path / "sail"), tables(tmp_path / "spark")
    assert sail.keys() == other.keys()
    for layer in LAYERS:
        assert any(name.split("/")[1].startswith(layer) for name in sail), layer
    for name, path in sail.items():
        assert_tables_equal(path, other[name])
