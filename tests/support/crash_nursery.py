"""Runs that can be killed: a process that has imported everything forks one for each line ``ZONE REGION`` it reads.

It answers with the child's process id, then, when the child has ended, with its exit code (-9: killed). Each child
leads a process group of its own, so that killing the group takes its helpers along.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from small_site import run

from contracts.region import load_region
from contracts.zone import SiteZone
from lake.engine import open_engine


def serve() -> None:
    for line in sys.stdin:
        zone, region = line.split()
        child = os.fork()
        if not child:
            os.setsid()
            with open_engine() as session:
                run(session, SiteZone(Path(zone), "north"), load_region(Path(region)))
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
