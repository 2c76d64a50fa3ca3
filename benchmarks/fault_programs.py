"""A program of six sums for campaigns of kills: each total moves the state, bit by bit, so that none can be missed.

Its blocks are one of a single limb, one of two limbs, and one whose values are clipped at each site. No two sums ask
the same, so a site may drop out of any of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np

from contracts.region import Task
from contracts.sums import Arrays, Block, Layout, State

SUMS = 6
WAVES, SPIKES = 64, 8


class Waves:
    """State: ``sum`` (totals so far), ``pitch`` ``(64,)``, ``spikes`` ``(8,)``, ``clipped`` (values so far)."""

    name = "waves"

    def __init__(self, start: int) -> None:
        self._start = start

    def initial(self) -> State:
        pitch = np.linspace(0.1, 1.0, WAVES) + self._start / 1000.0
        return {"stage": "waves", "sum": 0, "pitch": pitch, "spikes": np.zeros(SPIKES), "clipped": 0.0}

    def layout(self, state: State) -> Layout:
        return (
            Block("rows", (), 1000.0),
            Block("waves", (WAVES,), 1e5, 2.0**-24),
            Block("spikes", (SPIKES,), 3.0, 2.0**-10),
        )

    def term(self, rows: Arrays, state: State) -> dict[str, np.ndarray]:
        x = rows["x"]
        waves = 100.0 * np.cos(x[:, None] * state["pitch"] + np.arange(WAVES)).sum(axis=0)
        return {"rows": np.asarray(float(len(x))), "waves": waves, "spikes": x[:SPIKES] * (1.0 + state["sum"])}

    def advance(self, state: State, total: Mapping[str, np.ndarray]) -> State:
        return {
            "stage": "waves",
            "sum": state["sum"] + 1,
            "pitch": state["pitch"] + total["waves"] / (100.0 * total["rows"]),
            "spikes": state["spikes"] + total["spikes"],
            "clipped": state["clipped"] + float(total["clipped_values"]),
        }

    def change(self, before: State, after: State) -> float:
        return math.inf

    def is_done(self, state: State) -> bool:
        return bool(state["sum"] >= SUMS)


def program_for(task: Task) -> Waves:
    return Waves(task.training.max_rows)


def program_digest(task: Task) -> str:
    return hashlib.sha256(f"waves {task.name} {task.training.max_rows}".encode()).hexdigest()
