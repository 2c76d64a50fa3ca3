"""Worker processes: each thread gets its own result, none stays behind when something is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest

from fhir_mapping.sources import processes
from fhir_mapping.sources.processes import in_process

_SCRIPT = """
import time
from fhir_mapping.sources.processes import in_process
print(*[in_process(hash, number) for number in range(3)], flush=True)
time.sleep(60)
"""


def test_threads_share_the_processes() -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(partial(in_process, abs), range(-20, 0))) == list(range(20, 0, -1))


def test_others_are_started_after_one_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "worker_count", lambda: 2)
    with pytest.raises(BrokenProcessPool):
        in_process(os._exit, 1)
    assert in_process(abs, -1) == 1


def test_all_workers_have_the_allocator_settings_and_this_process_has_not() -> None:
    before = os.environ.get("GLIBC_TUNABLES")
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(partial(in_process, os.getenv), ["GLIBC_TUNABLES"] * 40))
    assert set(found) == ({before} if processes.worker_count() == 1 else set(processes._SETTINGS.values()))
    assert os.environ.get("GLIBC_TUNABLES") == before


def test_workers_end_with_a_program_that_is_killed() -> None:
    program = subprocess.Popen([sys.executable, "-c", _SCRIPT], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline().split() == ["0", "1", "2"]
    children = [int(pid) for pid in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()]
    program.kill()
    program.wait()
    program.stdout.close()
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in children if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
