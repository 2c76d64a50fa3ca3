"""Programs to measure: a task adds up ``training.max_rows`` values, ``training.max_rounds`` times.

A value has ``training.max_abs`` units on either side of zero.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np

from contracts.region import Task
from contracts.sums import Arrays, Block, Layout, State

BOUND = 1024.0
WIDE, NARROW = 2**30, 2**16
"""Units of a value: one limb for up to 390 sites (31 bits); two values a slot for up to four (17 bits)."""


class Summing:
    """Adds ``values`` values ``rounds`` times. The state keeps the last total's first element alone."""

    name = "summing"

    def __init__(self, values: int, rounds: int, units: int) -> None:
        self._values = values
        self._units = units
        self._rounds = rounds

    def initial(self) -> State:
        return {"stage": "sum", "rounds": 0, "first": 0.0}

    def layout(self, state: State) -> Layout:
        return layout_of(self._values, self._units)

    def term(self, rows: Arrays, state: State) -> dict[str, np.ndarray]:
        return {"values": np.resize(rows["x"], self._values)}

    def advance(self, state: State, total: Mapping[str, np.ndarray]) -> State:
        return {"stage": "sum", "rounds": state["rounds"] + 1, "first": float(total["values"][0])}

    def change(self, before: State, after: State) -> float:
        return math.inf

    def is_done(self, state: State) -> bool:
        return bool(state["rounds"] >= self._rounds)


def layout_of(values: int, units: int = WIDE) -> Layout:
    return (Block("values", (values,), BOUND, BOUND / units),)


def program_for(task: Task) -> Summing:
    return Summing(task.training.max_rows, task.training.max_rounds, int(task.training.max_abs))


def program_digest(task: Task) -> str:
    training = task.training
    return hashlib.sha256(f"{training.max_rows} {training.max_rounds} {training.max_abs}".encode()).hexdigest()
