"""Workers that die or hang cost the record at hand, not the task, not the run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from fhir_mapping.convert.pool import CRASHED, HUNG, run_tasks


def _work(task: tuple[int, str], left_out: Mapping[int, str], tick: Callable[[int], None]) -> list[str]:
    """Three records a task; the second of a ``crash`` or ``hang`` task does so."""
    number, what = task
    done = []
    for record in range(3):
        tick(record)
        if record in left_out:
            done.append(left_out[record])
        elif record == 1 and what == "crash":
            os._exit(9)
        elif record == 1 and what == "hang":
            time.sleep(600)
        else:
            done.append(f"{number}.{record}")
    return done


def test_results_come_in_order_and_a_crash_or_hang_costs_one_record() -> None:
    tasks = [(0, "fine"), (1, "crash"), (2, "fine"), (3, "hang"), (4, "fine")]
    results = list(run_tasks(_work, tasks, 2, limit=3.0))
    assert results == [
        ["0.0", "0.1", "0.2"],
        ["1.0", CRASHED, "1.2"],
        ["2.0", "2.1", "2.2"],
        ["3.0", HUNG, "3.2"],
        ["4.0", "4.1", "4.2"],
    ]


def test_no_tasks_no_results() -> None:
    assert list(run_tasks(_work, [], 4)) == []
