"""Section ``cda`` of the mapping benchmark: laboratory reports (WS/T 500 C0007) to silver, beside lxml's parsing."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from benchmarks.mapping_speed_meter import measure
from benchmarks.mapping_speed_table import PARSERS, RUN, Table, copy_tables, day_folder, work_cpu, work_seconds
from synthetic.cda_cn import write_document

_SITE = "documents"
_KIND = "C0007"
_DRAWS = 7
"""Documents whose results one report holds together: three each."""
_RESULTS = re.compile(rb'(?<=displayName="STUDIES SUMMARY"/><text/>).*?(?=</section>)', re.DOTALL)
_SAMPLE = 200


def cda(work: Path, options: argparse.Namespace, table: Table) -> None:
    """Reports of 21 results, a file each: Patient, Encounter, DiagnosticReport, 21 Observations."""
    day = work / "landing" / day_folder(0)
    size = write_reports(day, options.documents)
    table.add("cda", "size of a document", size / options.documents / 1000, "kB")
    measured = measure(RUN, ["map", str(work), _SITE, "sail", day_folder(0)])
    table.tell("cda", "results", measured)
    seconds = work_seconds(measured)
    table.add("cda", "documents, end to end after start-up", options.documents / seconds, "documents/s")
    copied = copy_tables(work, "sail")
    table.add("cda", "engine copies the same tables", copied, "s")
    table.add("cda", "times that copy", seconds / copied, "x")
    cores = str(os.cpu_count() or 1)
    parsed = measure(PARSERS, ["lxml", str(day), str(options.documents), cores]).said
    table.add("cda", "lxml parses the same files, all cores", parsed["wall"]["rival"], "s")
    table.add("cda", "lxml parses the same files, all cores", parsed["cpu"]["rival"], "CPU s")
    table.add("cda", "times lxml (wanted: at most 4)", seconds / parsed["wall"]["rival"], "x")
    table.add("cda", "the same by CPU seconds", work_cpu(measured) / parsed["cpu"]["rival"], "x")
    sample = min(_SAMPLE, options.documents)
    converted = measure(PARSERS, ["convert", str(day), str(sample), cores]).said
    table.add("cda", "cloister map convert, all cores", sample / converted["wall"]["rival"], "documents/s")


def cda_on_spark(work: Path, options: argparse.Namespace, table: Table) -> None:
    """The same on Apache Spark."""
    write_reports(work / "landing" / day_folder(0), options.documents)
    measured = measure(RUN, ["map", str(work), _SITE, "spark", day_folder(0)])
    table.tell("cda-spark", "results", measured)
    table.add(
        "cda-spark", "documents, end to end after start-up", options.documents / work_seconds(measured), "documents/s"
    )


def write_reports(folder: Path, count: int) -> int:
    """``count`` documents, each with numbers and results of its own; gives their bytes."""
    folder.mkdir(parents=True)
    results = [_results(write_document(_KIND, seed).data) for seed in range(min(count, 1_000))]
    size = 0
    for number in range(count):
        own = b"".join(results[(number * _DRAWS + draw) % len(results)] for draw in range(_DRAWS))
        document = write_document(_KIND, number).data
        size += (folder / f"report_{number:05d}.xml").write_bytes(document.replace(_results(document), own))
    return size


def _results(document: bytes) -> bytes:
    found = _RESULTS.search(document)
    assert found is not None
    return found[0]
