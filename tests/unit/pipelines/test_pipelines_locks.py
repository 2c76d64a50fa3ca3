"""Jobs of one hospital, started anywhere, follow one another: real Dagster runs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import page_job
import pytest

from contracts.errors import BusyError, PrivacyError, UsageError
from contracts.region import load_region
from fhir_mapping.lifecycle import marker
from pipelines.hospital import HospitalSession
from pipelines.locks import alone, locked, region_job, site_job
from pipelines.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "regions" / "demo"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(region=DEMO, work=tmp_path / "work")


def start(settings: Settings, diary: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-u",
        str(page_job.__file__),
        *map(str, (settings.region, settings.work, "north", diary)),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DAGSTER_DISABLE_TELEMETRY": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, text=True, stdout=pipe, stderr=subprocess.DEVNULL)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_two_jobs_of_a_hospital_follow_one_another(settings: Settings, tmp_path: Path) -> None:
    jobs = [start(settings, tmp_path / "diary") for _ in range(2)]
    told = "".join(job.communicate(timeout=90)[0] for job in jobs)
    assert [job.returncode for job in jobs] == [0, 0]
    first, second, third, fourth = lines(tmp_path / "diary")
    assert first == second != third == fourth
    assert told == "waiting the job of 'north': another job or command is at work in the zone\n"


def test_a_job_of_the_page_waits_for_the_run_and_a_run_is_refused_beside_it(settings: Settings, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with locked(settings.work):
        job = start(settings, diary)
        assert job.stdout is not None
        assert job.stdout.readline().startswith("waiting the job of 'north': a run or another job is at work in ")
        assert not lines(diary)
    while not lines(diary) and job.poll() is None:
        time.sleep(0.01)
    with pytest.raises(BusyError, match="another run or job is at work"), locked(settings.work):
        raise AssertionError("a command began beside a job")
    job.communicate(timeout=90)
    with locked(settings.work):
        assert len(lines(diary)) == 2


def test_a_job_that_has_waited_long_enough_is_refused_with_what_to_do(settings: Settings) -> None:
    told: list[str] = []
    zone = settings.area.site("north")

    def refused() -> BusyError:
        with pytest.raises(BusyError, match="start it again later") as caught:
            lock = site_job(settings.work, zone, lambda _, words: told.append(words), within_run=False, seconds=0.3)
            with lock:
                raise AssertionError("it began")
        return caught.value

    with locked(settings.work):
        assert "the job of 'north': a run or another job is at work" in str(refused())
    with alone(zone):
        assert "the job of 'north': another job or command is at work in the zone" in str(refused())
    assert len(told) == 2


def test_a_folder_or_file_in_the_place_of_a_lock_is_told_in_words(settings: Settings, tmp_path: Path) -> None:
    zone = settings.area.site("north")
    for folder in (settings.work, zone.governance):
        (folder / ".lock").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"work/.lock cannot .*Is a directory.* move away"), locked(settings.work):
        raise AssertionError("it began")
    with pytest.raises(UsageError, match=r"governance/.lock cannot be used"), alone(zone):
        raise AssertionError("it began")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"), locked(tmp_path / "file"):
        raise AssertionError("it began")


def test_jobs_of_two_hospitals_go_side_by_side_and_the_regions_alone(settings: Settings) -> None:
    area, say = settings.area, lambda *_: None
    with (
        site_job(settings.work, area.site("north"), say, within_run=False),
        site_job(settings.work, area.site("south"), say, within_run=False),
        pytest.raises(BusyError, match="the region's job"),
        region_job(settings.work, say, within_run=False, seconds=0),
    ):
        raise AssertionError("the region trained beside a site's job")
    with (
        region_job(settings.work, say, within_run=False),
        pytest.raises(BusyError),
        site_job(settings.work, area.site("north"), say, within_run=False, seconds=0),
    ):
        raise AssertionError("a site's job ran beside the training")


def test_jobs_that_a_run_starts_do_not_wait_for_it(settings: Settings) -> None:
    region = load_region(DEMO)
    with locked(settings.work):
        session = HospitalSession(region, region.site("north"), settings, lambda *_: None, within_run=True)
        with session.confined(), session.confined():
            pass
        with pytest.raises(BusyError), alone(session.zone):
            raise AssertionError("a command began between two steps")
        session.close()
        with alone(session.zone), region_job(settings.work, lambda *_: None, within_run=True):
            pass


def test_no_step_runs_while_an_erasure_is_unfinished(settings: Settings) -> None:
    region = load_region(DEMO)
    session = HospitalSession(region, region.site("north"), settings, lambda *_: None)
    with session.confined():
        marker.begin(session.zone, "erasure")
    with pytest.raises(PrivacyError, match="cloister erase"), session.confined():
        raise AssertionError("a step ran")
    session.close()
