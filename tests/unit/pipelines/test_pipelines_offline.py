"""Nothing calls home: telemetry of Flower, Dagster and Great Expectations is off in every process we start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from contracts.zone import WorkArea
from federated.processes import environment
from pipelines.dagster_home import prepare_dagster_home


def test_flower_processes_report_nothing(tmp_path: Path) -> None:
    found = environment(tmp_path)
    assert found["FLWR_TELEMETRY_ENABLED"] == "0"
    assert found["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert found["FLWR_HOME"] == str(tmp_path)


def test_dagsters_home_has_telemetry_off(tmp_path: Path) -> None:
    home = prepare_dagster_home(WorkArea(tmp_path))
    assert yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))["telemetry"] == {"enabled": False}


def test_great_expectations_is_imported_with_analytics_off() -> None:
    program = "import os, sys, pipelines.preload; print(os.environ['GX_ANALYTICS_ENABLED'], 'posthog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["false", "False"], done.stderr
