"""Python's own work on pieces of a file, on all cores: processes that live until the program ends.

Where the work is Arrow's or another library's that lets threads run, ``parallel.in_threads`` does without them.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from fhir_mapping.sources.parallel import worker_count
from lake.environment import environment

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_SETTINGS = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=20000"}
"""A document is thousands of small allocations, freed together: by default all but seven of a size go through the whole
allocator each time. Other C libraries take no notice."""

_OBJECTS = 50_000
"""Objects that a worker makes before Python looks for cycles among them. Records have none; the usual 700 took a
twentieth of the time."""

_starting = threading.Lock()
_pools: dict[int, ProcessPoolExecutor] = {}


def in_process(function: Callable[[Piece], Result], piece: Piece) -> Result:
    """``function`` (of a module, not nested) of a piece, in another process, while this thread waits.

    On one core, in this process. Meant to be called by as many threads as there are cores.

    Raises:
        BrokenProcessPool: a process was killed, for want of memory maybe; the next call starts others.
    """
    workers = worker_count()
    if workers == 1:
        return function(piece)
    pool = _pool(workers)
    try:
        return pool.submit(function, piece).result()
    except BrokenProcessPool:
        with _starting:
            if _pools.get(workers) is pool:
                del _pools[workers]
        raise


def _pool(workers: int) -> ProcessPoolExecutor:
    with _starting:
        if workers not in _pools:
            # Spawned, since a fork would copy the threads' locks of an engine in whatever state they are.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare)
            atexit.register(pool.shutdown, wait=False, cancel_futures=True)
            # A process starts when there is work and none is idle: all of them now, while the settings hold.
            with environment(**_SETTINGS):
                for _ in range(workers):
                    pool.submit(os.getpid)
            _pools[workers] = pool
        return _pools[workers]


def _prepare() -> None:
    gc.set_threshold(_OBJECTS)
    _die_with_parent()


def _die_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
