"""No process of the federation outlives the one that started it, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STARTER = """
import sys, time
from pathlib import Path
from benchmarks.federation_bed import Bed

bed = Bed(Path(sys.argv[1]), Path("regions/demo"), ("east",))
bed.start()
print(*bed.ids().values(), flush=True)
time.sleep(120)
"""


def test_authority_superlink_supernode_and_worker_end_when_their_starter_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "work")], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    children = [int(pid) for pid in starter.stdout.readline().split()]
    assert len(children) == 4 and all(map(is_running, children))
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    end = time.monotonic() + 20
    while any(map(is_running, children)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [pid for pid in children if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
