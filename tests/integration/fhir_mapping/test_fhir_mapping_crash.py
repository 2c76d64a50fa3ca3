"""A run that is killed at any moment, and a clean run after it, make the tables of an undisturbed run.

``make crash`` kills 50 times; CLOISTER_KILLS and CLOISTER_SEED change how often and when.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from small_site import ENCOUNTER, PATIENT, VITALS, csv_of, deliver, new_zone, run, snapshot, write_region

from contracts.region import load_region
from contracts.zone import SiteZone
from quality.reconciliation import reconcile

SUPPORT = Path(__file__).parents[2] / "support"
KILLS = int(os.environ.get("CLOISTER_KILLS", "5"))
SEED = int(os.environ.get("CLOISTER_SEED", "20260302"))


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


class Nursery:
    """Starts runs in processes that can be killed."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1]), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "crash_nursery.py")],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, zone: SiteZone, region: Path, seconds: float | None) -> int:
        """Run from landing to silver, killed after so many seconds (None: not at all); the exit code."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{zone.root} {region}\n")
        self._process.stdin.flush()
        child = int(self._process.stdout.readline())
        if seconds is not None:
            time.sleep(seconds)
            with suppress(ProcessLookupError):  # it has ended, or does not lead its group yet
                os.killpg(child, signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]], float]:
    """The region, the tables of a run that nobody disturbed, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    region = write_region(folder / "region", {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS})
    nursery.run(delivered(folder / "warm"), region.folder, None)
    zone = delivered(folder / "zone")
    started = time.monotonic()
    assert nursery.run(zone, region.folder, None) == 0
    return folder / "region", snapshot(zone), time.monotonic() - started


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_kill_and_a_clean_run_make_the_same_tables(
    spark, nursery: Nursery, undisturbed: tuple[Path, dict[str, list[str]], float], tmp_path: Path, kill: int
) -> None:
    region, wanted, duration = undisturbed
    zone = delivered(tmp_path / "zone")
    # One moment in each of KILLS equal spans: all stages are hit, and no two runs of a seed differ.
    moment = duration * (kill + random.Random(SEED * 1000 + kill).random()) / KILLS
    nursery.run(zone, region, moment)
    run(spark, zone, load_region(region))
    assert snapshot(zone) == wanted
    reconcile(zone).raise_if_unexplained()
