"""How fast records become checked FHIR: landing to validated Delta silver, quarantine and ledger, beside rivals.

    python -m benchmarks mapping-speed [--only csv,ndjson,growth,spark] [--rows N] [--copies N] [--factors 10,100]

csv     visits (Encounter, Condition, two Observations a row) against fhir.resources row by row in a process a core, and
        against the engine copying the same tables with no mapping
ndjson  a FHIR bulk export against the engine copying its lines untyped into Delta
growth  visits at several sizes: what a row costs after start-up, and peak memory (1x is 200,000 rows)
spark   visits on Apache Spark, 200,000 rows

Every run is a process of its own with an engine of its own; on a shared machine compare ratios and CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.mapping_speed_input import (
    BULK_ROWS,
    FILE_ROWS,
    PATIENT_SHARE,
    write_bulk,
    write_patients,
    write_visits,
)
from benchmarks.mapping_speed_meter import Measured, measure

RESULT = Path(__file__).parent / "results" / "mapping_speed.tsv"
DATA = Path(os.environ.get("CLOISTER_DATA", "../shared/data")) / "synthea-fhir-r4" / "bulk"
MEMORY_LIMIT = 4 << 30
"""Bytes that all processes of a run may hold at any size of input."""
ROW_COST_LIMIT = 1.25
"""What a row may cost at the largest size, as a multiple of the next smaller one."""

_RUN = "benchmarks.mapping_speed_run"
_RIVAL = "benchmarks.mapping_speed_rival"
_RIVAL_ROWS = 6_000
_DAY_FILES = 10
_INDEX_DAY = "2026-11-01"


@dataclass
class _Table:
    """Lines that are shown and written: section, what, number, unit."""

    lines: list[tuple[str, str, float, str]] = field(default_factory=list)

    def add(self, section: str, what: str, number: float, unit: str) -> None:
        self.lines.append((section, what, number, unit))
        print(f"  {section:<8} {what:<44} {number:>12,.2f} {unit}", flush=True)

    def write(self) -> None:
        RESULT.parent.mkdir(exist_ok=True)
        text = "".join(f"{section}\t{what}\t{number:.4f}\t{unit}\n" for section, what, number, unit in self.lines)
        RESULT.write_text("section\twhat\tnumber\tunit\n" + text, encoding="utf-8")


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print, write ``benchmarks/results/mapping_speed.tsv``."""
    sections: dict[str, Callable[[Path, argparse.Namespace, _Table], None]]
    sections = {"csv": _csv, "ndjson": _ndjson, "growth": _growth, "spark": _spark}
    parser = argparse.ArgumentParser(prog="python -m benchmarks mapping-speed", description=__doc__)
    parser.add_argument("--only", default="csv,ndjson", help="sections, with commas between them")
    parser.add_argument("--rows", type=int, default=5 * FILE_ROWS, help="visits of section csv")
    parser.add_argument("--copies", type=int, default=12, help=f"times the {BULK_ROWS:,} resources of the bulk export")
    parser.add_argument("--factors", default="10,100", help="sizes of section growth, in 200,000 rows")
    parser.add_argument("--work", type=Path, help="folder for input and tables; default a temporary one")
    options = parser.parse_args(arguments)
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
    table = _Table()
    table.add("machine", "cores", float(os.cpu_count() or 1), "")
    table.add("machine", "load at the start", os.getloadavg()[0], "")
    with tempfile.TemporaryDirectory(prefix="cloister-speed-", dir=options.work) as folder:
        for name in options.only.split(","):
            sections[name](Path(folder) / name, options, table)
    table.write()
    print(f"  written to {RESULT.name}")


def _csv(work: Path, options: argparse.Namespace, table: _Table) -> None:
    measured = _map_visits(work, options.rows, "sail")
    rate = _tell(table, "csv", "visits", measured)
    first = next(iter(sorted((work / "landing" / _day(0)).iterdir())))
    processes = str(os.cpu_count() or 1)
    rival = measure(_RIVAL, [str(first), str(work / "rival"), str(min(_RIVAL_ROWS, options.rows)), processes]).said
    rival_rate = rival["records"] / rival["wall"]["rival"]
    table.add("csv", "fhir.resources row by row, all cores", rival_rate, "visits/s")
    table.add("csv", "times fhir.resources (wanted: at least 30)", rate / rival_rate, "x")
    copy = measure(_RUN, ["copy", str(work / "lake"), str(work / "copy"), "sail"]).said
    table.add("csv", "engine copies the same tables", copy["wall"]["copy"], "s")
    table.add("csv", "times that copy", _work_seconds(measured) / copy["wall"]["copy"], "x")


