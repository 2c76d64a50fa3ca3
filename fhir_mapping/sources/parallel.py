"""Work on pieces of files in parallel: results in the order of the pieces, a bounded number of them in memory.

Threads, not processes: reading HL7 v2, CSV and JSON Lines is Arrow's and NumPy's work, which lets other threads run
meanwhile. No copy of a row passes between processes, and nothing has to be started. For CDA see
``fhir_mapping.bronze_documents``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def worker_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """``function`` of each piece, in order; in this thread on one core. At most a core's count plus one wait."""
    workers = worker_count()
    if workers == 1:
        yield from map(function, pieces)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, "rows") as executor:
        try:
            for piece in pieces:
                waiting.append(executor.submit(function, piece))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
