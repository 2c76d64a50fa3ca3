"""Raw inputs of units -> the numbers a linear model multiplies: one code for training and for scoring.

A model is an :class:`Encoder` (JSON), coefficients and intercepts (arrays) and classes. ``federated.programs`` makes
the encoder from opened totals and encodes a site's rows with it; ``registry`` encodes the inputs of one request with
the same functions. NumPy only.

Columns, one array a raw input, all of one length n: a ``number`` is float64 with NaN for null; ``category`` and
``text`` are object arrays of ``str`` with None for null.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from contracts.errors import UsageError
from contracts.feature_spec import Frozen, Input
from contracts.text import BucketCounts, count_buckets, log_frequency


class Encoded(NamedTuple):
    """Encoded units.

    Attributes:
        dense: ``(n, d)`` float64, standardised: numbers, missing marks and levels in the encoder's order.
        indptr, indices, values: text part as compressed sparse rows over the encoder's ``v`` buckets (``indices``
            are positions 0..v-1, not bucket numbers); each row has Euclidean norm 1, or no entry.
        clipped: how many elements of ``dense`` were clipped to ``max_abs``.
    """

    dense: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    clipped: int


class DenseFeature(Frozen):
    """One standardised feature: ``clip((raw - mean) * scale, -max_abs, max_abs)``.

    Attributes:
        input: the raw input's name.
        kind: ``number``: raw is the value, and null becomes ``mean`` (so 0 after scaling); ``missing``: 1 where the
            number is null, else 0; ``level``: 1 where the category equals ``level``, else 0 (null: all levels 0).
        mean: over the training rows of all sites, of non-null values.
        scale: 1 / standard deviation, or 0 for a feature left out (constant, or carried by too few rows).
    """

    input: str
    kind: Literal["number", "missing", "level"]
    level: str | None = None
    mean: float
    scale: float

    @property
    def name(self) -> str:
        """``age``, ``chol is missing``, ``cp = 4``."""
        if self.kind == "number":
            return self.input
        return f"{self.input} is missing" if self.kind == "missing" else f"{self.input} = {self.level}"


class TextCode(Frozen):
    """How texts become weighted buckets.

    Attributes:
        inputs: names of the text inputs; each has its own hash (salt = name).
        sizes: lengths of character n-grams.
        buckets: how many hash buckets there are.
        selected: bucket numbers that are features, ascending (reached ``min_patients`` over all sites).
        weights: inverse patient frequency of each selected bucket, 0 for one left out; empty = all 1.
    """

    inputs: tuple[str, ...]
    sizes: tuple[int, ...]
    buckets: int
    selected: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


class Encoder(Frozen):
    """Everything needed to turn raw inputs into features; features are ``dense`` first, then text buckets."""

    dense: tuple[DenseFeature, ...]
    text: TextCode | None = None
    max_abs: float

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.dense) + (len(self.text.selected) if self.text else 0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of raw inputs needed, each once, in order."""
        names = [feature.input for feature in self.dense] + list(self.text.inputs if self.text else ())
        return tuple(dict.fromkeys(names))

    def encode(self, columns: Mapping[str, np.ndarray], counted: BucketCounts | None = None) -> Encoded:
        """Encode n units. Extra columns are ignored.

        Args:
            counted: the buckets of the text inputs when the caller has counted them already.

        Raises:
            UsageError: a needed column is absent.
        """
        absent = [name for name in self.inputs if name not in columns]
        if absent:
            raise UsageError(f"inputs missing: {', '.join(absent)}; the model needs {', '.join(self.inputs)}")
        rows = len(columns[self.inputs[0]])
        dense, clipped = self._dense(columns, rows)
        if self.text is None:
            return Encoded(dense, np.zeros(rows + 1, np.int64), np.empty(0, np.int64), np.empty(0), clipped)
        if counted is None:
            counted = count_buckets(columns, self.text.inputs, self.text.sizes, self.text.buckets)
        return Encoded(dense, *self._text(counted, rows), clipped)

    def _dense(self, columns: Mapping[str, np.ndarray], rows: int) -> tuple[np.ndarray, int]:
        standard = np.zeros((rows, len(self.dense)))
        for place, feature in enumerate(self.dense):
            raw = raw_feature(columns[feature.input], feature.kind, feature.level)
            standard[:, place] = np.where(np.isnan(raw), 0.0, (raw - feature.mean) * feature.scale)
        clipped = int((np.abs(standard) > self.max_abs).sum())
        return np.clip(standard, -self.max_abs, self.max_abs), clipped

    def _text(self, counted: BucketCounts, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``indptr``, ``indices``, ``values`` of the selected buckets, weighted, each row of norm 1."""
        position = self._position[counted.bucket]
        weight = log_frequency(counted.times) * self._weights[position]
        kept = weight > 0
        row, weight = counted.row[kept], weight[kept]
        norm = np.sqrt(np.bincount(row, weight**2, rows))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int64)
        return indptr, position[kept], weight / norm[row]

    @cached_property
    def _position(self) -> np.ndarray:
        """``(buckets,)``: position of a bucket among the selected, -1 for the others."""
        assert self.text is not None
        position = np.full(self.text.buckets, -1, np.int64)
        position[list(self.text.selected)] = np.arange(len(self.text.selected))
        return position

    @cached_property
    def _weights(self) -> np.ndarray:
        """``(selected + 1,)``: weight by position; the last is that of a bucket without position."""
        assert self.text is not None
        return np.array([*(self.text.weights or (1.0,) * len(self.text.selected)), 0.0])


def raw_feature(column: np.ndarray, kind: str, level: str | None = None) -> np.ndarray:
    """``(n,)`` float64 of one raw feature before standardising; NaN only for a null number."""
    if kind == "number":
        return np.asarray(column, np.float64)
    if kind == "missing":
        return np.isnan(np.asarray(column, np.float64)).astype(np.float64)
    return np.array([value == level for value in column], np.float64)


def dense_names(inputs: tuple[Input, ...]) -> list[tuple[str, Literal["number", "missing", "level"], str | None]]:
    """Features of the inputs that are not text, in order: a number and its missing mark; each level of a category."""
    names: list[tuple[str, Literal["number", "missing", "level"], str | None]] = []
    for item in inputs:
        if item.kind == "number":
            names += [(item.name, "number", None), (item.name, "missing", None)]
        elif item.kind == "category":
            names += [(item.name, "level", level) for level in item.levels]
    return names


def linear_scores(encoded: Encoded, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """``(n, m)`` scores: features times ``coef`` ``(m, features)`` plus ``intercept`` ``(m,)``; m = 1 if binary."""
    width = encoded.dense.shape[1]
    scores = encoded.dense @ coef[:, :width].T + intercept
    parts = encoded.values[:, None] * coef[:, width:].T[encoded.indices]
    owner = np.repeat(np.arange(len(scores)), np.diff(encoded.indptr))
    np.add.at(scores, owner, parts)
    return scores


def probabilities(scores: np.ndarray) -> np.ndarray:
    """``(n, classes)`` from ``(n, m)`` scores: softmax, or for m = 1 the logistic function (class 0, class 1)."""
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
