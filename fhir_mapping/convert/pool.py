"""Worker processes that may die: the record at hand is named, the others of the task are still converted.

Each worker has one pipe and one shared number, the record it is at. When a worker dies (a crash in a C library, memory)
or stays at one record for longer than the limit, its task runs again in a new worker with that record left out.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Tick = Callable[[int], None]
"""Called by the work with the number of the record it begins."""
Work = Callable[[Task, Mapping[int, str], Tick], Result]
"""``work(task, left_out, tick)``: ``left_out`` maps numbers of records not to touch to the rule that says why."""

CRASHED = "converter_failed"
HUNG = "converter_timed_out"
RECORD_LIMIT_SECONDS = 300.0
_AHEAD = 4
"""Tasks taken from the source for each worker before their results are asked for: bounds memory."""


@dataclass
class _Job(Generic[Task]):
    number: int
    task: Task
    left_out: dict[int, str]


class _Worker(Generic[Task, Result]):
    def __init__(self, context: Any, work: Work[Task, Result]) -> None:
        self.at = context.Value("q", -1, lock=False)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.at, work), daemon=True)
        self.process.start()
        theirs.close()
        self.job: _Job[Task] | None = None
        self._seen = (-1, 0.0)

    def give(self, job: _Job[Task]) -> None:
        self.job, self.at.value = job, -1
        self._seen = (-1, time.monotonic())
        with contextlib.suppress(OSError):  # it died while idle: its pipe says so when results are collected
            self.pipe.send((job.task, job.left_out))

    def is_hung(self, limit: float) -> bool:
        """Whether it has been at the same record for longer than ``limit`` seconds."""
        record, now = int(self.at.value), time.monotonic()
        if record != self._seen[0]:
            self._seen = (record, now)
        return self.job is not None and now - self._seen[1] > limit

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def _serve(pipe: Connection, at: Any, work: Work[Any, Any]) -> None:
    def tick(record: int) -> None:
        at.value = record

    while True:
        try:
            task, left_out = pipe.recv()
        except (EOFError, KeyboardInterrupt, OSError):
            return
        try:
            pipe.send(work(task, left_out, tick))
        except KeyboardInterrupt:
            return


def run_tasks(
    work: Work[Task, Result],
    tasks: Iterable[Task],
    processes: int,
    *,
    limit: float = RECORD_LIMIT_SECONDS,
) -> Iterator[Result]:
    """Results in the order of the tasks.

    Args:
        work: a function (or picklable object) that raises for nothing but a bug of its own.
        tasks: taken lazily, a few ahead of the results.
        processes: workers, at least 1.
        limit: seconds a record may take.
    """
    pool: _Pool[Task, Result] = _Pool(work, processes, limit)
    try:
        yield from pool.results(tasks)
    finally:
        pool.close()


class _Pool(Generic[Task, Result]):
    def __init__(self, work: Work[Task, Result], processes: int, limit: float) -> None:
        # a fork is instant but unsafe beside other threads
        method = "fork" if threading.active_count() == 1 else "spawn"
        self._context = multiprocessing.get_context(method)
        self._work, self._processes, self._limit = work, processes, limit
        self._workers: list[_Worker[Task, Result]] = []
        self._again: deque[_Job[Task]] = deque()
        self._done: dict[int, Result] = {}

    def results(self, tasks: Iterable[Task]) -> Iterator[Result]:
        source = enumerate(tasks)
        taken = given = 0
        is_open = True
        while is_open or given < taken:
            while is_open and taken - given < self._processes * _AHEAD and self._has_room():
                number, task = next(source, (-1, None))
                is_open = task is not None
                if task is not None:
                    self._again.append(_Job(number, task, {}))
                    taken += 1
                    self._start()
            self._start()
            while given in self._done:
                yield self._done.pop(given)
                given += 1
            if given < taken and given not in self._done:
                self._collect()

    def _has_room(self) -> bool:
        return len(self._again) < self._processes

    def _start(self) -> None:
        while self._again:
            worker = next((worker for worker in self._workers if worker.job is None), None)
            if worker is None:
                if len(self._workers) >= self._processes:
                    return
                worker = _Worker(self._context, self._work)
                self._workers.append(worker)
            worker.give(self._again.popleft())

    def _collect(self) -> None:
        """Wait for a result, a death or a second; then look for workers that hang."""
        busy = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        for pipe in wait(list(busy), timeout=1.0):
            assert isinstance(pipe, Connection)
            worker = busy[pipe]
            try:
                result = pipe.recv()
            except (EOFError, OSError):
                self._replace(worker, CRASHED)
                continue
            assert worker.job is not None
            self._done[worker.job.number], worker.job = result, None
        for worker in [worker for worker in self._workers if worker.is_hung(self._limit)]:
            self._replace(worker, HUNG)

    def _replace(self, worker: _Worker[Task, Result], rule: str) -> None:
        job, record = worker.job, int(worker.at.value)
        worker.stop()
        self._workers.remove(worker)
        assert job is not None
        # -1: it died between records, so nothing of the task can be told apart
        record = -1 if record in job.left_out else record
        self._again.appendleft(_Job(job.number, job.task, {**job.left_out, record: rule}))

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()
