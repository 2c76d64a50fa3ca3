"""Last sum: how well every fit predicts the rows it did not learn from. Nothing in it belongs to a single site.

A prediction is right when it is any of the record's codes; then it also counts as the record's true class, otherwise
the code the record would have taught does. AUC over all sites comes from histograms of scores (ties count half). The
``mean_of_sites`` figures are sums of each hospital's own figure over hospitals, divided by their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import rankdata

from contracts.region import Task
from contracts.sums import Block, Layout
from federated.programs import logistic
from federated.programs.classes import training_targets
from federated.programs.gradient import score_count
from federated.programs.logistic import Design
from federated.programs.rows import Sample
from federated.programs.standard import FINE

SPAN = 12.0
"""Log-odds at which the histogram's outer bins end."""

TOP = 3


def bins(state: Mapping[str, Any]) -> int:
    """Score bins: 512 for two classes, 256 a class for more."""
    return 512 if score_count(state) == 1 else 256


def layout(task: Task, state: Mapping[str, Any]) -> Layout:
    fits, rows = len(state["rows"]) - 1, float(task.training.max_rows)
    classes = len(task.features.label.classes)
    return (
        Block("tested", (fits, 3), rows),
        Block("confusion", (fits, classes, 3), rows),
        Block("scores", (fits, score_count(state), bins(state), 2), rows),
        Block("sites", (fits, 4), 1.0, FINE),
        Block("clipped_inputs", (1,), rows * max(1, state["mean"].shape[1])),
    )


def term(task: Task, sample: Sample, designs: Mapping[int, Design], state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Fits 1 onwards on their test rows; the count of clipped inputs is of the full fit."""
    taught = _taught(sample, state)
    parts = [_of_fit(sample, designs[fit], state, fit, taught) for fit in range(1, len(state["rows"]))]
    names = ("tested", "confusion", "scores", "sites")
    sums = {name: np.array([part[at] for part in parts], np.float64) for at, name in enumerate(names)}
    clipped = (np.abs(designs[0].dense[:, 1:]) >= task.training.max_abs).sum()
    return {**sums, "clipped_inputs": np.array([float(clipped)])}


def _taught(sample: Sample, state: Mapping[str, Any]) -> np.ndarray:
    """``(n,)`` class of the task each row teaches; for rows without a known class the first in learning order."""
    everything = np.arange(len(state["rank"]))
    known = state["known"]
    target = training_targets(sample.carries, known, state["rank"])
    return np.where(target >= 0, known[target], training_targets(sample.carries, everything, state["rank"]))


def _of_fit(
    sample: Sample, design: Design, state: Mapping[str, Any], fit: int, taught: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    test = sample.test[fit]
    parameters = state["parameters"][fit]
    scores = design.scores(parameters)[test]
    carries, known = sample.carries[test], state["known"]
    odds = scores if scores.shape[1] > 1 else np.hstack([-scores, scores])
    ranked = known[np.argsort(-odds, axis=1, kind="stable")]
    rows = np.arange(len(ranked))
    predicted = ranked[:, 0]
    right = carries[rows, predicted]
    top = np.take_along_axis(carries, ranked[:, :TOP], axis=1).any(axis=1)
    truth = np.where(right, predicted, taught[test])
    confusion = _confusion(truth, predicted, sample.carries.shape[1])
    positive = carries[:, known[1:]] if scores.shape[1] == 1 else carries[:, known]
    sites = _own_figures(right, scores, positive)
    return np.array([len(rows), right.sum(), top.sum()]), confusion, _histogram(scores, positive, bins(state)), sites


def _confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """``(classes, 3)``: true positives, false positives, false negatives."""
    hit = np.bincount(truth[truth == predicted], minlength=classes)
    return np.column_stack(
        [hit, np.bincount(predicted, minlength=classes) - hit, np.bincount(truth, minlength=classes) - hit]
    )


def _histogram(scores: np.ndarray, positive: np.ndarray, count: int) -> np.ndarray:
    """``(m, bins, 2)``: rows without and with the class, by log-odds of the class."""
    place = np.clip((_log_odds(scores) + SPAN) / (2 * SPAN) * count, 0, count - 1).astype(np.int64)
    table = np.zeros((scores.shape[1], count, 2))
    for score in range(scores.shape[1]):
        np.add.at(table[score], (place[:, score], positive[:, score].astype(np.int64)), 1.0)
    return table


def _log_odds(scores: np.ndarray) -> np.ndarray:
    if scores.shape[1] == 1:
        return scores
    chance = np.clip(logistic.probability(scores), 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(chance) - np.log1p(-chance))


def _own_figures(right: np.ndarray, scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """One hospital's [has rows, accuracy, has both classes, AUC]; AUC of two-class models only."""
    figures = np.zeros(4)
    if len(right):
        figures[:2] = 1.0, right.mean()
    if scores.shape[1] == 1 and 0 < positive.sum() < len(positive):
        truth = positive[:, 0]
        ones, zeros = truth.sum(), (~truth).sum()
        ranks = rankdata(scores[:, 0])
        figures[2:] = 1.0, (ranks[truth].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return figures


def figures(total: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Means over fits: accuracy, top3, macro_f1, auc, accuracy_mean_of_sites, auc_mean_of_sites; and counts.

    ``macro_f1`` is over classes that occur among true or predicted ones; ``auc`` of more than two classes is the mean
    of one against the rest over classes with both kinds. A figure nobody can compute is left out.
    """
    found: dict[str, list[float]] = {}
    for fit, (rows, right, top) in enumerate(total["tested"]):
        if rows:
            found.setdefault("accuracy", []).append(right / rows)
            found.setdefault("top3", []).append(top / rows)
            found.setdefault("macro_f1", []).append(macro_f1(total["confusion"][fit]))
        areas = [auc(table) for table in total["scores"][fit] if (table.sum(axis=0) > 0).all()]
        if areas:
            found.setdefault("auc", []).append(float(np.mean(areas)))
        sites, accuracy, judged, area = total["sites"][fit]
        if round(sites):
            found.setdefault("accuracy_mean_of_sites", []).append(accuracy / round(sites))
        if round(judged):
            found.setdefault("auc_mean_of_sites", []).append(area / round(judged))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    return {
        **means,
        "test_rows": float(total["tested"][:, 0].sum()),
        "clipped_inputs": float(total["clipped_inputs"][0]),
    }


def macro_f1(confusion: np.ndarray) -> float:
    """Mean F1 of the classes that occur; ``confusion`` is ``(classes, 3)``."""
    hit, wrong, missed = confusion[confusion.sum(axis=1) > 0].T
    return float(np.mean(2 * hit / (2 * hit + wrong + missed)))


def auc(table: np.ndarray) -> float:
    """Area under the ROC curve from a histogram ``(bins, 2)`` in ascending score; rows of one bin are ties."""
    zeros, ones = table.T
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + 0.5 * zeros)).sum() / (zeros.sum() * ones.sum()))
