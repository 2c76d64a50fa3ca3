"""L-BFGS one evaluation at a time: every loss and gradient costs one sum, so every step must count.

A round evaluates the loss and gradient at the trial point, and the loss alone at a few other step lengths on the same
line (linear models: no further pass over the features). A refused trial is then repaired with one known good step
instead of a search. Source: Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.4 and section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

PROBES = (0.0625, 0.25, 0.5, 2.0, 4.0)
"""Step lengths, relative to the trial's, at which the loss is summed too."""

MEMORY = 10
"""Pairs of (step, change of gradient) that shape the next direction."""

_ARMIJO = 1e-4
_GREEDY = 1.25
"""A longer step is taken instead of the trial when it lowers the loss this many times as much."""


@dataclass(frozen=True)
class Search:
    """One fit on its way. Flat ``(size,)`` float64 vectors; losses are means over rows plus the ridge.

    Attributes:
        point, value, gradient: the last accepted point (value NaN before the first evaluation).
        direction, step: the trial point is ``point + step * direction``.
        scale: diagonal of the initial inverse Hessian.
        pairs: the latest (s, y), oldest first.
        stopped: converged, or no step along the direction lowers the loss any more.
    """

    point: np.ndarray
    scale: np.ndarray
    direction: np.ndarray
    gradient: np.ndarray
    value: float = float("nan")
    step: float = 0.0
    pairs: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    stopped: bool = False

    @property
    def trial(self) -> np.ndarray:
        return self.point + self.step * self.direction


def start(point: np.ndarray, scale: np.ndarray) -> Search:
    """Before the first evaluation, which is at ``point`` itself."""
    zero = np.zeros_like(point)
    return Search(point=point, scale=scale, direction=zero, gradient=zero)


def advance(search: Search, value: float, gradient: np.ndarray, probes: Sequence[float], tolerance: float) -> Search:
    """The search after the loss and gradient at its trial point, and the losses at ``PROBES``, are known.

    Args:
        tolerance: stop when no element of the gradient is larger.
    """
    if search.stopped:
        return search
    if np.isnan(search.value):
        return _turn(replace(search, value=value, gradient=gradient), tolerance)
    slope = float(search.gradient @ search.direction)
    best = int(np.argmin(probes))
    gain = search.value - value
    if not search.pairs and PROBES[best] > 1 and search.value - probes[best] > _GREEDY * max(gain, 0.0):
        return replace(search, step=search.step * PROBES[best])
    if value > search.value + _ARMIJO * search.step * slope:
        return _shorten(search, probes, best)
    move, change = search.step * search.direction, gradient - search.gradient
    pairs = search.pairs
    if move @ change > 1e-12 * np.linalg.norm(move) * np.linalg.norm(change):
        pairs = (*pairs, (move, change))[-MEMORY:]
    accepted = replace(search, point=search.trial, value=value, gradient=gradient, pairs=pairs)
    return _turn(accepted, tolerance)


def _shorten(search: Search, probes: Sequence[float], best: int) -> Search:
    if probes[best] < search.value:
        return replace(search, step=search.step * PROBES[best])
    shorter = search.step * PROBES[0] / 4
    return replace(search, step=shorter, stopped=shorter < 1e-10)


def _turn(search: Search, tolerance: float) -> Search:
    """Choose the next direction (two-loop recursion) and its first step."""
    if np.abs(search.gradient).max() <= tolerance:
        return replace(search, stopped=True, step=0.0)
    direction = search.gradient.copy()
    factors = []
    for move, change in reversed(search.pairs):
        factor = (move @ direction) / (move @ change)
        direction -= factor * change
        factors.append(factor)
    direction *= search.scale
    if search.pairs:
        move, change = search.pairs[-1]
        direction *= (move @ change) / (change @ (search.scale * change))
    for (move, change), factor in zip(search.pairs, reversed(factors), strict=True):
        direction += (factor - (change @ direction) / (move @ change)) * move
    return replace(search, direction=-direction, step=1.0)
