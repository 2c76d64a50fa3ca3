"""Which classes a model knows, which of a record's codes it learns, and how much a row of each class counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from contracts.errors import DataError

_LEVEL = re.compile(r"[^.\-/]+")


def levels(code: str) -> int:
    """How deep a code stands in its system: ``03`` is 1, ``03.02`` is 2."""
    return len(_LEVEL.findall(code))


def known_classes(codes: Sequence[str], counts: np.ndarray, min_rows: int) -> np.ndarray:
    """Positions of the classes that at least ``min_rows`` records carry, ascending.

    Raises:
        DataError: fewer than two; there is nothing to tell apart.
    """
    known = np.flatnonzero(counts >= min_rows)
    if len(known) < 2:
        raise DataError(
            f"{len(known)} of {len(codes)} classes are carried by {min_rows} or more records of all sites, expected "
            "at least 2; check the label's codes and prefixes, or lower training.min_class_rows"
        )
    return known


def learning_order(codes: Sequence[str], counts: np.ndarray) -> np.ndarray:
    """``(classes,)`` rank of each class: a record learns its lowest: the deepest, then rarest, then first code."""
    order = sorted(range(len(codes)), key=lambda at: (-levels(codes[at]), counts[at], codes[at]))
    rank = np.empty(len(codes), np.int64)
    rank[order] = np.arange(len(codes))
    return rank


def training_targets(carries: np.ndarray, known: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """``(n,)`` position among ``known`` of the class each row learns; -1 when it carries no known class.

    Args:
        carries: ``(n, classes)`` bool.
    """
    ranks = np.where(carries[:, known], rank[known], len(rank))
    return np.where(carries[:, known].any(axis=1), ranks.argmin(axis=1), -1)


def class_weights(counts: np.ndarray, exponent: float) -> np.ndarray:
    """Weight of a row of each class, proportional to counts ^ -exponent, of mean 1 over all rows (0 for no rows)."""
    weights = np.where(counts > 0, np.maximum(counts, 1.0) ** -exponent, 0.0)
    return np.asarray(weights * counts.sum() / max(float(weights @ counts), 1e-300))
