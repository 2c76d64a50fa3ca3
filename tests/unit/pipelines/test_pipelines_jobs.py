"""Jobs in processes of their own, deployments that leave nothing behind, and what the landing sensor sees."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from contracts.errors import CloisterError, UsageError
from contracts.zone import SiteZone
from pipelines.job_process import Job, Report, end_server, run_jobs
from pipelines.landing import landing_state
from pipelines.ports import free_ports, require_free


def tell_and_write(path: Path, report: Report) -> None:
    report("stage", f"in process {os.getpid()}")
    print("a line for the log")
    path.write_text("done", encoding="utf-8")


def fail_with_a_known_error(_: Report) -> None:
    raise UsageError("no such table")


def fail_with_a_value(_: Report) -> None:
    raise ValueError("patient 王小明")


def test_a_job_runs_elsewhere_and_tells_its_progress(tmp_path: Path) -> None:
    told: list[tuple[str, str, str]] = []
    job = Job("north", tell_and_write, (tmp_path / "out",), tmp_path / "job.log")
    seconds = run_jobs([job], lambda *words: told.append(words))
    assert seconds["north"] > 0
    assert (tmp_path / "out").read_text(encoding="utf-8") == "done"
    assert told == [("north", "stage", told[0][2])]
    assert f"in process {os.getpid()}" != told[0][2]
    assert "a line for the log" in (tmp_path / "job.log").read_text(encoding="utf-8")


def test_the_server_of_jobs_is_gone_when_it_was_ended_and_starts_again(tmp_path: Path) -> None:
    for name in ("first", "second"):
        run_jobs([Job("north", tell_and_write, (tmp_path / name,), tmp_path / "job.log")], lambda *_: None)
        end_server()
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
        lines = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
        assert not any(b"forkserver" in line for line in lines)
    assert (tmp_path / "second").is_file()


def test_the_server_of_jobs_ends_beside_other_worker_processes(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        assert workers.submit(abs, -1).result() == 1
        run_jobs([Job("north", tell_and_write, (tmp_path / "out",), tmp_path / "job.log")], lambda *_: None)
        end_server()
        assert workers.submit(abs, -2).result() == 2
    end_server()


def test_our_own_error_is_quoted_and_a_foreign_one_only_named(tmp_path: Path) -> None:
    jobs = [
        Job("north", fail_with_a_known_error, (), tmp_path / "north.log"),
        Job("south", fail_with_a_value, (), tmp_path / "south.log"),
    ]
    with pytest.raises(CloisterError) as caught:
        run_jobs(jobs, lambda *_: None)
    assert "no such table" in str(caught.value)
    assert "ValueError" in str(caught.value)
    assert "王小明" not in str(caught.value)
    assert "王小明" in (tmp_path / "south.log").read_text(encoding="utf-8")


def test_a_changed_file_changes_the_landing_state(tmp_path: Path) -> None:
    zone = SiteZone(tmp_path, "north")
    assert landing_state(zone) == {}
    day = zone.landing / "2026-11-20"
    day.mkdir(parents=True)
    (day / "visit.csv").write_text("a", encoding="utf-8")
    before = landing_state(zone)
    (day / "visit.csv").write_text("ab", encoding="utf-8")
    assert landing_state(zone) != before


def test_free_ports_are_free_and_different() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        require_free(port, "--port")
