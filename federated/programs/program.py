"""The sum program of a task: describe, (weigh,) (start,) solve ..., measure. Every stage is one sum, one round."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from contracts.region import Task
from contracts.sums import Arrays, Layout, State
from contracts.text import BucketCounts
from federated.programs import gradient, measure, newton, standard
from federated.programs.classes import known_classes, learning_order, training_targets
from federated.programs.logistic import Design
from federated.programs.rows import Sample, read_sample
from secure_compute.fixed_point import CLIPPED

VERSION = 1
"""Raised whenever equal tasks and rows may give another model or another sequence of sums."""


def program_digest(task: Task) -> str:
    """SHA-256, hex, over what decides a task's sums: its feature spec, training settings and this code's version."""
    said = {
        "version": VERSION,
        "features": task.features.model_dump(mode="json"),
        "training": task.training.model_dump(mode="json"),
    }
    return hashlib.sha256(
        json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


class TaskProgram:
    """Implements ``contracts.sums.SumProgram`` for one task.

    The state holds ``stage`` (``describe``, ``weigh``, ``start``, ``solve``, ``measure``, ``done``), ``rounds`` (sums
    taken so far), ``solver_rounds``, ``clipped_values`` (that sites clipped, over all sums) and the arrays of the
    stages. What a site derives from its rows is kept between rounds, as long as the same arrays are passed; it changes
    no result.
    """

    def __init__(self, task: Task) -> None:
        standard.check_inputs(task)
        self.task = task
        self.name = task.name
        self._desks: dict[int, _Desk] = {}

    def initial(self) -> State:
        return {"stage": "describe", "rounds": 0, "solver_rounds": 0, "clipped_values": 0.0}

    def layout(self, state: State) -> Layout:
        match state["stage"]:
            case "describe":
                return standard.layout(self.task)
            case "weigh":
                return standard.frequency_layout(state)
            case "start":
                return gradient.start_layout(self.task, state)
            case "solve":
                return self._solver.layout(self.task, state)
            case "measure":
                return measure.layout(self.task, state)
        raise ValueError(f"no sum is due in stage {state['stage']!r}")

    def term(self, rows: Arrays | Sample, state: State) -> dict[str, np.ndarray]:
        """See ``contracts.sums``; ``rows`` as ``federated.programs.rows`` says, or an already read Sample."""
        desk = self._desk(rows)
        match state["stage"]:
            case "describe":
                return standard.term(self.task, desk.sample, desk.counted)
            case "weigh":
                return standard.frequency_term(self.task, desk.sample, desk.counted, state)
            case "start":
                return gradient.start_term(desk.designs(state), state)
            case "solve":
                return self._solver.term(desk.designs(state), state)
            case "measure":
                return measure.term(self.task, desk.sample, desk.designs(state), state)
        raise ValueError(f"no sum is due in stage {state['stage']!r}")

    def advance(self, state: State, total: Mapping[str, np.ndarray]) -> State:
        clipped = state["clipped_values"] + float(total.get(CLIPPED, 0.0))
        following = {**state, "rounds": state["rounds"] + 1, "clipped_values": clipped}
        match state["stage"]:
            case "describe":
                return self._described({**following, **standard.advance(self.task, total)})
            case "weigh":
                return {**following, "patients": total["patients"], "stage": "start"}
            case "start":
                return {**following, **gradient.begin(self.task, state, total), "stage": "solve"}
            case "solve":
                return self._solved({**following, **self._solver.advance(self.task, state, total)})
            case "measure":
                return {**following, "metrics": measure.figures(total), "stage": "done"}
        raise ValueError(f"no sum is due in stage {state['stage']!r}")

    def change(self, before: State, after: State) -> float:
        """The smallest over the fits: where one of them stands still, its part of the sum repeats."""
        if (before["stage"], after["stage"]) != ("solve", "solve"):
            return float("inf")
        last, following = self._solver.asked_at(before), self._solver.asked_at(after)
        moved = (
            np.abs(following[fit] - last[fit]).max() / max(float(np.abs(following[fit]).max()), 1e-300)
            for fit in following.keys() & last.keys()
        )
        return float(min(moved, default=float("inf")))

    def is_done(self, state: State) -> bool:
        return bool(state["stage"] == "done")

    @property
    def _solver(self) -> Any:
        return newton if self.task.training.solver == "newton" else gradient

    def _described(self, state: dict[str, Any]) -> State:
        training, codes = self.task.training, self.task.features.label.classes
        known = known_classes(codes, state["labels"], training.min_class_rows)
        state = {**state, "known": known, "rank": learning_order(codes, state["labels"])}
        if training.solver == "newton":
            scores = 1 if len(known) == 2 else len(known)
            shape = (len(state["rows"]), scores, 1 + state["mean"].shape[1])
            return {**state, **newton.begin(shape), "stage": "solve"}
        return {**state, "stage": "weigh" if training.idf and len(state["selected"]) else "start"}

    def _solved(self, state: dict[str, Any]) -> State:
        rounds = state["solver_rounds"] + 1
        is_newton = self.task.training.solver == "newton"
        left = len(state["open"]) if is_newton else len(gradient.open_fits(state))
        state = {**state, "solver_rounds": rounds, "unfinished": left}
        if left and rounds < self.task.training.max_rounds:
            return state
        if not is_newton:
            state = gradient.shrink({**state, "parameters": gradient.finish(state)})
        return {**state, "stage": "measure"}

    def _desk(self, rows: Arrays | Sample) -> _Desk:
        desk = self._desks.get(id(rows))
        if desk is None or desk.rows is not rows:
            sample = rows if isinstance(rows, Sample) else read_sample(rows, self.task)
            desk = self._desks[id(rows)] = _Desk(self.task, rows, sample)
        return desk


class _Desk:
    """What one site derives from its rows in a run: the sample and, once encoders are public, the designs."""

    def __init__(self, task: Task, rows: Arrays | Sample, sample: Sample) -> None:
        self.task = task
        self.rows = rows
        self.sample = sample
        self.counted = standard.count_texts(task, sample)
        self._designs: dict[int, Design] = {}
        self._scale: np.ndarray | None = None

    def designs(self, state: State) -> dict[int, Design]:
        """A design for every fit of the state."""
        if self._scale is not state["scale"]:
            self._designs = _make_designs(self.task, self.sample, self.counted, state)
            self._scale = state["scale"]
        return self._designs


def _make_designs(task: Task, sample: Sample, counted: BucketCounts, state: State) -> dict[int, Design]:
    target = training_targets(sample.carries, state["known"], state["rank"])
    designs = {}
    for fit in range(len(state["rows"])):
        encoded = standard.encoder(task, state, fit).encode(sample.columns, counted)
        text = sparse.csr_matrix(
            (encoded.values, encoded.indices, encoded.indptr), shape=(len(sample), len(state["selected"]))
        )
        dense = np.hstack([np.ones((len(sample), 1)), encoded.dense])
        weight = (~sample.test[fit] & (target >= 0)).astype(np.float64)
        designs[fit] = Design(dense, text, target, weight)
    return designs
