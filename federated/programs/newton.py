"""Newton's method, one sum a step: loss, gradient and Hessian of every fit still on its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from contracts.region import Task
from contracts.sums import Block, Layout
from federated.programs import logistic
from federated.programs.logistic import Design
from federated.programs.standard import FINE

MAX_LOSS = 64.0
"""Bound of a row's loss (nats): a score of 64 against the truth."""


def begin(shape: tuple[int, int, int]) -> dict[str, Any]:
    """State of the solver before the first sum; ``shape`` is (fits, m, p). Starts at zero."""
    zero = np.zeros(shape)
    fits = shape[0]
    return {"parameters": zero, "last": zero, "value": np.full(fits, np.inf), "open": np.arange(fits)}


def layout(task: Task, state: Mapping[str, Any]) -> Layout:
    """Bounds follow from the rows of all sites: no site has more."""
    _, m, p = state["parameters"].shape
    fits, rows, size = len(state["open"]), float(state["rows"][0]), m * p
    steep, curved = rows * task.training.max_abs, 0.25 * rows * task.training.max_abs**2
    return (
        Block("loss", (fits,), MAX_LOSS * rows, MAX_LOSS * rows * 2.0**-40),
        Block("gradient", (fits, size), steep, steep * 2.0**-40),
        Block("hessian", (fits, size * (size + 1) // 2), curved, curved * FINE),
    )


def term(designs: Mapping[int, Design], state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    _, m, p = state["parameters"].shape
    upper = np.triu_indices(m * p)
    sums: dict[str, list[Any]] = {"loss": [], "gradient": [], "hessian": []}
    for fit in state["open"]:
        design = designs[int(fit)]
        scores = design.scores(state["parameters"][fit])
        sums["loss"].append(logistic.loss(scores, design.target, design.weight))
        residual = logistic.residuals(scores, design.target, design.weight)
        sums["gradient"].append(design.pull_back(residual).ravel())
        sums["hessian"].append(logistic.hessian(design, scores)[upper])
    return {name: np.array(values) for name, values in sums.items()}


def advance(task: Task, state: Mapping[str, Any], total: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One step of every open fit: a full Newton step, or half the last step when the loss rose.

    A fit closes when its step is below the square root of the tolerance: Newton's error is squared by each step.
    """
    parameters, last, value = (state[name].copy() for name in ("parameters", "last", "value"))
    closed = []
    for place, fit in enumerate(state["open"]):
        rows = state["rows"][fit]
        penalty, pull = logistic.ridge(parameters[fit], task.training.l2)
        found = total["loss"][place] / rows + penalty
        if found > value[fit] + 1e-9:
            parameters[fit] = 0.5 * (parameters[fit] + last[fit])
            continue
        gradient = total["gradient"][place] / rows + pull.ravel()
        step = _solve(total["hessian"][place] / rows, gradient, pull.shape, task.training.l2)
        value[fit], last[fit] = found, parameters[fit]
        parameters[fit] = parameters[fit] - step
        if np.abs(step).max() <= task.training.tolerance**0.5:
            closed.append(fit)
    still = state["open"][~np.isin(state["open"], closed)]
    return {"parameters": parameters, "last": last, "value": value, "open": still}


def asked_at(state: Mapping[str, Any]) -> dict[int, np.ndarray]:
    """Where the next sum is taken, by open fit."""
    return {int(fit): state["parameters"][fit] for fit in state["open"]}


def _solve(triangle: np.ndarray, gradient: np.ndarray, shape: tuple[int, ...], l2: float) -> np.ndarray:
    size = len(gradient)
    curve = np.zeros((size, size))
    curve[np.triu_indices(size)] = triangle
    curve = curve + np.triu(curve, 1).T
    free = np.zeros(shape, bool)
    free[:, 0] = True
    curve[np.diag_indices(size)] += np.where(free.ravel(), 0.0, l2)
    # With a score for each class a constant added to all intercepts changes nothing: the least-norm step leaves it out.
    step = np.linalg.lstsq(curve, gradient, rcond=1e-10)[0]
    return np.asarray(step.reshape(shape))
