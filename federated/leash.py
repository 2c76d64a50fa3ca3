"""A process that ends with the one that started it: no SuperNode or worker is left behind after a crash.

    python -m federated.leash MODULE ARGUMENTS...        runs any module so

The starter puts its process id into ``CLOISTER_PARENT``; ``hold`` then watches that this process is still our parent.
Linux's PR_SET_PDEATHSIG is not used: it fires when the *thread* that started the child ends, not the process.
Without the variable (a service under systemd or in a container) nothing is watched.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

PARENT_VARIABLE = "CLOISTER_PARENT"
LOOK_SECONDS = 0.5
GRACE_SECONDS = 3.0


def leash() -> dict[str, str]:
    """The environment entry that ties a child to the calling process."""
    return {PARENT_VARIABLE: str(os.getpid())}


def hold() -> None:
    """Watch the parent named in the environment from a thread; when it is gone, end as SIGTERM would, then hard."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent:
        threading.Thread(target=_watch, args=(int(parent),), name="leash", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Run the module named first on the command line, as ``python -m`` would, on the leash."""
    hold()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
