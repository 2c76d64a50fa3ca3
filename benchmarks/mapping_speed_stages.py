"""The stages of a measured run: what ``benchmarks.mapping_speed_run`` does in its process."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from fhir.resources.R4B import get_fhir_model_class

from benchmarks.mapping_speed_input import REGION
from benchmarks.mapping_speed_meter import Stopwatch
from benchmarks.mapping_speed_workers import count_readers
from contracts.region import load_region
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day
from fhir_mapping.identity.key import KEY_FILE
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.sources.parallel import in_threads, worker_count
from fhir_mapping.sources.processes import in_process
from fhir_mapping.validation import validate_sample
from lake.engine import EngineSettings, open_engine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_OUT = ("bronze_", "silver_", "quarantine_", "ledger_")


def main(arguments: list[str]) -> None:
    """Run what the arguments say; the last line of output is a JSON object."""
    what, place, other, engine, *days = arguments
    watch = Stopwatch.start()
    kind = cast(Literal["sail", "spark"], engine)
    with open_engine(EngineSettings(kind=kind)) as spark:
        spark.range(1).collect()
        # Models and processes are there before the clock starts, as the rival's are.
        get_fhir_model_class("Observation")
        list(in_threads(partial(in_process, count_readers), [0.5] * 2 * worker_count()))
        watch.stage("start-up")
        if what == "map":
            said = map_days(spark, Path(place), other, days, watch)
        else:
            said = _text(spark, Path(place), Path(other)) if what == "text" else _copy(spark, Path(place), Path(other))
            watch.stage(what)
    print(json.dumps({"wall": watch.wall, "cpu": watch.cpu, **said}))


def map_days(spark: SparkSession, folder: Path, name: str, days: list[str], watch: Stopwatch) -> dict[str, object]:
    """From landing to validated silver, quarantine and ledger of a site; what was counted."""
    region = load_region(REGION)
    site, zone = region.site(name), SiteZone(folder, name)
    _make_key(zone)
    for day in days:
        ingest_day(zone, site, day)
    watch.stage("read")
    map_day(spark, zone, region, site, days)
    watch.stage("map")
    began = time.time()
    report = build_silver(spark, zone, region, site)
    watch.stage("silver and ledger")
    commits = _commits(zone, began)
    checked = validate_sample(zone)
    watch.stage("validate")
    return {
        "records": report.records_in,
        "resources": sum(report.resources_out.values()),
        "quarantined": report.quarantined,
        "superseded": report.superseded,
        "validated": checked.validated,
        "commits": commits,
    }


def _make_key(zone: SiteZone) -> None:
    path = zone.secrets / KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)


def _commits(zone: SiteZone, began: float) -> dict[str, float]:
    """Seconds that went by before each table's commit, in the order of commits."""
    made = sorted((path.stat().st_mtime, path.parent.parent.name) for path in zone.lake.glob("*/_delta_log/*.json"))
    found: dict[str, float] = {}
    for when, name in made:
        if when >= began:
            found[name] = found.get(name, 0.0) + when - began
            began = when
    return found


def _text(spark: SparkSession, folder: Path, out: Path) -> dict[str, object]:
    spark.read.text(str(folder)).write.format("delta").mode("overwrite").save(str(out))
    return {"bytes": sum(path.stat().st_size for path in folder.iterdir())}


def _copy(spark: SparkSession, lake: Path, out: Path) -> dict[str, object]:
    for path in sorted(lake.iterdir()):
        if path.name.startswith(_OUT) and (path / "_delta_log").is_dir():
            rows = spark.read.format("delta").load(str(path))
            rows.write.format("delta").mode("overwrite").save(str(out / path.name))
    return {"bytes": sum(path.stat().st_size for path in out.rglob("*.parquet"))}
