"""How long a round takes with no work in it: four sites as real processes, TLS and node authentication on.

A round = one request to each site, one heartbeat frame back from each through its egress guard. On a shared machine
wall times are pessimistic; CPU seconds a round are steadier, so both are printed.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.federation_bed import Bed, write_result
from federated.coordinator.session import Session
from federated.envelope import Request, pack_requests

SITES = ("east", "north", "south", "west")
ROUNDS = 30
IDLE_SECONDS = 10.0
TARGET_SECONDS = 1.5
CHECKOUT = Path(__file__).resolve().parent.parent
RESULT = CHECKOUT / "benchmarks" / "results" / "rounds.json"


def main() -> None:
    """Measure, print a table, write ``benchmarks/results/rounds.json``."""
    with tempfile.TemporaryDirectory(prefix="cloister-bench-") as folder:
        result = measure(Path(folder))
    for name, value in result.items():
        shown = {part: round(number, 3) for part, number in value.items()} if isinstance(value, dict) else value
        print(f"  {name:<28} {shown}")
    write_result(RESULT, result)
    median = result["round_seconds"]["median"]
    print(f"  median of an empty round {median:.2f} s, target below {TARGET_SECONDS} s; written to {RESULT.name}")


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Seconds and CPU seconds of rounds, of idling and of starting."""
    bed = Bed(folder, CHECKOUT / "regions" / "demo", SITES)
    try:
        started = time.monotonic()
        bed.start()
        with bed.session() as session:
            if session.wait_online(120) != set(SITES):
                raise RuntimeError("not all sites came online")
            up = time.monotonic() - started
            start_cpu = _by_kind(_cpu(bed), 0)
            seconds, before = [], _cpu(bed)
            for number in range(ROUNDS + 1):
                seconds.append(_round(session, number))
            round_cpu = _by_kind(_difference(_cpu(bed), before), len(seconds))
            before = _cpu(bed)
            time.sleep(IDLE_SECONDS)
            idle_cpu = _by_kind(_difference(_cpu(bed), before), IDLE_SECONDS)
        waits = {name: waited for name, waited in bed.started_in.items() if name in ("superlink", "supernode-west")}
    finally:
        stopping = time.monotonic()
        bed.stop()
    warm = sorted(seconds[1:])
    return {
        "round_seconds": {
            "first": seconds[0],
            "median": statistics.median(warm),
            "fastest": warm[0],
            "ninth_decile": warm[int(0.9 * len(warm))],
            "slowest": warm[-1],
        },
        "round_cpu_seconds": round_cpu,
        "idle_cpu_seconds_a_second": idle_cpu,
        "start_cpu_seconds": start_cpu,
        "start_seconds": {"all_online": up, **waits},
        "stop_seconds": {"all": time.monotonic() - stopping},
        "machine": {"cores": float(os.cpu_count() or 1), "load": os.getloadavg()[0], "rounds": float(ROUNDS)},
    }


def _round(session: Session, number: int) -> float:
    started = time.monotonic()
    content = pack_requests([Request("ping", "", number)])
    answers = dict(session.exchange(dict.fromkeys(SITES, content), seconds=60, group=str(number)))
    if len(answers) != len(SITES):
        raise RuntimeError(f"round {number}: {len(answers)} of {len(SITES)} sites answered")
    return time.monotonic() - started


def _cpu(bed: Bed) -> dict[str, float]:
    return {name: bed.cpu_seconds(name) for name in bed.ids()}


def _difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in before}


def _by_kind(cpu: dict[str, float], divisor: float) -> dict[str, float]:
    """Sums over sites, divided by rounds or seconds (0: not divided)."""
    kinds: dict[str, float] = {}
    for name, seconds in cpu.items():
        kind = name.split("-")[0]
        kinds[kind] = kinds.get(kind, 0.0) + seconds / (divisor or 1.0)
    return kinds | {"all": sum(kinds.values())}


if __name__ == "__main__":
    main()
