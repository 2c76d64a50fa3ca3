"""CPU seconds of each step of a round, sites and authority as objects in one process, secure and in the clear.

PYTHONPATH=.:tests/support python -m benchmarks.secure_sum_steps VALUES ROUNDS secure|clear      prints JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from secure_region import SNAPSHOT, RunningRun, SecureRegion

from benchmarks.secure_sum_clear import in_the_clear
from benchmarks.secure_sum_meter import AUTHORITY, COORDINATOR, SITE, Hook, Meter
from benchmarks.secure_sum_programs import layout_of

SITES = ("east", "north", "south", "west")


def measure(folder: Path, values: int, rounds: int, mode: str) -> dict[str, float]:
    """CPU seconds by step: of one site, of the coordinator for all sites, of the authority; a round."""
    hooks: Sequence[Sequence[Hook]] = (SITE, COORDINATOR, AUTHORITY) if mode == "secure" else ((), (), ())
    region = SecureRegion(folder, SITES)
    authority = region.authority()
    try:
        with in_the_clear() if mode == "clear" else nullcontext():
            run = region.start(authority)
            term = {"values": np.random.default_rng(0).normal(size=values)}
            _round(run, Meter(), values, term, hooks)
            meter = Meter()
            for _ in range(rounds):
                _round(run, meter, values, term, hooks)
    finally:
        authority.close()
    divisor = {"site": rounds * len(SITES), "coordinator": rounds, "authority": rounds}
    return {step: seconds / divisor[step.split()[0].rstrip(":")] for step, seconds in meter.seconds.items()}


def _round(
    run: RunningRun, meter: Meter, values: int, term: dict[str, np.ndarray], hooks: Sequence[Sequence[Hook]]
) -> None:
    site, coordinator, authority = hooks
    layout, added = layout_of(values), run.aggregator
    with meter.part("site asked", site):
        frames = [run.sessions[name].contribute(added.round, 0, layout, term, SNAPSHOT, SITES) for name in SITES]
    with meter.part("coordinator terms", coordinator):
        added.start(added.round, 0, layout, added.state, SITES)
        for frame in frames:
            added.add(frame)
        added.close()
    sealed = {name: added.sealed_for(name) for name in SITES}
    with meter.part("site reveals", site):
        shares = [run.sessions[name].reveal(added.round, 0, SITES, SITES, sealed[name]) for name in SITES]
    with meter.part("coordinator reveals", coordinator):
        for share in shares:
            added.reveal(share)
        request = added.request()
    with meter.part("authority", authority):
        signed = run.authority.open(run.run, request)
    with meter.part("coordinator total", ()):
        added.accept_total(signed)
    with meter.part("site total", ()):
        for name in SITES:
            run.sessions[name].accept_total(signed)


def main() -> None:
    values, rounds, mode = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory(prefix="cloister-steps-") as folder:
        print(json.dumps(measure(Path(folder), values, rounds, mode)))


if __name__ == "__main__":
    main()
