"""First sums: how many rows carry what, moments of numbers, which n-gram buckets enough patients have.

From them every fit gets its encoder: means and scales over its own training rows, never over its test rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from contracts.encoder import DenseFeature, Encoder, TextCode, dense_names
from contracts.errors import DataError, SpecError
from contracts.feature_spec import Input
from contracts.region import Task
from contracts.sums import Block, Layout
from contracts.text import BucketCounts, count_buckets, inverse_patient_frequency
from federated.programs.rows import Sample, fit_count

FINE = 2.0**-28
"""Resolution of a block relative to its bound: one limb for as many as 2,047 sites."""


def inputs_of(task: Task, kind: str) -> list[Input]:
    return [item for item in task.features.input if item.kind == kind]


def check_inputs(task: Task) -> None:
    """Raise SpecError unless the task's inputs give bounds of sums and suit its solver."""
    open_ended = [item.name for item in inputs_of(task, "number") if item.plausible is None]
    if open_ended:
        raise SpecError(f"task '{task.name}': numbers need a plausible range, it bounds their sums: {open_ended}")
    training = task.training
    if training.solver == "newton" and (inputs_of(task, "text") or training.class_weight):
        raise SpecError(f"task '{task.name}': solver newton takes neither text nor class_weight; use solver gradient")
    if not training.folds and not 0.0 < training.holdout < 1.0:
        raise SpecError(f"task '{task.name}': without folds, training.holdout must lie between 0 and 1")
    if training.folds == 1:
        raise SpecError(f"task '{task.name}': training.folds is 0 (a holdout) or at least 2")


def layout(task: Task) -> Layout:
    fits, rows = fit_count(task), float(task.training.max_rows)
    blocks = [Block("rows", (fits,), rows), Block("labels", (len(task.features.label.classes),), rows)]
    numbers = inputs_of(task, "number")
    marks = sum(len(item.levels) for item in inputs_of(task, "category"))
    if numbers:
        blocks += [
            Block("numbers_present", (fits, len(numbers)), rows),
            Block("numbers_moments", (fits, len(numbers), 2), rows, rows * 2.0**-36),
        ]
    if marks:
        blocks.append(Block("levels", (fits, marks), rows))
    if inputs_of(task, "text"):
        blocks.append(
            Block("buckets_reached", (fits, task.training.buckets), rows, at_least=task.training.min_patients)
        )
    return tuple(blocks)


def term(task: Task, sample: Sample, counted: BucketCounts) -> dict[str, np.ndarray]:
    train = (~sample.test).astype(np.float64)
    sums = {"rows": train.sum(axis=1), "labels": sample.carries.sum(axis=0, dtype=np.float64)}
    numbers = inputs_of(task, "number")
    if numbers:
        unit = np.column_stack([_to_unit(item, sample.columns[item.name]) for item in numbers])
        present = ~np.isnan(unit)
        unit = np.where(present, unit, 0.0)
        sums["numbers_present"] = train @ present
        sums["numbers_moments"] = np.stack([train @ unit, train @ unit**2], axis=-1)
    marks = [sample.columns[item.name] == level for item in inputs_of(task, "category") for level in item.levels]
    if marks:
        sums["levels"] = train @ np.column_stack(marks)
    if inputs_of(task, "text"):
        sums["buckets_reached"] = _patients_by_bucket(task, sample, counted)
    return sums


