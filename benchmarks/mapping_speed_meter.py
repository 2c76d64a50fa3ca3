"""A measured run in a process of its own: seconds, CPU seconds and peak memory of it and of all it starts.

The run prints one JSON object as its last line; memory is sampled from /proc while it runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SAMPLE_SECONDS = 0.1
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Measured:
    """What a run printed, and its peak of resident memory in bytes (pages that processes share count in each)."""

    said: dict[str, Any]
    peak_bytes: int


def measure(module: str, arguments: Sequence[str]) -> Measured:
    """Run ``python -m module arguments`` and watch it. Raises RuntimeError when it fails."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    peak, stop = [0], threading.Event()

    def sample() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            peak[0] = max(peak[0], sum(map(_resident, _tree(process.pid))))

    watcher = threading.Thread(target=sample, daemon=True)
    watcher.start()
    out, _ = process.communicate()
    stop.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with exit code {process.returncode}")
    return Measured(json.loads(out.splitlines()[-1]), peak[0])


@dataclass
class Stopwatch:
    """Stages of a run: wall seconds and CPU seconds of this process and its ended children, by name."""

    wall: dict[str, float]
    cpu: dict[str, float]
    _last: tuple[float, float]

    @classmethod
    def start(cls) -> Stopwatch:
        return cls({}, {}, _now())

    def stage(self, name: str) -> None:
        """Charge what went by since the stage before."""
        now = _now()
        self.wall[name] = self.wall.get(name, 0.0) + now[0] - self._last[0]
        self.cpu[name] = self.cpu.get(name, 0.0) + now[1] - self._last[1]
        self._last = now


def _now() -> tuple[float, float]:
    times = os.times()
    running = sum(map(_cpu, _tree(os.getpid())[1:]))
    return time.monotonic(), times.user + times.system + times.children_user + times.children_system + running


def _cpu(pid: int) -> float:
    """CPU seconds of a child that still runs (ended ones are counted by ``os.times``)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += parents.get(one, [])
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
