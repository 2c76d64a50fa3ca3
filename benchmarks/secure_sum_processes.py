"""Rounds of one sum through real processes: TLS, node authentication, SuperLink, SuperNodes, workers, authority.

    python -m benchmarks.secure_sum_processes MODE VALUES ROUNDS [SITES]       prints JSON

MODE  secure  the product
      shared  the product with values of 17 bits, two of which share a slot
      clear   the same exchanges without tag, mask and encryption (``secure_sum_clear``)
      plain   one exchange a round, float32 in the clear, no authority (``secure_sum_plain``)

This process is the coordinator. One more round before those that are counted warms everything up.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.federation_bed import Bed
from benchmarks.number_task import write_numbers, write_region, write_task
from benchmarks.secure_sum_clear import in_the_clear
from benchmarks.secure_sum_plain import VALUE
from benchmarks.secure_sum_programs import NARROW, WIDE, program_digest
from contracts.region import load_region
from federated.coordinator.checkpoint import read_result
from federated.coordinator.run import train
from federated.coordinator.session import Session
from federated.envelope import Request, pack_requests
from federated.processes import Command
from secure_compute.authority_client import AuthorityClient

SITES = 4
ROWS = 64
_MODULES = {"clear": "benchmarks.secure_sum_clear", "plain": "benchmarks.secure_sum_plain"}


@dataclass
class MeasuredBed(Bed):
    """A federation whose workers and authority run in a mode of this benchmark."""

    mode: str = "secure"

    def start_authority(self) -> None:
        if self.mode != "plain":
            super().start_authority()

    def launch(self, name: str, command: Command) -> None:
        own, module = _MODULES.get(self.mode), command.argv.index("federated.leash") + 1
        if own is not None and name.startswith(("worker", "authority")):
            rest = command.argv[module + (self.mode == "plain") :]
            command = replace(command, argv=(*command.argv[:module], own, *rest))
        super().launch(name, command)

    def cpu(self) -> dict[str, float]:
        """CPU seconds by kind of process; this one is the coordinator."""
        kinds = {"coordinator": time.process_time()}
        for name in self.ids():
            kind = name.split("-")[0]
            kinds[kind] = kinds.get(kind, 0.0) + self.cpu_seconds(name)
        return kinds

    def memory(self) -> dict[str, float]:
        """Peak of resident memory by kind of process, MiB, of the largest one."""
        kinds: dict[str, float] = {"coordinator": _peak(os.getpid())}
        for name, number in self.ids().items():
            kind = name.split("-")[0]
            kinds[kind] = max(kinds.get(kind, 0.0), _peak(number))
        return kinds


@dataclass
class Watch:
    """What the coordinator did when: each exchange and opening, and the CPU of all at the end of each round."""

    bed: MeasuredBed
    rounds: list[dict[str, Any]] = field(default_factory=list)
    _exchanges: list[float] = field(default_factory=list)
    _last: tuple[float, dict[str, float]] = (0.0, {})

    def end_round(self, opening: float = 0.0) -> None:
        """A round is over; the first one only starts the clock."""
        now, cpu = time.monotonic(), self.bed.cpu()
        before, cpu_before = self._last
        if cpu_before:
            used = {kind: cpu[kind] - cpu_before[kind] for kind in cpu}
            self.rounds.append({"seconds": now - before, "exchanges": self._exchanges, "opening": opening, "cpu": used})
        self._exchanges, self._last = [], (now, cpu)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time the exchanges and openings of this process."""
        exchange, open_sum = Session.exchange, AuthorityClient.open

        def timed_exchange(session: Session, *arguments: Any, **named: Any) -> Iterator[tuple[str, list[bytes]]]:
            began = time.monotonic()
            yield from exchange(session, *arguments, **named)
            self._exchanges.append(time.monotonic() - began)

        def timed_open(client: AuthorityClient, *arguments: Any) -> bytes:
            began = time.monotonic()
            signed = open_sum(client, *arguments)
            self.end_round(time.monotonic() - began)
            return signed

        with patch.object(Session, "exchange", timed_exchange), patch.object(AuthorityClient, "open", timed_open):
            yield


def measure(folder: Path, mode: str, values: int, rounds: int, count: int = SITES) -> dict[str, Any]:
    """Rounds one by one, bytes of the terms, and peak memory."""
    sites = tuple(f"site{number:03d}" for number in range(count))
    name, units = f"sum_{values}_{rounds + 1}", NARROW if mode == "shared" else WIDE
    write_region(folder / "region")
    write_task(folder / "region", name, max_rounds=rounds + 1, max_rows=values, max_abs=units)
    bed = MeasuredBed(folder / "work", folder / "region", sites, "benchmarks.secure_sum_programs", mode=mode)
    for place, site in enumerate(sites):
        write_numbers(bed.area.site(site), name, (np.arange(ROWS) * 0.25 - place).tolist())
    task = load_region(bed.region).task(name)
    bed.approve(name, program_digest(task))
    watch = Watch(bed)
    try:
        bed.start()
        if mode == "plain":
            figures = _run_plain(bed, watch, values, rounds + 1)
        else:
            with watch.watching(), in_the_clear() if mode == "clear" else nullcontext():
                (run,) = train(bed.coordinator_settings(name), lambda _: None)
            if run.error is not None:
                raise run.error
            figures = read_result(bed.area.coordinator / "runs" / name)
        memory = bed.memory()
    finally:
        bed.stop()
    return {
        "rounds": watch.rounds,
        "memory": memory,
        "bytes_a_slot": figures["bytes_per_slot"],
        "bytes_a_value": sum(figures["bytes_out"].values()) / (count * (rounds + 1) * values),
    }


def _run_plain(bed: MeasuredBed, watch: Watch, values: int, rounds: int) -> dict[str, Any]:
    """Ask, add up, send the total with the next question."""
    parts: tuple[tuple[str, bytes], ...] = ()
    sent = dict.fromkeys(bed.sites, 0)
    with bed.session() as session, watch.watching():
        session.wait_online(60)
        for number in range(rounds):
            content = pack_requests([Request("round", "", number, parts=parts)])
            total, answered = np.zeros(values, np.float64), 0
            for site, (term,) in session.exchange(dict.fromkeys(bed.sites, content), seconds=300, group=str(number)):
                total += np.frombuffer(term, VALUE)
                sent[site] += len(term)
                answered += 1
            if answered != len(bed.sites):
                raise RuntimeError(f"{answered} of {len(bed.sites)} sites answered")
            parts = (("total", total.astype(VALUE).tobytes()),)
            watch.end_round()
    return {"bytes_out": sent, "bytes_per_slot": 4.0}


def _peak(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    mode, values, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else SITES
    with tempfile.TemporaryDirectory(prefix="cloister-sum-") as folder:
        print(json.dumps(measure(Path(folder), mode, values, rounds, count)))


if __name__ == "__main__":
    main()
