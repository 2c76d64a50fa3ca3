"""The benchmark's sections of HL7 v2 and CDA on a few records: what they measure becomes silver whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.fhir_referee import tools_folder
from benchmarks.mapping_speed_documents import write_reports
from benchmarks.mapping_speed_messages import deliver
from benchmarks.mapping_speed_meter import Stopwatch
from benchmarks.mapping_speed_stages import map_days
from benchmarks.mapping_speed_table import PARSERS, day_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_reports_of_21_results_become_four_types_of_resources(spark: SparkSession, tmp_path: Path) -> None:
    write_reports(tmp_path / "landing" / day_folder(0), 4)
    watch = Stopwatch.start()
    said = map_days(spark, tmp_path, "documents", [day_folder(0)], watch)
    assert (said["records"], said["resources"], said["quarantined"]) == (4 * 21, 4 * (21 + 3), 0)
    assert list(watch.wall) == ["read", "map", "silver and ledger", "validate"]


def test_messages_of_12_results_become_four_types_of_resources(spark: SparkSession, tmp_path: Path) -> None:
    if deliver(tmp_path, 5) is None:
        pytest.skip(f"no generator of messages in {tools_folder()}")
    said = map_days(spark, tmp_path, "laboratory", [day_folder(0)], Stopwatch.start())
    assert (said["records"], said["resources"], said["quarantined"]) == (5 * 12, 5 * (12 + 3), 0)


def test_a_parser_reads_the_same_files(tmp_path: Path) -> None:
    write_reports(tmp_path / "reports", 2)
    command = [sys.executable, "-m", PARSERS, "lxml", str(tmp_path / "reports"), "2", "1"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert '"files": 2' in told
