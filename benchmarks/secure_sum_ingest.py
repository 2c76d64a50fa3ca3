"""The coordinator's process, driven from files frame by frame in the place of the network; its CPU and memory.

    python -m benchmarks.secure_sum_ingest FOLDER       prints JSON, writes FOLDER/request.frame

FOLDER holds what ``secure_sum_scale`` wrote: roster, commission, descriptor, keys, terms and shares of every site.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.secure_sum_programs import layout_of
from governance.roster import read_roster
from secure_compute.aggregate import Aggregator


def ingest(folder: Path) -> dict[str, float]:
    """CPU seconds by step, and memory in MiB before the first term and at the peak."""
    importlib.import_module("federated.coordinator.run")  # what the coordinator's process holds besides
    plan = json.loads((folder / "plan.json").read_bytes())
    roster = read_roster((folder / "roster.json").read_bytes(), plan["commission"])
    added = Aggregator((folder / "descriptor.frame").read_bytes(), roster)
    sites, layout, figures = roster.sites, layout_of(plan["values"]), {}
    figures["keys"] = _timed(lambda: added.learn_keys((folder / f"{site}.key").read_bytes() for site in sites))
    added.start(0, 0, layout, added.state, sites)
    figures["idle_mb"] = _memory("VmRSS")

    def add_terms() -> None:
        for site in sites:
            added.add((folder / f"{site}.term").read_bytes())

    def take_shares() -> None:
        for site in sites:
            added.reveal((folder / f"{site}.share").read_bytes())

    figures["terms"] = _timed(add_terms)
    figures["keep"] = _timed(lambda: (folder / "round.frame").write_bytes(added.close()))
    figures["deal"] = _timed(lambda: [added.sealed_for(site) for site in sites])
    figures["shares"] = _timed(take_shares)
    figures["unmask"] = _timed(lambda: (folder / "request.frame").write_bytes(added.request()))
    figures["peak_mb"] = _memory("VmHWM")
    return figures


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _memory(name: str) -> float:
    """``VmRSS`` or ``VmHWM`` (its peak) of this process, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    print(json.dumps(ingest(Path(sys.argv[1]))))
