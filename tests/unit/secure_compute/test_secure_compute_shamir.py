"""Shamir's sharing: values computed by hand; any ``threshold`` shares give the secret, fewer give nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from secure_compute import modular, shamir
from secure_compute.modular import T
from secure_compute.shamir import MAX_HOLDERS, combine, split


def residues(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def test_shares_are_the_values_of_the_polynomial() -> None:
    """5 + 3x + 2x^2, and -1 - x + x^2, at x = 1, 2, 3, 7."""
    shares = split(residues(5, T - 1), np.array([[3, T - 1], [2, 1]], np.uint64), (1, 2, 3, 7))
    assert shares.tolist() == [[10, T - 1], [19, 1], [32, 5], [124, 41]]
    assert combine(shares[:3], (1, 2, 3)).tolist() == [5, T - 1]  # 3 * 10 - 3 * 19 + 32
    assert combine(shares[[3, 0, 2]], (7, 1, 3)).tolist() == [5, T - 1]


def test_any_threshold_of_shares_gives_the_secret() -> None:
    random = np.random.default_rng(3)
    secret = random.integers(0, T, 7, np.uint64)
    shares = split(secret, random.integers(0, T, (3, 7), np.uint64), range(1, 7))
    for chosen in itertools.permutations(range(6), 4):
        found = combine(shares[list(chosen)], [number + 1 for number in chosen])
        assert np.array_equal(found, secret)


def test_shares_of_many_secrets_are_combined_together() -> None:
    random = np.random.default_rng(4)
    secrets = random.integers(0, T, (5, 7), np.uint64)
    shares = np.stack([split(row, random.integers(0, T, (1, 7), np.uint64), (2, 9)) for row in secrets], axis=1)
    assert np.array_equal(combine(shares, (2, 9)), secrets)


def test_a_threshold_of_260_among_390_is_exact() -> None:
    random = np.random.default_rng(5)
    secret = random.integers(0, T, 7, np.uint64)
    shares = split(secret, random.integers(0, T, (260, 7), np.uint64), range(1, 391))
    chosen = random.permutation(390)[:261]
    assert np.array_equal(combine(shares[chosen], [int(number) + 1 for number in chosen]), secret)


@pytest.fixture
def small_field(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    prime = 7
    caches = (shamir._powers, shamir._weights)
    for module in (modular, shamir):
        monkeypatch.setattr(module, "T", prime)
    for cache in caches:
        cache.cache_clear()
    yield prime
    for cache in caches:
        cache.cache_clear()


def test_one_share_too_few_tells_nothing_of_the_secret(small_field: int) -> None:
    """In a field of 7, threshold 3: whatever the secret, each pair of two shares comes from exactly one polynomial."""
    numbers = range(small_field)
    for secret in numbers:
        seen: Counter[tuple[int, ...]] = Counter()
        for first, second in itertools.product(numbers, numbers):
            shares = split(residues(secret), np.array([[first], [second]], np.uint64), (2, 5))
            seen[tuple(shares.ravel().tolist())] += 1
        assert seen == Counter({pair: 1 for pair in itertools.product(numbers, numbers)})


@pytest.mark.parametrize("holders", [(0, 1), (1, 1), (1, MAX_HOLDERS + 1), (-1, 2)])
def test_holders_are_different_numbers_from_one(holders: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="different numbers"):
        split(residues(1), residues(2).reshape(1, 1), holders)
    with pytest.raises(ValueError, match="different numbers"):
        combine(residues(1, 2).reshape(2, 1), holders)
