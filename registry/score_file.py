"""A file of records in, a CSV of predictions out: one row a record, in order, whatever is wrong with a record."""

from __future__ import annotations

import csv
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import CloisterError, UsageError
from registry.features import Value
from registry.input_file import InputRecord, read_inputs
from registry.predict import clean_inputs, predict_many, refuse_empty
from registry.store import Model

BATCH = 1024
"""Records encoded together: bounds memory, and is past the point where more would be faster."""

LABEL = "label"


@dataclass(frozen=True)
class Scored:
    """A record's row: probabilities by class in the card's order, or None with the error that says why."""

    probabilities: Mapping[str, float] | None
    label: tuple[str, ...]
    error: str

    @property
    def predicted(self) -> str:
        """The most probable class, the earlier one of equals; empty with an error."""
        return max(self.probabilities, key=self.probabilities.__getitem__) if self.probabilities else ""


@dataclass(frozen=True)
class _Ready:
    inputs: Mapping[str, Value] | None
    label: tuple[str, ...]
    error: str = ""


def score_file(model: Model, path: Path, out: Path) -> tuple[int, int]:
    """Score a CSV or JSON Lines file with the card's inputs.

    Args:
        path: see ``registry.input_file``; a column ``label`` is carried over (several codes joined by ``|``).
        out: written whole or not at all: ``record``, ``predicted``, ``p:CLASS`` for each class, ``label``, ``error``.

    Returns:
        Records, and how many of them have an error.

    Raises:
        UsageError: the file cannot be read, is empty, or lacks a column that the model needs.
    """
    _allow_huge_fields()
    records = read_inputs(path, [one.name for one in model.card.inputs])
    return write_scores(out, model.card.classes, _scored(model, (_from_inputs(model, record) for record in records)))


def score_records(model: Model, records: Iterable[Sequence[Mapping[str, Any]] | str]) -> Iterator[Scored]:
    """Score records given as FHIR resources: what a site's mapping made of each.

    Args:
        records: per source record the resources it became, or the error that kept it from becoming any. The label
            comes by the task's label rule.
    """
    return _scored(model, (_from_resources(model, record) for record in records))


def write_scores(out: Path, classes: Sequence[str], rows: Iterable[Scored]) -> tuple[int, int]:
    """Write rows as CSV (UTF-8). Returns their number and how many have an error. Raises UsageError: cannot write."""
    staged = out.with_name(f".{out.name}.{os.getpid()}.new")
    count = errors = 0
    try:
        with staged.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["record", "predicted", *(f"p:{code}" for code in classes), LABEL, "error"])
            for count, row in enumerate(rows, 1):
                shown = [repr(row.probabilities[code]) if row.probabilities else "" for code in classes]
                writer.writerow([count - 1, row.predicted, *shown, "|".join(row.label), row.error])
                errors += bool(row.error)
        staged.replace(out)
    except OSError as error:
        raise UsageError(f"cannot write {out} ({error.strerror}); give a path in an existing folder") from error
    finally:
        staged.unlink(missing_ok=True)
    return count, errors


def _from_inputs(model: Model, record: InputRecord) -> _Ready:
    label = _labels(record.values.get(LABEL))
    if record.error:
        return _Ready(None, label, record.error)
    try:
        return _Ready(clean_inputs(model, record.values), label)
    except CloisterError as error:
        return _Ready(None, label, str(error))


def _labels(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else str(value if value is not None else "").split("|")
    return tuple(text for part in parts if (text := str(part).strip()))


def _from_resources(model: Model, record: Sequence[Mapping[str, Any]] | str) -> _Ready:
    if isinstance(record, str):
        return _Ready(None, (), record or "not mapped")
    label: tuple[str, ...] = ()
    try:
        units = model.evaluator.rows(record)
        if len(units) != 1:
            return _Ready(None, (), f"{len(units)} units in the record where one can be scored")
        label = units[0].label if model.evaluator.carries_label(record) else ()
        refuse_empty(units[0].inputs)
    except CloisterError as error:
        return _Ready(None, label, str(error))
    return _Ready(units[0].inputs, label)


def _scored(model: Model, records: Iterator[_Ready]) -> Iterator[Scored]:
    while batch := list(itertools.islice(records, BATCH)):
        good = [record.inputs for record in batch if record.inputs is not None]
        found = iter(predict_many(model, good) if good else np.empty((0, 0)))
        for record in batch:
            if record.inputs is None:
                yield Scored(None, record.label, record.error)
            else:
                yield Scored(dict(zip(model.card.classes, next(found).tolist(), strict=True)), record.label, "")


def _allow_huge_fields() -> None:
    """The csv module refuses fields over 128 KiB unless told otherwise; a long history in one field is no error."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