def _ndjson(work: Path, options: argparse.Namespace, table: _Table) -> None:
    if not DATA.is_dir():
        print(f"  ndjson   skipped: no public bulk export at {DATA} (CLOISTER_DATA)")
        return
    write_bulk(work / "landing" / _day(0), DATA, options.copies)
    measured = measure(_RUN, ["map", str(work), "bulk", "sail", _day(0)])
    _tell(table, "ndjson", "lines", measured)
    copy = measure(_RUN, ["text", str(work / "landing" / _day(0)), str(work / "copy"), "sail"]).said
    table.add("ndjson", "engine copies the lines untyped into Delta", copy["wall"]["text"], "s")
    table.add("ndjson", "times that copy (wanted: at most 10)", _work_seconds(measured) / copy["wall"]["text"], "x")


def _growth(work: Path, options: argparse.Namespace, table: _Table) -> None:
    costs, peaks = [], []
    for factor in map(int, options.factors.split(",")):
        measured = _map_visits(work, factor * FILE_ROWS, "sail")
        _tell(table, f"{factor}x", "visits", measured)
        costs.append(_work_seconds(measured) / measured.said["records"])
        peaks.append(measured.peak_bytes)
        shutil.rmtree(work)
    for factor, (before, after) in zip(options.factors.split(",")[1:], pairwise(costs), strict=True):
        what = f"a row at {factor}x costs (wanted: at most {ROW_COST_LIMIT})"
        table.add("growth", what, after / before, "x")
    table.add("growth", f"highest peak of memory (limit {MEMORY_LIMIT >> 20} MB)", max(peaks) / (1 << 20), "MB")


def _spark(work: Path, options: argparse.Namespace, table: _Table) -> None:
    _tell(table, "spark", "visits", _map_visits(work, min(FILE_ROWS, options.rows), "spark"))


def _map_visits(work: Path, rows: int, engine: str) -> Measured:
    """Patients first, whose day is mapped by a run that is not counted; then the visits, ten files a day."""
    patients = max(1, int(rows * PATIENT_SHARE))
    write_patients(work / "landing" / _INDEX_DAY, patients)
    measure(_RUN, ["map", str(work), "visits", engine, _INDEX_DAY])
    step = _DAY_FILES * FILE_ROWS
    days = []
    for number, first in enumerate(range(0, rows, step)):
        write_visits(work / "landing" / _day(number), first, min(step, rows - first), patients)
        days.append(_day(number))
    measured = measure(_RUN, ["map", str(work), "visits", engine, *days])
    # The index is mapped before and counted in no rate.
    measured.said["records"] -= patients
    measured.said["resources"] -= patients
    return measured


def _tell(table: _Table, section: str, what: str, measured: Measured) -> float:
    """Where the time went; gives records a second after start-up."""
    said: dict[str, Any] = measured.said
    for name in ("records", "resources", "quarantined", "superseded", "validated"):
        table.add(section, name, said[name], "")
    for name, seconds in said["wall"].items():
        table.add(section, f"{name}", seconds, "s")
        table.add(section, f"{name}, all cores", said["cpu"][name], "CPU s")
    shown = sorted(said["commits"].items(), key=lambda commit: -commit[1])[:8]
    for name, seconds in shown:
        table.add(section, f"  until the commit of {name}", seconds, "s")
    rate = said["records"] / _work_seconds(measured)
    table.add(section, f"{what}, end to end after start-up", rate, f"{what}/s")
    table.add(section, "peak memory of all processes", measured.peak_bytes / (1 << 20), "MB")
    return rate


def _work_seconds(measured: Measured) -> float:
    return sum(seconds for name, seconds in measured.said["wall"].items() if name != "start-up")


def _day(number: int) -> str:
    return f"2026-11-{2 + number:02d}"
