"""Work on pieces of files in parallel: results in the order of the pieces, a bounded number of them in memory.

Threads where the work is Arrow's and NumPy's, which let others run meanwhile; processes where it is Python's. Processes
are spawned, so that the pool works under any engine, and live until the program ends: starting them takes longer than
reading a small delivery.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def worker_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """``function`` of each piece, in order; one at a time on one core."""
    workers = worker_count()
    if workers == 1:
        yield from map(function, pieces)
        return
    with ThreadPoolExecutor(workers, "rows") as executor:
        yield from _ordered(executor, function, pieces, workers + 1)


def in_processes(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """``function`` (of a module, not nested) of each piece, in order; in this process on one core."""
    workers = worker_count()
    if workers == 1:
        yield from map(function, pieces)
        return
    yield from _ordered(_processes(workers), function, pieces, 2 * workers)


@cache
def _processes(workers: int) -> ProcessPoolExecutor:
    executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    atexit.register(executor.shutdown, wait=False, cancel_futures=True)
    return executor


def _ordered(
    executor: Executor, function: Callable[[Piece], Result], pieces: Iterable[Piece], ahead: int
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(executor.submit(function, piece))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
