"""Start, watch, restart and stop the processes of a deployment on one machine; none is left behind."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from contracts.errors import CloisterError
from federated.leash import leash

STOP_SECONDS = 8.0
WATCH_SECONDS = 0.1


@dataclass(frozen=True)
class Restarts:
    """How a process that ended by itself is started again; all in seconds but ``tries``.

    Attributes:
        pause: before the first restart; doubles with each one, up to ``longest``.
        longest: pause.
        steady: a process that lived so long is restarted after ``pause`` again.
        tries: one that ended so often within ``within`` is given up.
        within: see there.
    """

    pause: float = 0.2
    longest: float = 5.0
    steady: float = 30.0
    tries: int = 8
    within: float = 60.0


@dataclass
class _Watched:
    """One process of the supervisor, through all its lives."""

    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes]
    started: float
    pause: float
    back_at: float | None = None
    is_down: bool = False
    is_given_up: bool = False
    ends: deque[float] = field(default_factory=deque)


class Supervisor:
    """Processes by name, each with a log of its own; one that ends by itself is started again.

    Leaving the context stops all, the last started first. A thread watches while there is something to watch.
    """

    def __init__(self, restarts: Restarts | None = None) -> None:
        self._restarts = restarts or Restarts()
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start a process that ends when this one does (federated.leash); its output goes to ``log``, mode 0600.

        The log begins anew here and is continued by restarts.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        with self._lock:
            process = _run(argv, env, log)
            self._watched[name] = _Watched(argv, env, log, process, time.monotonic(), self._restarts.pause)
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Raise CloisterError naming a process that was given up, its exit code and its log."""
        with self._lock:
            for name, watched in self._watched.items():
                if watched.is_given_up:
                    code = watched.process.returncode
                    raise CloisterError(f"{name} ended with code {code} again and again; see {watched.log}")

    def ids(self) -> dict[str, int]:
        """Process ids by name, of those that run now."""
        with self._lock:
            return {name: one.process.pid for name, one in self._watched.items() if one.process.poll() is None}

    def kill(self, name: str, *, down: bool = False) -> None:
        """End a process hard (SIGKILL), as a crash would; it comes back by itself, or, ``down``, by ``restart``."""
        with self._lock:
            watched = self._watched[name]
            watched.is_down = down
            self._end(watched)

    def restart(self, name: str) -> None:
        """Start a process that is down or given up; one that runs is ended hard first."""
        with self._lock:
            watched = self._watched[name]
            self._end(watched)
            watched.is_down = watched.is_given_up = False
            self._revive(watched)

    def stop(self) -> None:
        """Stop watching, then ask each to end, wait, then end it hard."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        running = [one.process for one in reversed(self._watched.values()) if one.process.poll() is None]
        for process in running:
            process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._watched.clear()

    def _end(self, watched: _Watched) -> None:
        """End it hard; an end on purpose is no failure."""
        watched.process.kill()
        watched.process.wait()
        watched.ends.clear()
        watched.pause = self._restarts.pause

    def _watch(self) -> None:
        while not self._over.wait(WATCH_SECONDS):
            with self._lock:
                for watched in self._watched.values():
                    if watched.process.poll() is not None and not (watched.is_down or watched.is_given_up):
                        self._attend(watched, time.monotonic())

    def _attend(self, watched: _Watched, now: float) -> None:
        """A process is dead: note it, set the time of its return, and start it when that has come."""
        if watched.back_at is None:
            if now - watched.started >= self._restarts.steady:
                watched.pause = self._restarts.pause
            watched.ends.append(now)
            while watched.ends[0] < now - self._restarts.within:
                watched.ends.popleft()
            watched.is_given_up = len(watched.ends) >= self._restarts.tries
            watched.back_at = now + watched.pause
            watched.pause = min(2 * watched.pause, self._restarts.longest)
        elif now >= watched.back_at:
            self._revive(watched)

    def _revive(self, watched: _Watched) -> None:
        watched.process = _run(watched.argv, watched.env, watched.log)
        watched.started, watched.back_at = time.monotonic(), None


def _run(argv: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            list(argv),
            env={**env, **leash()},
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
