"""Arithmetic modulo the 40-bit prime t of the secure sum, exact, on NumPy arrays of residues (uint64 in [0, t))."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

T = 1_099_511_480_321
"""2^40 - 147455, prime, 1 modulo 8192 so that BFV with N = 4096 has 4096 slots (SECURE_SUM rule 1)."""

HALF = T // 2

Residues = NDArray[np.uint64]
Integers = NDArray[np.int64]

_LOW_BITS = 20
_LOW = np.uint64((1 << _LOW_BITS) - 1)
_MAX_TERMS = 1 << 13


def to_residues(values: Integers) -> Residues:
    """Integers in (-t, t) as residues."""
    return (values + T * (values < 0)).view(np.uint64)


def centred(residues: Residues) -> Integers:
    """Residues as the integers in [-t/2, t/2) they stand for."""
    signed = residues.astype(np.int64)
    signed -= T * (signed > HALF)
    return signed


def add(left: Residues, right: Residues) -> Residues:
    """Sum of residues, element by element."""
    total = left + right
    return np.minimum(total, total - np.uint64(T))  # below t the difference wraps to a huge number


def subtract(left: Residues, right: Residues) -> Residues:
    """Difference of residues, element by element."""
    total = left - right
    return np.minimum(total, total + np.uint64(T))  # below zero the difference wraps to a huge number


def dot(left: Residues, right: Residues) -> int:
    """Sum of products of two vectors of at most 8192 residues, as a residue."""
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"dot takes two vectors of one length, got {left.shape} and {right.shape}")
    return int(matmul(left, right))


def matmul(left: Residues, right: Residues) -> Residues:
    """Matrix product of residues over at most 8192 products a sum; vectors as in ``numpy.matmul``.

    Each residue is split into halves of 20 bits; a sum of 8192 half products of 40 bits stays below 2^53, so
    float64 holds every partial sum exactly in any order and BLAS may be used.
    """
    if left.shape[-1] > _MAX_TERMS:
        raise ValueError(f"sums of at most {_MAX_TERMS} products, got {left.shape[-1]}")
    left_high, left_low = _halves(left)
    right_high, right_low = _halves(right)
    high = np.asarray(left_high @ right_high).astype(np.uint64) % T
    middle = np.asarray(left_high @ right_low).astype(np.uint64) + np.asarray(left_low @ right_high).astype(np.uint64)
    low = np.asarray(left_low @ right_low).astype(np.uint64)
    shift = np.uint64(_LOW_BITS)
    # Below 2^60 + 2^54 in each step, so nothing overflows.
    return ((((high << shift) + middle) % T << shift) + low) % T


def _halves(residues: Residues) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (residues >> np.uint64(_LOW_BITS)).astype(np.float64), (residues & _LOW).astype(np.float64)
