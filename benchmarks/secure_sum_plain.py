"""The run to compare with: one exchange a round, float32 values in the clear, no authority; as a site's worker.

    python -m benchmarks.secure_sum_plain --config FILE       in the place of federated.site.worker

It exists here and nowhere in the product: whoever runs the SuperLink reads every site's values.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from contracts.messages import RefusalCode
from contracts.region import Task, load_region
from federated.envelope import Request
from federated.runtime import RuntimeConnection
from federated.site.rows import load_rows
from federated.site.settings import WorkerSettings
from federated.site.worker import Worker

VALUE = np.dtype("<f4")


class PlainApplication:
    """Answers a round with the site's own values; takes the last total."""

    def __init__(self, settings: WorkerSettings) -> None:
        (task,) = load_region(settings.region).tasks
        self._values = task.training.max_rows
        self._rows = _x(settings, task)
        self.total = np.zeros(0, VALUE)

    def answer(self, request: Request) -> bytes:
        """The term of a round, 4 bytes a value."""
        for total in request.named("total"):
            self.total = np.frombuffer(total, VALUE)
        return np.resize(self._rows, self._values).astype(VALUE).tobytes()

    def refuse(self, code: RefusalCode, run: str = "", round_no: int | None = None, about: str = "") -> bytes:
        """Nothing: the benchmark fails on an answer of no values."""
        return b""


def _x(settings: WorkerSettings, task: Task) -> np.ndarray:
    snapshot = load_rows(settings.site_zone, task)
    if snapshot is None:
        raise RuntimeError(f"no rows for {task.name}")
    return np.asarray(snapshot.rows["x"])


def main() -> None:
    settings = WorkerSettings.load(Path(sys.argv[sys.argv.index("--config") + 1]))
    Worker(RuntimeConnection(settings.endpoint(), "cloister-worker"), PlainApplication(settings)).run()


if __name__ == "__main__":
    main()
