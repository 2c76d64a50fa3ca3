"""Softmax and logistic regression as sums over rows: loss, gradient, Hessian. Plain NumPy and SciPy.

Parameters are ``(m, p)``: one row a score (m = 1 for two classes, else the number of classes), column 0 the
intercept, then the features. Everything here is a sum over rows, so sums of sites are the sum of all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import logsumexp


@dataclass(frozen=True)
class Design:
    """Encoded rows of one fit at one site.

    Attributes:
        dense: ``(n, 1 + d)`` float64: a column of ones, then standardised features.
        text: ``(n, v)`` compressed sparse rows.
        target: ``(n,)`` int64, index of the training class.
        weight: ``(n,)`` float64, 0 for rows that are not training rows of this fit.
    """

    dense: np.ndarray
    text: sparse.csr_matrix
    target: np.ndarray
    weight: np.ndarray

    @property
    def width(self) -> int:
        """Number of parameters of one score: 1 + d + v."""
        return int(self.dense.shape[1] + self.text.shape[1])

    def scores(self, parameters: np.ndarray) -> np.ndarray:
        """``(n, m)``."""
        split = self.dense.shape[1]
        return np.asarray(self.dense @ parameters[:, :split].T + self.text @ parameters[:, split:].T)

    def pull_back(self, residual: np.ndarray) -> np.ndarray:
        """``(m, p)``: sum over rows of residual ``(n, m)`` times features."""
        return np.hstack([residual.T @ self.dense, (self.text.T @ residual).T])


def loss(scores: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """Weighted sum over rows of the negative log likelihood (nats)."""
    if scores.shape[1] == 1:
        signed = np.where(target == 1, scores[:, 0], -scores[:, 0])
        return float(weight @ np.logaddexp(0.0, -signed))
    rows = np.arange(len(target))
    return float(weight @ (logsumexp(scores, axis=1) - scores[rows, target]))


def probability(scores: np.ndarray) -> np.ndarray:
    """``(n, m)``: of class 1 when m = 1, else of each class."""
    if scores.shape[1] == 1:
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scores)))
    return np.exp(scores - logsumexp(scores, axis=1, keepdims=True))


def residuals(scores: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``(n, m)``: weight times (probability - indicator of the target), the derivative of the loss by the scores."""
    found = probability(scores)
    if scores.shape[1] == 1:
        found = found - (target == 1)[:, None]
    else:
        found[np.arange(len(target)), target] -= 1.0
    return np.asarray(found * weight[:, None])


def hessian(design: Design, scores: np.ndarray) -> np.ndarray:
    """``(m p, m p)``: second derivatives of the loss, for designs without text."""
    found = probability(scores)
    if found.shape[1] == 1:
        curve = design.weight * found[:, 0] * (1.0 - found[:, 0])
        return np.asarray(design.dense.T @ (design.dense * curve[:, None]))
    classes, width = found.shape[1], design.dense.shape[1]
    blocks = np.empty((classes, width, classes, width))
    for a in range(classes):
        for b in range(a, classes):
            curve = design.weight * found[:, a] * ((a == b) - found[:, b])
            blocks[a, :, b, :] = design.dense.T @ (design.dense * curve[:, None])
            blocks[b, :, a, :] = blocks[a, :, b, :].T
    return blocks.reshape(classes * width, classes * width)


def ridge(parameters: np.ndarray, l2: float) -> tuple[float, np.ndarray]:
    """Value and gradient of l2/2 times the squared norm of the coefficients; intercepts (column 0) are free."""
    gradient = l2 * parameters
    gradient[:, 0] = 0.0
    return 0.5 * l2 * float((parameters[:, 1:] ** 2).sum()), gradient
