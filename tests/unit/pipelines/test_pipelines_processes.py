"""A supervisor keeps processes running, gives up what cannot run, and leaves nothing behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import CloisterError
from pipelines.processes import Restarts, Supervisor

QUICK = Restarts(pause=0.01, longest=0.05, tries=3)
SLEEP = "print('up', flush=True); import time; time.sleep(60)"


def start(processes: Supervisor, name: str, code: str, log: Path) -> None:
    processes.start(name, [sys.executable, "-c", code], dict(os.environ), log)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def keep_checking(processes: Supervisor) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        processes.check()
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_ends_again_and_again_is_given_up_and_named(tmp_path: Path) -> None:
    log = tmp_path / "short.log"
    with Supervisor(QUICK) as processes:
        start(processes, "short", "print('life'); raise SystemExit(3)", log)
        wait_until(lambda: log.read_text().count("life") == 3)
        with pytest.raises(CloisterError, match=r"short ended with code 3 again and again; see .*short\.log"):
            keep_checking(processes)
        processes.restart("short")
        wait_until(lambda: log.read_text().count("life") > 3)


def test_a_process_that_is_killed_comes_back_and_its_log_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of an earlier deployment")
    with Supervisor(QUICK) as processes:
        start(processes, "long", SLEEP, log)
        first = processes.ids()["long"]
        wait_until(lambda: log.read_text() == "up\n")
        processes.kill("long")
        wait_until(lambda: log.read_text() == "up\nup\n")
        processes.check()
        second = processes.ids()["long"]
    assert first != second and not is_running(first) and not is_running(second)


def test_a_process_that_is_kept_down_comes_back_when_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Supervisor(QUICK) as processes:
        start(processes, "other", SLEEP, tmp_path / "other")
        start(processes, "long", SLEEP, log)
        wait_until(lambda: log.read_text() != "")
        processes.kill("long", down=True)
        processes.kill("other")
        wait_until(lambda: "other" in processes.ids())
        assert list(processes.ids()) == ["other"]
        processes.restart("long")
        wait_until(lambda: log.read_text() == "up\nup\n")


def test_nothing_is_restarted_or_left_behind_after_the_end(tmp_path: Path) -> None:
    with Supervisor(Restarts(pause=0.0)) as processes:
        start(processes, "short", "pass", tmp_path / "short")
        start(processes, "long", SLEEP, tmp_path / "long")
        running = processes.ids()["long"]
    assert not is_running(running) and processes.ids() == {}
