"""Shamir's secret sharing over GF(t): any ``threshold`` of n shares give the secret, fewer give nothing at all.

A secret is a row of residues; each is the value at 0 of a polynomial of degree threshold - 1 of its own, and holder
number x (from 1) gets the values at x. The general libraries share 16 bytes in interpreted Python, quadratic in the
holders; here all residues of all holders are one exact matrix product.
Source: Shamir 1979, How to share a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from secure_compute.modular import Residues, T, add, matmul

MAX_HOLDERS = 4096


def split(secret: Residues, coefficients: Residues, holders: Sequence[int]) -> Residues:
    """Shares of a secret.

    Args:
        secret: shape (k,).
        coefficients: fresh uniform residues, shape (threshold - 1, k): they hide the secret.
        holders: numbers from 1, each once.

    Returns:
        Shape (holders, k).
    """
    powers = _powers(tuple(holders), coefficients.shape[0])
    return add(np.broadcast_to(secret, (len(holders), secret.size)), matmul(powers, coefficients))


def combine(shares: Residues, holders: Sequence[int]) -> Residues:
    """The values at 0 of the polynomials through exactly ``threshold`` shares.

    Args:
        shares: shape (threshold, ...), in the order of ``holders``.

    Returns:
        Shape (...).
    """
    flat = shares.reshape(len(holders), -1)
    return matmul(_weights(tuple(holders)), flat).reshape(shares.shape[1:])


@lru_cache(maxsize=8)
def _powers(holders: tuple[int, ...], degree: int) -> Residues:
    """x, x^2, ... x^degree of each holder, shape (holders, degree)."""
    _check(holders)
    x = np.array(holders, np.uint64)
    powers = np.empty((x.size, degree), np.uint64)
    running = np.ones_like(x)
    for exponent in range(degree):
        running = running * x % T  # 40 bits by 12 bits
        powers[:, exponent] = running
    return powers


@lru_cache(maxsize=64)
def _weights(holders: tuple[int, ...]) -> Residues:
    """Lagrange's weights at 0: product of x_j / (x_j - x_i) over the others."""
    _check(holders)
    weights = []
    for own in holders:
        above, below = 1, 1
        for other in holders:
            if other != own:
                above = above * other % T
                below = below * (other - own) % T
        weights.append(above * pow(below, -1, T) % T)
    return np.array(weights, np.uint64)


def _check(holders: tuple[int, ...]) -> None:
    if len(set(holders)) != len(holders) or not all(0 < holder <= MAX_HOLDERS for holder in holders):
        raise ValueError(f"holders are different numbers from 1 to {MAX_HOLDERS}")
