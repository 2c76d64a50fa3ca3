"""The solver for models with text: class sums once, which give the start, then one sum an L-BFGS evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from contracts.region import Task
from contracts.sums import Block, Layout
from federated.programs import lbfgs, logistic
from federated.programs.classes import class_weights
from federated.programs.lbfgs import PROBES
from federated.programs.logistic import Design
from federated.programs.newton import MAX_LOSS
from federated.programs.standard import FINE


def start_layout(task: Task, state: Mapping[str, Any]) -> Layout:
    """Rows and feature sums of each class, and sums of squared features, by fit."""
    fits, rows = len(state["rows"]), float(state["rows"][0])
    classes, dense, text = len(state["known"]), state["mean"].shape[1], len(state["selected"])
    widest = rows * task.training.max_abs
    blocks = [
        Block("class_rows", (fits, classes), rows),
        Block("class_dense", (fits, classes, 1 + dense), widest, widest * FINE),
    ]
    if text:
        blocks.append(Block("class_text", (fits, classes, text), rows, rows * FINE))
        blocks.append(Block("square_text", (fits, text), rows, rows * FINE))
    return tuple(blocks)


def start_term(designs: Mapping[int, Design], state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    sums: dict[str, list[np.ndarray]] = {"class_rows": [], "class_dense": [], "class_text": [], "square_text": []}
    for fit in range(len(state["rows"])):
        design = designs[fit]
        member = np.zeros((len(design.target), len(state["known"])))
        train = np.flatnonzero(design.weight)
        member[train, design.target[train]] = 1.0
        split = design.dense.shape[1]
        both = design.pull_back(member)
        sums["class_rows"].append(member.sum(axis=0))
        sums["class_dense"].append(both[:, :split])
        sums["class_text"].append(both[:, split:])
        sums["square_text"].append(np.asarray(design.text.power(2).T @ member.sum(axis=1)))
    has_text = len(state["selected"]) > 0
    return {name: np.array(values) for name, values in sums.items() if has_text or not name.endswith("_text")}


def begin(task: Task, state: Mapping[str, Any], total: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Class weights, and the search of every fit standing at zero, where class sums give the gradient."""
    weights = np.array([class_weights(rows, task.training.class_weight) for rows in total["class_rows"]])
    searches = []
    for fit, rows in enumerate(total["class_rows"]):
        sums = total["class_dense"][fit]
        square = np.full(sums.shape[1], rows.sum())
        if "class_text" in total:
            sums, square = np.hstack([sums, total["class_text"][fit]]), np.append(square, total["square_text"][fit])
        searches.append(_at_zero(task, rows, weights[fit], sums, square / rows.sum()))
    return {"weights": weights, "train_rows": total["class_rows"].sum(axis=1), "searches": tuple(searches)}


def _at_zero(task: Task, rows: np.ndarray, weight: np.ndarray, sums: np.ndarray, square: np.ndarray) -> lbfgs.Search:
    classes = len(rows)
    weighted = weight[:, None] * sums
    gradient = (weighted.sum(axis=0) / classes - weighted) / rows.sum()
    if classes == 2:
        gradient = gradient[1:]
    # Halfway (square root) between no scaling and the diagonal of the Hessian at zero: on 8,200 Chinese questions
    # the full diagonal is faster for ten rounds and slower after twenty.
    curve = square * (1.0 / classes) * (1.0 - 1.0 / classes) + task.training.l2
    scale = np.tile(1.0 / np.sqrt(curve * curve.mean()), len(gradient))
    search = lbfgs.start(np.zeros(gradient.size), scale)
    value = float(weight @ rows) / rows.sum() * np.log(classes)
    # No probe was summed at zero; the first evaluation only sets the direction.
    return lbfgs.advance(search, value, gradient.ravel(), (), task.training.tolerance)


def layout(task: Task, state: Mapping[str, Any]) -> Layout:
    """Weights have mean 1 over the training rows of all sites, so weighted sums keep the bounds of plain ones."""
    rows, m = float(state["rows"][0]), score_count(state)
    dense, text, fits = state["mean"].shape[1], len(state["selected"]), len(open_fits(state))
    widest = rows * task.training.max_abs
    blocks = [
        Block("loss", (fits, 1 + len(PROBES)), MAX_LOSS * rows, MAX_LOSS * rows * 2.0**-40),
        Block("gradient_dense", (fits, m, 1 + dense), widest, widest * FINE),
    ]
    if text:
        blocks.append(Block("gradient_text", (fits, m, text), rows, rows * FINE))
    return tuple(blocks)


def term(designs: Mapping[int, Design], state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    sums: dict[str, list[Any]] = {"loss": [], "gradient_dense": [], "gradient_text": []}
    for fit in open_fits(state):
        design, search = designs[fit], state["searches"][fit]
        weight = np.where(design.weight > 0, state["weights"][fit][np.maximum(design.target, 0)], 0.0)
        shape = (score_count(state), design.width)
        base = design.scores(search.point.reshape(shape))
        along = search.step * design.scores(search.direction.reshape(shape))
        losses = [logistic.loss(base + reach * along, design.target, weight) for reach in (1.0, *PROBES)]
        gradient = design.pull_back(logistic.residuals(base + along, design.target, weight))
        split = design.dense.shape[1]
        sums["loss"].append(losses)
        sums["gradient_dense"].append(gradient[:, :split])
        sums["gradient_text"].append(gradient[:, split:])
    if not len(state["selected"]):
        del sums["gradient_text"]
    return {name: np.array(values) for name, values in sums.items()}


def advance(task: Task, state: Mapping[str, Any], total: Mapping[str, np.ndarray]) -> dict[str, Any]:
    searches = list(state["searches"])
    for place, fit in enumerate(open_fits(state)):
        search, rows = searches[fit], state["train_rows"][fit]
        gradient = total["gradient_dense"][place]
        if "gradient_text" in total:
            gradient = np.hstack([gradient, total["gradient_text"][place]])
        losses = total["loss"][place] / rows
        penalties = [
            logistic.ridge(
                (search.point + reach * search.step * search.direction).reshape(gradient.shape), task.training.l2
            )
            for reach in (1.0, *PROBES)
        ]
        whole = losses + np.array([penalty for penalty, _ in penalties])
        slope = gradient / rows + penalties[0][1]
        searches[fit] = lbfgs.advance(search, float(whole[0]), slope.ravel(), whole[1:], task.training.tolerance)
    return {"searches": tuple(searches)}


def finish(state: Mapping[str, Any]) -> np.ndarray:
    """``(fits, m, p)`` parameters where the searches stand."""
    return np.array([search.point.reshape(score_count(state), -1) for search in state["searches"]])


def asked_at(state: Mapping[str, Any]) -> dict[int, np.ndarray]:
    """Where the next sum is taken, by open fit."""
    return {fit: state["searches"][fit].trial for fit in open_fits(state)}


def open_fits(state: Mapping[str, Any]) -> list[int]:
    return [fit for fit, search in enumerate(state["searches"]) if not search.stopped]


def score_count(state: Mapping[str, Any]) -> int:
    """m: one score for two classes, else one a class."""
    return 1 if len(state["known"]) == 2 else len(state["known"])


def shrink(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state without the searches' memory, once they are done with."""
    return {name: value for name, value in state.items() if name not in ("searches", "weights", "train_rows")}
