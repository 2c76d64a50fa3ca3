"""A run that is killed between any two commits, and a clean run after it, make the tables of an undisturbed run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_site import ENCOUNTER, PATIENT, VITALS, csv_of, deliver, new_zone, run, snapshot, write_region

from contracts.region import load_region
from contracts.zone import SiteZone

SUPPORT = Path(__file__).parents[2] / "support"
_SCRIPT = """
import sys
from pathlib import Path
from small_site import run
from contracts.region import load_region
from contracts.zone import SiteZone
from lake.engine import open_engine
with open_engine() as session:
    run(session, SiteZone(Path(sys.argv[1]), "north"), load_region(Path(sys.argv[2])))
"""


def delivered(folder: Path) -> SiteZone:
    zone = new_zone(folder)
    for day in (2, 3):
        rows = [
            {"visit_no": f"V{n}", "patient_no": f"P{n % 3}", "visit_type": "门诊", "visit_time": "2026-03-01 08:00"}
            | {"dept": "内科", "updated_at": f"2026-03-0{day} 09:{n:02d}", "temp": "37", "sex": "男" if n % 4 else "?"}
            for n in range(8)
        ]
        deliver(zone, f"2026-03-0{day}", "visit.csv", csv_of(rows))
    return zone


@pytest.fixture(scope="module")
def undisturbed(spark, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    region = write_region(folder / "region", {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS})
    zone = delivered(folder / "zone")
    run(spark, zone, region)
    return folder / "region", snapshot(zone)


@pytest.mark.parametrize("moment", ["manifest__file", "mapped_his__visit", "silver_fhir__encounter"])
def test_a_kill_and_a_clean_run_make_the_same_tables(spark, undisturbed, tmp_path: Path, moment: str) -> None:
    region_folder, wanted = undisturbed
    zone = delivered(tmp_path / "zone")
    command = [sys.executable, "-c", _SCRIPT, str(zone.root), str(region_folder)]
    path = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (zone.lake / moment / "_delta_log").is_dir() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait() != 0, "the run ended before it was killed"
    run(spark, zone, load_region(region_folder))
    assert snapshot(zone) == wanted
