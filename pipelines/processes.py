"""Start, watch and stop the processes of a deployment on one machine; none is left behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from contracts.errors import CloisterError
from federated.leash import leash

STOP_SECONDS = 8.0


class Supervisor:
    """Processes by name, each with a log of its own. Leaving the context stops all, the last started first."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, Path] = {}

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        """Start a process that ends when this one does (federated.leash); its output goes to ``log``, mode 0600."""
        log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            self._processes[name] = subprocess.Popen(
                list(argv),
                env={**env, **leash()},
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._logs[name] = log

    def check(self) -> None:
        """Raise CloisterError naming a process that ended by itself, its exit code and its log."""
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None:
                raise CloisterError(f"{name} ended with code {code}; see {self._logs[name]}")

    def ids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def stop(self) -> None:
        """Ask each to end, wait, then end it hard."""
        running = [process for process in reversed(self._processes.values()) if process.poll() is None]
        for process in running:
            process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
