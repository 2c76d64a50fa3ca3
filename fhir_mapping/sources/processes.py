"""Python's own work on pieces of a file, on all cores: processes that live until the program ends.

Where the work is Arrow's or another library's that lets threads run, ``parallel.in_threads`` does without them.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

from fhir_mapping.sources.parallel import worker_count

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_starting = threading.Lock()
_pools: dict[int, ProcessPoolExecutor] = {}


def in_processes(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """``function`` (of a module, not nested) of each piece, in order; in this process on one core.

    At most two pieces a core wait or are worked on.
    """
    workers = worker_count()
    if workers == 1:
        yield from map(function, pieces)
        return
    pool, waiting = _pool(workers), deque[Future[Result]]()
    try:
        for piece in pieces:
            waiting.append(pool.submit(function, piece))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def are_running() -> bool:
    """Whether the processes were started before: then they are the faster way for little work too."""
    return bool(_pools)


def _pool(workers: int) -> ProcessPoolExecutor:
    with _starting:
        if workers not in _pools:
            # Spawned, since a fork would copy the threads' locks of an engine in whatever state they are.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent)
            atexit.register(pool.shutdown, wait=False, cancel_futures=True)
            _pools[workers] = pool
        return _pools[workers]


def _die_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
