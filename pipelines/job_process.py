"""Run jobs in processes of their own, forked from one server that has imported the libraries but opened nothing.

A job tells its progress over a pipe, as a stage and words that hold counts only; all else it prints goes to its log.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from contracts.errors import CloisterError
from federated.leash import PARENT_VARIABLE, hold

PRELOAD = ["pipelines.preload"]
Tell = Callable[[str, str, str], None]
"""``tell(who, stage, words)``."""
Report = Callable[[str, str], None]
"""``report(stage, words)``: what a job is given."""


@dataclass(frozen=True)
class Job:
    """A function run as ``target(*arguments, report)`` in a process of its own.

    Attributes:
        who: a site's name, or ``region``.
        log: file that gets standard output and error of the process, mode 0600 as all files that a job makes.
    """

    who: str
    target: Callable[..., None]
    arguments: tuple[Any, ...]
    log: Path


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    started: float


def run_jobs(jobs: Sequence[Job], tell: Tell, at_once: int | None = None) -> dict[str, float]:
    """Run the jobs, at most ``at_once`` (default: the number of cores) at a time.

    Returns:
        Seconds each took, by ``who``.

    Raises:
        CloisterError: some failed; names each, its reason and the first one's log. The others have finished.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    waiting, running = list(jobs), dict[Connection, _Running]()
    seconds: dict[str, float] = {}
    failures: list[tuple[Job, str]] = []
    try:
        while waiting or running:
            while waiting and len(running) < (at_once or os.cpu_count() or 1):
                job = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_main, args=(job, theirs), name=f"cloister-{job.who}")
                process.start()
                theirs.close()
                running[ours] = _Running(job, process, time.monotonic())
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                one = running[ready]
                message = _receive(ready)
                if message is not None and message[0] != "end":
                    tell(one.job.who, message[0], message[1])
                    continue
                del running[ready]
                one.process.join()
                seconds[one.job.who] = time.monotonic() - one.started
                reason = message[1] if message else f"its process ended with code {one.process.exitcode}"
                if reason:
                    failures.append((one.job, reason))
    finally:
        for one in running.values():
            one.process.terminate()
            one.process.join(10)
    if failures:
        words = "; ".join(f"{job.who}: {reason}" for job, reason in failures)
        raise CloisterError(f"{words}. The whole story is in {failures[0][0].log}")
    return seconds


def end_server() -> None:
    """Stop the server that jobs are forked from and wait for its end; the next ``run_jobs`` starts another.

    The resource tracker serves every worker process of this program: it is waited for only where no worker is left,
    since it lives as long as one does.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    if not multiprocessing.active_children():
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def _receive(connection: Connection) -> tuple[str, str] | None:
    try:
        message: tuple[str, str] = connection.recv()
        return message
    except EOFError:
        return None


def _main(job: Job, progress: Connection) -> None:
    """The child. The text of an error that is not ours may hold a value, so it goes to the log only."""
    os.umask(0o077)
    _log_to(job.log)
    os.environ[PARENT_VARIABLE] = str(os.getppid())
    hold()
    reason = ""
    try:
        job.target(*job.arguments, lambda stage, words: progress.send((stage, words)))
    except CloisterError as known:
        traceback.print_exc()
        reason = str(known)
    except Exception as unknown:
        traceback.print_exc()
        reason = type(unknown).__name__
    progress.send(("end", reason))


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
