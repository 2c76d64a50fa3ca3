from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

CHILD = "from federated.leash import hold; hold(); import time; print('up', flush=True); time.sleep(60)"
STARTER = f"""
import os, subprocess, sys
from federated.leash import leash
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], env={{**os.environ, **leash()}}, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_on_the_leash_ends_when_its_starter_is_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    child = int(starter.stdout.readline())
    assert is_running(child)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    end = time.monotonic() + 10
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(child)


def test_without_the_variable_nothing_is_watched() -> None:
    code = "from federated.leash import hold; import threading; hold(); print(threading.active_count())"
    clean = {name: value for name, value in os.environ.items() if name != "CLOISTER_PARENT"}
    assert subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True).stdout == b"1\n"
