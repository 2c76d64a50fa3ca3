"""How fast records become checked FHIR: landing to validated Delta silver, quarantine and ledger, beside rivals.

    python -m benchmarks mapping-speed [--only csv,oru,cda,...] [--rows N] [--copies N] [--factors 10,100]

csv     visits (Encounter, Condition, two Observations a row) against fhir.resources row by row in a process a core, and
        against the engine copying the same tables with no mapping
ndjson  a FHIR bulk export against the engine copying its lines untyped into Delta
growth  visits at several sizes: what a row costs after start-up, and peak memory (1x is 200,000 rows)
oru     HL7 v2 results of 12 items against LinuxForHealth, the parsers hl7apy and hl7types, our own `map convert`, and
        the engine copying the same tables
cda     laboratory reports of 21 results, a file each, against lxml parsing the same files
csv-spark, ndjson-spark, oru-spark, cda-spark
        the same on Apache Spark (at most 200,000 visits)

Every run is a process of its own with an engine of its own; on a shared machine compare ratios and CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.mapping_speed_documents import cda, cda_on_spark
from benchmarks.mapping_speed_input import (
    BULK_ROWS,
    FILE_ROWS,
    PATIENT_SHARE,
    write_bulk,
    write_patients,
    write_visits,
)
from benchmarks.mapping_speed_messages import oru, oru_on_spark
from benchmarks.mapping_speed_meter import Measured, measure
from benchmarks.mapping_speed_table import (
    RESULT,
    RUN,
    Table,
    copy_tables,
    day_folder,
    median_run,
    work_cpu,
    work_seconds,
)
from contracts.errors import EngineUnavailableError
from lake.jars import class_path, default_folder
from lake.spark import check_java

DATA = Path(os.environ.get("CLOISTER_DATA", "../shared/data")) / "synthea-fhir-r4" / "bulk"
MEMORY_LIMIT = 4 << 30
"""Bytes that all processes of a run may hold at any size of input."""
ROW_COST_LIMIT = 1.25
"""What a row may cost at the largest size, as a multiple of the next smaller one."""

_RIVAL = "benchmarks.mapping_speed_rival"
_RIVAL_ROWS = 6_000
_DAY_FILES = 10
_INDEX_DAY = "2026-11-01"


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print, write ``benchmarks/results/mapping_speed.tsv``."""
    sections: dict[str, Callable[[Path, argparse.Namespace, Table], None]]
    sections = {"csv": _csv, "ndjson": _ndjson, "growth": _growth, "oru": oru, "cda": cda}
    on_spark = {"csv": _csv_on_spark, "ndjson": _ndjson_on_spark, "oru": oru_on_spark, "cda": cda_on_spark}
    sections |= {f"{name}-spark": section for name, section in on_spark.items()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks mapping-speed", description=__doc__)
    parser.add_argument("--only", default="csv,ndjson", help="sections, with commas between them")
    parser.add_argument("--rows", type=int, default=5 * FILE_ROWS, help="visits of section csv")
    parser.add_argument("--copies", type=int, default=48, help=f"times the {BULK_ROWS:,} resources of the bulk export")
    parser.add_argument("--factors", default="10,100", help="sizes of section growth, in 200,000 rows")
    parser.add_argument("--messages", type=int, default=120_000, help="messages of section oru")
    parser.add_argument("--converted", type=int, default=300, help="of them LinuxForHealth converts in a round")
    parser.add_argument("--turns", type=int, default=3, help="times that oru and ndjson take turns with their rivals")
    parser.add_argument("--documents", type=int, default=10_000, help="documents of section cda")
    parser.add_argument("--work", type=Path, help="folder for input and tables; default a temporary one")
    options = parser.parse_args(arguments)
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
    table = Table()
    table.add("machine", "cores", float(os.cpu_count() or 1), "")
    table.add("machine", "load at the start", os.getloadavg()[0], "")
    with tempfile.TemporaryDirectory(prefix="cloister-speed-", dir=options.work) as folder:
        for name in options.only.split(","):
            if name.endswith("-spark") and (lacking := _lacks_spark()):
                print(f"  {name} skipped: {lacking}")
                continue
            sections[name](Path(folder) / name, options, table)
    table.write()
    print(f"  written to {RESULT.name}")


def _csv(work: Path, options: argparse.Namespace, table: Table) -> None:
    measured = _map_visits(work, options.rows, "sail")
    rate = table.tell("csv", "visits", measured)
    first = next(iter(sorted((work / "landing" / day_folder(0)).iterdir())))
    processes = str(os.cpu_count() or 1)
    rival = measure(_RIVAL, [str(first), str(work / "rival"), str(min(_RIVAL_ROWS, options.rows)), processes]).said
    rival_rate = rival["records"] / rival["wall"]["rival"]
    table.add("csv", "fhir.resources row by row, all cores", rival_rate, "visits/s")
    table.add("csv", "times fhir.resources (wanted: at least 30)", rate / rival_rate, "x")
    by_cpu = measured.said["records"] / work_cpu(measured) * rival["cpu"]["rival"] / rival["records"]
    table.add("csv", "times fhir.resources, by CPU seconds", by_cpu, "x")
    copy = copy_tables(work, "sail")
    table.add("csv", "engine copies the same tables", copy, "s")
    table.add("csv", "times that copy", work_seconds(measured) / copy, "x")


def _ndjson(work: Path, options: argparse.Namespace, table: Table) -> None:
    if not _deliver_bulk(work, options.copies):
        return
    copied: list[dict[str, Any]] = []

    def copy() -> None:
        copied.append(measure(RUN, ["text", str(work / "landing" / day_folder(0)), str(work / "copy"), "sail"]).said)

    measured = median_run(work, options.turns, lambda: _map_bulk(work, "sail"), copy)
    table.tell("ndjson", "lines", measured)
    wall, cpu = median(one["wall"]["text"] for one in copied), median(one["cpu"]["text"] for one in copied)
    table.add("ndjson", "engine copies the lines untyped into Delta", wall, "s")
    table.add("ndjson", "times that copy (wanted: at most 10)", work_seconds(measured) / wall, "x")
    table.add("ndjson", "times that copy, by CPU seconds", work_cpu(measured) / cpu, "x")


def _growth(work: Path, options: argparse.Namespace, table: Table) -> None:
    costs, cpu, peaks = [], [], []
    for factor in map(int, options.factors.split(",")):
        measured = _map_visits(work, factor * FILE_ROWS, "sail")
        table.tell(f"{factor}x", "visits", measured)
        costs.append(work_seconds(measured) / measured.said["records"])
        cpu.append(work_cpu(measured) / measured.said["records"])
        peaks.append(measured.peak_bytes)
        shutil.rmtree(work)
    steps = zip(options.factors.split(",")[1:], pairwise(costs), pairwise(cpu), strict=True)
    for factor, (before, after), (less, more) in steps:
        what = f"a row at {factor}x costs (wanted: at most {ROW_COST_LIMIT})"
        table.add("growth", what, after / before, "x")
        table.add("growth", f"a row at {factor}x costs, by CPU seconds", more / less, "x")
    table.add("growth", f"highest peak of memory (limit {MEMORY_LIMIT >> 20} MB)", max(peaks) / (1 << 20), "MB")


def _csv_on_spark(work: Path, options: argparse.Namespace, table: Table) -> None:
    table.tell("csv-spark", "visits", _map_visits(work, min(FILE_ROWS, options.rows), "spark"))


def _ndjson_on_spark(work: Path, options: argparse.Namespace, table: Table) -> None:
    if _deliver_bulk(work, options.copies):
        table.tell("ndjson-spark", "lines", _map_bulk(work, "spark"))


def _deliver_bulk(work: Path, copies: int) -> bool:
    """A bulk export of so many copies as a day's delivery; False without the public data."""
    if not DATA.is_dir():
        print(f"  ndjson   skipped: no public bulk export at {DATA} (CLOISTER_DATA)")
        return False
    write_bulk(work / "landing" / day_folder(0), DATA, copies)
    return True


def _map_bulk(work: Path, engine: str) -> Measured:
    return measure(RUN, ["map", str(work), "bulk", engine, day_folder(0)])


def _lacks_spark() -> str:
    """Why Apache Spark cannot run here; empty where it can."""
    try:
        check_java()
        class_path(default_folder())
    except EngineUnavailableError as error:
        return str(error)
    return ""


def _map_visits(work: Path, rows: int, engine: str) -> Measured:
    """Patients first, whose day is mapped by a run that is not counted; then the visits, ten files a day."""
    patients = max(1, int(rows * PATIENT_SHARE))
    write_patients(work / "landing" / _INDEX_DAY, patients)
    measure(RUN, ["map", str(work), "visits", engine, _INDEX_DAY])
    step = _DAY_FILES * FILE_ROWS
    days = []
    for number, first in enumerate(range(0, rows, step)):
        write_visits(work / "landing" / day_folder(number), first, min(step, rows - first), patients)
        days.append(day_folder(number))
    measured = measure(RUN, ["map", str(work), "visits", engine, *days])
    # The index is mapped before and counted in no rate.
    measured.said["records"] -= patients
    measured.said["resources"] -= patients
    return measured
