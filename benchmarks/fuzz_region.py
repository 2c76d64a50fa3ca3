"""Rows made worse, on their way through a region: reader, compiled mapping on the engine, silver, ledger."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from benchmarks.fuzz import ENGINE, Tally
from benchmarks.fuzz_checks import place_of
from benchmarks.fuzz_mutations import mutated
from benchmarks.mapping_speed_input import REGION, write_patients, write_visits
from contracts.region import Source, load_region
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day
from fhir_mapping.identity.key import KEY_FILE
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.sources.reader import inspect
from fhir_mapping.sources.record import Refusal
from fhir_mapping.tables import ledger_table, quarantine_table
from lake.engine import EngineSettings, open_engine
from lake.reader import read_arrow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DAY = "2026-11-20"
_FILE_ROWS = 1_000
_SPOILED = 0.5
"""Share of the rows that are changed: the others are to arrive whole."""


def run_rows(rows: int, seed: int, spark: SparkSession | None = None) -> Tally:
    """So many visits, half of them spoiled, from landing to silver; an engine is started where none is given."""
    tally = Tally(ENGINE, inputs=rows)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        try:
            if spark is None:
                with open_engine(EngineSettings()) as own:
                    tally.records = _run(own, Path(folder), rows, seed)
            else:
                tally.records = _run(spark, Path(folder), rows, seed)
        except AssertionError as error:
            tally.failures.append((seed, str(error)))
        except Exception as error:
            tally.failures.append((seed, f"{place_of(error)} (of {rows} rows)"))
    tally.slowest = (time.process_time() - began, seed)
    return tally


def _run(spark: SparkSession, folder: Path, rows: int, seed: int) -> list[int]:
    region = load_region(REGION)
    site, zone = region.site("visits"), SiteZone(folder / "work", "visits")
    zone.secrets.mkdir(parents=True)
    (zone.secrets / KEY_FILE).write_bytes(bytes(range(32)))
    (zone.secrets / KEY_FILE).chmod(0o600)
    landing = zone.landing / _DAY
    landing.mkdir(parents=True)
    patients = max(1, rows // 5)
    write_patients(landing, patients)
    _write_spoiled(landing, folder, rows, seed, patients)
    expected = {path.name: _records(site.source("his__visit"), path) for path in landing.glob("门诊就诊_*.csv")}
    ingest_day(zone, site, _DAY)
    map_day(spark, zone, region, site, [_DAY])
    report = build_silver(spark, zone, region, site)
    ended = report.mapped + report.quarantined + report.skipped + report.superseded + report.erased
    assert report.records_in == ended, "the ledger does not add up"
    ledger = {row["file_name"]: row["records_in"] for row in read_arrow(ledger_table(zone).path).to_pylist()}
    assert {name: ledger.get(name) for name in expected} == expected, "the ledger has other records than the files"
    assert report.records_in == sum(expected.values()) + patients, "records in are not those delivered"
    quarantined = [row for row in read_arrow(quarantine_table(zone).path).to_pylist() if row["record_no"] >= 0]
    assert len(quarantined) == report.quarantined, "quarantine and ledger differ"
    assert all(row["rules"] for row in quarantined), "quarantined without a rule"
    return [report.mapped - patients, report.quarantined, report.skipped + report.superseded]


def _write_spoiled(landing: Path, folder: Path, rows: int, seed: int, patients: int) -> None:
    """Visits as the generator writes them, cells of half the rows replaced, dropped, doubled or cut."""
    rng = Random(f"{ENGINE}-{seed}")
    clean = folder / "clean"
    write_visits(clean, seed, rows, patients)
    lines = b"".join(path.read_bytes() for path in sorted(clean.iterdir())).decode("gb18030").splitlines()
    header, body = lines[0], [line.encode() for line in lines if not line.startswith(lines[0][:3])]
    for number, start in enumerate(range(0, len(body), _FILE_ROWS)):
        some = body[start : start + _FILE_ROWS]
        spoiled = [mutated("csv", rng, some) if rng.random() < _SPOILED else line for line in some]
        text = b"\n".join([header.encode(), *spoiled, b""]).decode("utf-8", "surrogateescape")
        (landing / f"门诊就诊_{number:04d}.csv").write_bytes(text.encode("gb18030", "surrogateescape"))


def _records(source: Source, path: Path) -> int:
    data = path.read_bytes()
    file = inspect(source, io.BytesIO(data))
    assert not isinstance(file, Refusal), "a file with its header was refused"
    return sum(len(block) for block in file.blocks(io.BytesIO(data)))
