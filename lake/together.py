"""Several jobs of one engine at a time: what one leaves idle (planning, a scan of one file) another uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_together(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """Run jobs in threads, as many at a time as there are cores; their results in order.

    Raises:
        The first failed job's exception, when all have ended: no job is left running behind it.
    """
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1), "engine") as executor:
        running = [executor.submit(job) for job in jobs]
    return [future.result() for future in running]