def advance(task: Task, total: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Entries of the state: ``rows`` ``(fits,)``, ``labels`` ``(classes,)``, ``mean`` and ``scale`` ``(fits, d)``,
    ``selected`` ``(v,)``, ``in_fit`` ``(fits, v)`` 0/1, ``left_out``: buckets beyond the cap.

    Raises:
        DataError: a fit has no training row.
    """
    rows = total["rows"]
    if rows.min() < 1:
        raise DataError(f"task '{task.name}': no training rows in one of {len(rows)} fits; too few rows for the folds")
    columns = _dense_columns(task, total)
    reached = total.get("buckets_reached", np.zeros((len(rows), 0)))
    selected = np.flatnonzero(reached[0])
    kept = selected[: task.training.max_features]
    return {
        "rows": rows,
        "labels": total["labels"],
        "mean": np.column_stack([mean for mean, _ in columns]) if columns else np.zeros((len(rows), 0)),
        "scale": np.column_stack([scale for _, scale in columns]) if columns else np.zeros((len(rows), 0)),
        "selected": kept,
        "in_fit": reached[:, kept],
        "left_out": np.array(len(selected) - len(kept)),
    }


def encoder(task: Task, state: Mapping[str, np.ndarray], fit: int) -> Encoder:
    """The encoder of one fit. Buckets that are no features of this fit keep their place with weight 0."""
    means, scales = state["mean"][fit].tolist(), state["scale"][fit].tolist()
    dense = tuple(
        DenseFeature(input=name, kind=kind, level=level, mean=mean, scale=scale)
        for (name, kind, level), mean, scale in zip(dense_names(task.features.input), means, scales, strict=True)
    )
    texts = tuple(item.name for item in inputs_of(task, "text"))
    if not texts:
        return Encoder(dense=dense, max_abs=task.training.max_abs)
    weights = state["in_fit"][fit]
    if "patients" in state:
        patients = state["patients"][fit]
        weights = weights * inverse_patient_frequency(patients[1:], float(patients[0]))
    text = TextCode(
        inputs=texts,
        sizes=task.training.ngrams,
        buckets=task.training.buckets,
        selected=tuple(state["selected"].tolist()),
        weights=tuple(weights.tolist()),
    )
    return Encoder(dense=dense, text=text, max_abs=task.training.max_abs)


def frequency_layout(state: Mapping[str, np.ndarray]) -> Layout:
    """Second sum, for inverse frequencies: patients in all, then patients of each feature bucket, by fit."""
    bound = float(state["rows"][0])
    return (Block("patients", (len(state["rows"]), 1 + len(state["selected"])), bound),)


def frequency_term(
    task: Task, sample: Sample, counted: BucketCounts, state: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Counts of buckets that are no features of a fit, and so may be few, are left 0."""
    counts = _patients_by_bucket(task, sample, counted)[:, state["selected"]] * state["in_fit"]
    everyone = [len(np.unique(sample.patient[~test])) for test in sample.test]
    return {"patients": np.column_stack([np.array(everyone, np.float64), counts])}


def _to_unit(item: Input, column: np.ndarray) -> np.ndarray:
    """A number as -1 to 1 within its plausible range; NaN when null or outside it."""
    assert item.plausible is not None
    low, high = item.plausible
    return np.asarray((column - 0.5 * (low + high)) / (0.5 * (high - low)))


def _dense_columns(task: Task, total: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and scale, each ``(fits,)``, of every dense feature in the order of ``dense_names``."""
    rows, few = total["rows"], task.training.min_patients
    columns: list[tuple[np.ndarray, np.ndarray]] = []
    number = mark = 0
    for item in task.features.input:
        if item.kind == "number":
            present = total["numbers_present"][:, number]
            columns.append(_number(item, present, total["numbers_moments"][:, number], few))
            columns.append(_mark(rows - present, rows, few))
            number += 1
        elif item.kind == "category":
            for _ in item.levels:
                columns.append(_mark(total["levels"][:, mark], rows, few))
                mark += 1
    return columns


def _number(item: Input, present: np.ndarray, moments: np.ndarray, few: int) -> tuple[np.ndarray, np.ndarray]:
    assert item.plausible is not None
    low, high = item.plausible
    first, second = (moments / np.maximum(present, 1.0)[:, None]).T
    variance = second - first**2
    spread = np.sqrt(np.maximum(variance, 1e-12)) * 0.5 * (high - low)
    usable = (present >= few) & (variance > 1e-9)
    return 0.5 * (low + high) + first * 0.5 * (high - low), np.where(usable, 1.0 / spread, 0.0)


def _mark(count: np.ndarray, rows: np.ndarray, few: int) -> tuple[np.ndarray, np.ndarray]:
    """A 0/1 feature; left out when fewer than ``few`` rows carry it, or lack it."""
    mean = count / rows
    usable = np.minimum(count, rows - count) >= max(few, 1)
    return mean, np.where(usable, 1.0 / np.sqrt(np.maximum(mean * (1.0 - mean), 1e-12)), 0.0)


def count_texts(task: Task, sample: Sample) -> BucketCounts:
    """N-gram buckets of a site's texts; counted once a run."""
    names = [item.name for item in inputs_of(task, "text")]
    return count_buckets(sample.columns, names, task.training.ngrams, task.training.buckets)


def _patients_by_bucket(task: Task, sample: Sample, counted: BucketCounts) -> np.ndarray:
    """``(fits, buckets)``: patients of the site who have a bucket in a training row of the fit."""
    buckets = task.training.buckets
    counts = np.zeros((len(sample.test), buckets))
    for fit, test in enumerate(sample.test):
        train = ~test[counted.row]
        seen = np.unique(sample.patient[counted.row[train]] * buckets + counted.bucket[train])
        counts[fit] = np.bincount(seen % buckets, minlength=buckets)
    return counts
