"""A site's rows as a program sees them: usable units, their labels, and on which side of each split they fall.

What ``Arrays`` must hold (``federated.site.rows`` reads them so from ``feature__{task}``): ``patient_id`` (object,
str), ``label`` (object, tuples of str; several for a record with several codes) and one array an input: ``number`` is
float64 with NaN for null, ``category`` and ``text`` are object arrays of str with None for null. Other arrays are
ignored. Neither the order of rows nor how ids are spelt changes anything: folds and sides depend on content.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contracts.errors import DataError
from contracts.feature_spec import Input
from contracts.region import Task
from contracts.sums import Arrays
from contracts.text import normalise_text
from federated.programs.splits import content_digest, fold_of, is_held_out


@dataclass(frozen=True)
class Sample:
    """Usable rows of one site.

    Attributes:
        columns: raw inputs, each ``(n,)``.
        carries: ``(n, classes)`` bool: which classes a row carries (at least one).
        patient: ``(n,)`` int64, patients numbered from 0 within the site.
        test: ``(fits, n)`` bool: rows a fit must not learn from; fit 0 is the full fit and has none.
    """

    columns: dict[str, np.ndarray]
    carries: np.ndarray
    patient: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        return len(self.patient)


def read_sample(rows: Arrays, task: Task) -> Sample:
    """Check a site's arrays and cut them to usable rows: those with a label among the task's classes.

    Raises:
        DataError: an array is absent, of another length, or there are more rows than the task's ``max_rows``.
    """
    names = [item.name for item in task.features.input]
    absent = [name for name in ("patient_id", "label", *names) if name not in rows]
    if absent:
        raise DataError(f"task '{task.name}': rows lack {', '.join(absent)}; rebuild the feature table")
    if len({len(rows[name]) for name in ("patient_id", "label", *names)}) != 1:
        raise DataError(f"task '{task.name}': arrays of rows differ in length; rebuild the feature table")
    place = {code: at for at, code in enumerate(task.features.label.classes)}
    known = [[place[code] for code in label if code in place] for label in rows["label"]]
    usable = np.array([bool(codes) for codes in known], bool)
    if usable.sum() > task.training.max_rows:
        raise DataError(
            f"task '{task.name}': {int(usable.sum())} rows, more than training.max_rows = {task.training.max_rows}, "
            "which bounds every sum; raise it in the task"
        )
    carries = np.zeros((len(known), len(place)), bool)
    for row, codes in enumerate(known):
        carries[row, codes] = True
    columns = {item.name: _clean(rows[item.name], item)[usable] for item in task.features.input}
    patient = np.unique(np.asarray(rows["patient_id"], object)[usable].astype(str), return_inverse=True)[1]
    carries = carries[usable]
    return Sample(columns, carries, patient, _sides(columns, carries, patient, task))


def _clean(column: np.ndarray, item: Input) -> np.ndarray:
    """Numbers outside their plausible range become null, as both evaluators of features have it: sums are bounded."""
    if item.kind != "number" or item.plausible is None:
        return np.asarray(column, object if item.kind != "number" else np.float64)
    low, high = item.plausible
    values = np.asarray(column, np.float64)
    return np.where((values >= low) & (values <= high), values, np.nan)


def fit_count(task: Task) -> int:
    """The full fit, then one a fold and seed, or one for the holdout."""
    training = task.training
    return 1 + (training.folds * len(training.seeds) if training.folds else 1)


def _sides(columns: dict[str, np.ndarray], carries: np.ndarray, patient: np.ndarray, task: Task) -> np.ndarray:
    training = task.training
    texts = [item.name for item in task.features.input if item.kind == "text"]
    spelt = [[_spell(columns[name][row], name in texts) for name in columns] for row in range(len(patient))]
    sides = np.zeros((fit_count(task), len(patient)), bool)
    if not training.folds:
        # Equal texts fall on the same side at every hospital; so the label and the other inputs must not count.
        cut = [place for place, name in enumerate(columns) if name in texts] or list(range(len(columns)))
        digests = [content_digest([cells[place] for place in cut]) for cells in spelt]
        first = _first_of_patient(digests, patient)
        held = np.array([is_held_out(digest, training.holdout) for digest in first], bool)
        sides[1] = held[patient]
        return sides
    labels = ["".join("1" if c else "0" for c in row) for row in carries]
    digests = [content_digest([*cells, label]) for cells, label in zip(spelt, labels, strict=True)]
    first = _first_of_patient(digests, patient)
    strata = _first_of_patient(labels, patient)
    fit = 1
    for seed in training.seeds:
        fold = fold_of(first, strata, training.folds, seed)[patient]
        for number in range(training.folds):
            sides[fit] = fold == number
            fit += 1
    return sides


def _spell(value: object, is_text: bool) -> str:
    """One cell as text, the same for the same content everywhere."""
    if is_text:
        return normalise_text(str(value)) if value is not None else ""
    if isinstance(value, float | np.floating):
        return f"{float(value):.12g}"
    return "" if value is None else str(value)


def _first_of_patient(values: list[str], patient: np.ndarray) -> list[str]:
    """For each patient the first of the values of their rows in text order."""
    first: dict[int, str] = {}
    for value, number in zip(values, patient.tolist(), strict=True):
        if number not in first or value < first[number]:
            first[number] = value
    return [first[number] for number in range(len(first))]
