"""One training run whose parties are killed in it; the coordinator is started again as ``cloister run`` does."""

from __future__ import annotations

import json
import math
import queue
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fault_plan import Kill
from benchmarks.fault_region import FaultRegion
from federated.coordinator.settings import CoordinatorSettings

LONGEST_SECONDS = 500.0
"""A run that lasts longer hangs."""

FIRST_SECONDS = 5.0
"""In which a coordinator starts up."""

LAST_EXIT_CODE = 5
"""Of an end that the coordinator chose (contracts.errors)."""


@dataclass
class Outcome:
    """How a run went.

    Attributes:
        seconds: from the start of the first coordinator to the end of the last one.
        marks: seconds and exchange (``"3 reveal"``) of each that was concluded, and of the end.
        kills: seconds and kill of those that were carried out; the run may have ended before others.
        error: name of the error that closed the run; None: it is done.
    """

    seconds: float = 0.0
    marks: list[tuple[float, str]] = field(default_factory=list)
    kills: list[tuple[float, Kill]] = field(default_factory=list)
    error: str | None = None
    message: str = ""
    is_done: bool = False
    is_hung: bool = False

    def count(self) -> int:
        return len(self.marks)


class _Life:
    """One process of the coordinator; its events as they come, None when it has ended."""

    def __init__(self, region: FaultRegion, settings: CoordinatorSettings) -> None:
        self.process: subprocess.Popen[bytes] = region.bed.start_coordinator(settings)
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                if line.endswith(b"\n"):  # a killed process may leave half a line
                    self.events.put(json.loads(line))
        self.events.put(None)

    def end(self) -> int:
        """Its exit code; it is ended hard if it still runs."""
        self.process.kill()
        code = self.process.wait()
        self._thread.join()
        return code


class FaultRun:
    """Carries out the kills of a plan while a program is trained."""

    def __init__(self, region: FaultRegion, settings: CoordinatorSettings, kills: Iterable[Kill]) -> None:
        self._region = region
        self._settings = settings
        self._due = list(kills)
        self._back: list[tuple[float, str]] = []
        self._reached = {0: 0.0}
        self._started = time.monotonic()
        self.outcome = Outcome()

    def go(self) -> Outcome:
        """Run to the end. Parties that were kept away are back when this returns."""
        life = _Life(self._region, self._settings)
        try:
            while True:
                if self._now() > LONGEST_SECONDS:
                    self.outcome.is_hung = True
                    break
                self._kill_due(life)
                try:
                    event = life.events.get(timeout=0.02)
                except queue.Empty:
                    continue
                if event is not None:
                    self._note(event)
                elif 0 <= (code := life.process.wait()) <= LAST_EXIT_CODE:
                    break
                elif self._region.has_result():  # killed at the very end
                    self.outcome.is_done, self.outcome.error = True, None
                    break
                else:
                    self.outcome.message = f"the coordinator ended with code {code}"
                    life = _Life(self._region, self._settings)
        finally:
            life.end()
        self.outcome.seconds = self._now()
        for _, name in self._back:
            self._region.bed.restart(name)
        return self.outcome

    def _now(self) -> float:
        return time.monotonic() - self._started

    def _note(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "exchange":
            opened = event["phase"] == "reveal"
            self._mark(f"{event['round'] - opened} {event['phase']}")
        elif kind == "done":
            self._mark("done")
            self.outcome.is_done, self.outcome.error = True, None
        elif kind == "error":
            self.outcome.error, self.outcome.message = event["error"], event["message"]

    def _mark(self, name: str) -> None:
        self.outcome.marks.append((self._now(), name))
        self._reached[self.outcome.count()] = self._now()

    def _kill_due(self, life: _Life) -> None:
        now = self._now()
        for at, name in [one for one in self._back if one[0] <= now]:
            self._region.bed.restart(name)
            self._back.remove((at, name))
        for kill in [one for one in self._due if self._is_due(one, now)]:
            self._due.remove(kill)
            if kill.kind == "coordinator":
                life.process.kill()
            elif any(name == kill.name for _, name in self._back):
                continue  # it is away already
            else:
                self._region.bed.kill(kill.name, down=kill.away is not None)
                if kill.away is not None:
                    self._back.append((now + kill.away if math.isfinite(kill.away) else math.inf, kill.name))
            self.outcome.kills.append((now, kill))

    def _is_due(self, kill: Kill, now: float) -> bool:
        reached = self._reached.get(kill.after)
        if reached is None:
            return False
        lasted = reached - self._reached[kill.after - 1] if kill.after else FIRST_SECONDS
        return now >= reached + kill.part * lasted
