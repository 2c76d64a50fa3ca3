"""A round of many sites as objects, through the real sessions, aggregator, authority and serialisation.

    PYTHONPATH=.:tests/support python -m benchmarks.secure_sum_scale SITES VALUES      prints JSON

The aggregator that is measured is a process of its own (``secure_sum_ingest``), fed from files.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from secure_region import SNAPSHOT, RunningRun, SecureRegion

from benchmarks.secure_sum_meter import AUTHORITY, Meter
from benchmarks.secure_sum_programs import layout_of
from contracts.wire import unpack

R = TypeVar("R")


def measure(folder: Path, count: int, values: int) -> dict[str, float]:
    """Figures of one round of ``count`` sites: CPU seconds by party, bytes, memory."""
    sites = tuple(f"site{number:04d}" for number in range(count))
    region = SecureRegion(folder / "region", sites)
    authority, figures = region.authority(), {}
    try:
        run, figures["join"] = _timed(lambda: region.start(authority))
        frames = folder / "frames"
        figures["asked"] = _write_terms(frames, run, values)
        _write_run(frames, region, run, values)
        figures["revealed"] = _write_shares(frames, run)
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.secure_sum_ingest", str(frames)], stdout=subprocess.PIPE, check=True
        )
        figures |= {f"coordinator_{name}": value for name, value in json.loads(told.stdout).items()}
        request = (frames / "request.frame").read_bytes()
        meter = Meter()
        with meter.part("authority", AUTHORITY):
            signed = authority.open(run.run, request)
        figures["judge"] = meter.seconds["authority: read headers, judge"]
        figures["authority"] = sum(meter.seconds.values())
        figures["term_bytes"] = (frames / f"{sites[0]}.term").stat().st_size
        figures["request_bytes_a_site"] = (len(request) - _sum_bytes(request, count)) / count
        _, figures["total"] = _timed(lambda: [run.sessions[site].accept_total(signed) for site in sites])
    finally:
        authority.close()
    return figures


def _sum_bytes(request: bytes, sites: int) -> int:
    """Bytes of the summed ciphertexts, which stand behind the headers."""
    return sum(len(part) for part in unpack(request).parts[sites:])


def _write_run(frames: Path, region: SecureRegion, run: RunningRun, values: int) -> None:
    (frames / "plan.json").write_text(json.dumps({"commission": region.commission.public, "values": values}))
    (frames / "roster.json").write_bytes(region.signed_roster)
    (frames / "descriptor.frame").write_bytes(run.descriptor)
    for site, key in run.aggregator.keys.items():
        (frames / f"{site}.key").write_bytes(key)


def _write_terms(frames: Path, run: RunningRun, values: int) -> float:
    """Every site's term, one at a time; CPU seconds of all."""
    frames.mkdir()
    layout, sites, added = layout_of(values), tuple(run.sessions), run.aggregator
    term = {"values": np.random.default_rng(0).normal(size=values)}
    added.start(0, 0, layout, added.state, sites)
    seconds = 0.0
    for site, session in run.sessions.items():
        frame, took = _timed(partial(session.contribute, 0, 0, layout, term, SNAPSHOT, sites))
        (frames / f"{site}.term").write_bytes(frame)
        added.add(frame)
        seconds += took
    added.close()
    return seconds


def _write_shares(frames: Path, run: RunningRun) -> float:
    sites, seconds = tuple(run.sessions), 0.0
    for site, session in run.sessions.items():
        sealed = run.aggregator.sealed_for(site)
        frame, took = _timed(partial(session.reveal, 0, 0, sites, sites, sealed))
        (frames / f"{site}.share").write_bytes(frame)
        seconds += took
    return seconds


def _timed(work: Callable[[], R]) -> tuple[R, float]:
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cloister-scale-") as folder:
        print(json.dumps(measure(Path(folder), int(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
