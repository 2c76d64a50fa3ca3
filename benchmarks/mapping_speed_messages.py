"""Section ``oru`` of the mapping benchmark: HL7 v2 results to silver, beside converters and parsers of the messages."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.fhir_referee import tools_folder
from benchmarks.mapping_speed_linuxforhealth import Rate, linuxforhealth
from benchmarks.mapping_speed_meter import Measured, measure
from benchmarks.mapping_speed_table import (
    PARSERS,
    RUN,
    Table,
    copy_tables,
    day_folder,
    median_run,
    work_cpu,
    work_seconds,
)

_SITE = "laboratory"
_FILE_MESSAGES = 1_000
"""Messages of a file of the day's delivery; rivals get a file a message."""
_SAMPLE = 200
_WARM, _ROUNDS = 100, 3


def oru(work: Path, options: argparse.Namespace, table: Table) -> None:
    """ORU^R01 of 12 results: Patient, Encounter, DiagnosticReport, 12 Observations a message."""
    if (single := deliver(work, options.messages)) is None:
        print(f"  oru      skipped: no generator of messages in {tools_folder()} (CLOISTER_TOOLS)")
        return
    cores = os.cpu_count() or 1
    count = min(options.converted, options.messages)
    rival_rates: list[Rate | str] = []

    def convert() -> None:
        rival_rates.append(linuxforhealth(single, cores, min(_WARM, count), _ROUNDS, count))

    measured = median_run(work, options.turns, lambda: _map(work, "sail"), convert)
    table.tell("oru", "results", measured)
    rate = options.messages / work_seconds(measured)
    table.add("oru", "messages, end to end after start-up", rate, "messages/s")
    copied = copy_tables(work, "sail")
    table.add("oru", "engine copies the same tables", copied, "s")
    table.add("oru", "times that copy", work_seconds(measured) / copied, "x")
    sample = min(_SAMPLE, options.messages)
    for name, what in (
        ("hl7apy", "hl7apy only parses, all cores"),
        ("hl7types", "hl7types only parses, all cores"),
        ("convert", "cloister map convert, all cores"),
    ):
        rival = measure(PARSERS, [name, str(single), str(sample), str(cores)]).said
        rival_rate = sample / rival["wall"]["rival"]
        table.add("oru", what, rival_rate, "messages/s")
        table.add("oru", f"times {name}", rate / rival_rate, "x")
    found = [rate for rate in rival_rates if not isinstance(rate, str)]
    if not found:
        print(f"  oru      LinuxForHealth skipped: {rival_rates[0]}")
        return
    wall, cpu = median(rate.wall for rate in found), median(rate.cpu for rate in found)
    table.add("oru", "LinuxForHealth converts, all cores", wall, "messages/s")
    table.add("oru", "times LinuxForHealth (wanted: at least 150)", rate / wall, "x")
    cpu_rate = options.messages / work_cpu(measured)
    table.add("oru", "the same by CPU seconds", cpu_rate / cpu, "x")


def oru_on_spark(work: Path, options: argparse.Namespace, table: Table) -> None:
    """The same on Apache Spark."""
    if deliver(work, options.messages) is None:
        print(f"  oru      skipped: no generator of messages in {tools_folder()} (CLOISTER_TOOLS)")
        return
    measured = _map(work, "spark")
    table.tell("oru-spark", "results", measured)
    table.add(
        "oru-spark", "messages, end to end after start-up", options.messages / work_seconds(measured), "messages/s"
    )


def _map(work: Path, engine: str) -> Measured:
    return measure(RUN, ["map", str(work), _SITE, engine, day_folder(0)])


def deliver(work: Path, count: int) -> Path | None:
    """A day's delivery; gives the folder that holds each message as a file, None without the generator."""
    generator = tools_folder() / "gen_oru.py"
    if not generator.is_file():
        return None
    single, day = work / "single", work / "landing" / day_folder(0)
    subprocess.run([sys.executable, str(generator), str(single), str(count)], check=True)
    day.mkdir(parents=True)
    paths = sorted(single.iterdir())
    for first in range(0, count, _FILE_MESSAGES):
        feed = b"".join(path.read_bytes() for path in paths[first : first + _FILE_MESSAGES])
        (day / f"oru_{first // _FILE_MESSAGES:04d}.hl7").write_bytes(feed)
    return single
