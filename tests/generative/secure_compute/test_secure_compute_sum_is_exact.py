"""The secure sum equals the plain integer sum, whatever is summed."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from secure_region import SecureRegion

from contracts.sums import Block, Layout
from secure_compute.fixed_point import CLIPPED, exact_totals

BOUNDS = st.sampled_from([1.0, 3.7, 1000.0, 2.0**30, 1e12])
STEPS = st.sampled_from([1, 3, 2**10, 2**20, 10**9, 2**40])


@st.composite
def sums(draw: st.DrawFn) -> tuple[Layout, int, int]:
    """A layout, a number of sites, a seed of the values."""
    blocks = []
    for number in range(draw(st.integers(1, 4))):
        shape = tuple(draw(st.lists(st.integers(0, 40), max_size=2)))
        bound = draw(BOUNDS)
        blocks.append(Block(f"b{number}", shape, bound, bound / draw(STEPS)))
    return tuple(blocks), draw(st.integers(2, 5)), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sums())
def test_secure_sum_equals_the_plain_integer_sum_of_clipped_terms(case: tuple[Layout, int, int]) -> None:
    layout, count, seed = case
    random = np.random.default_rng(seed)
    names = tuple(f"s{number}" for number in range(count))
    terms = {
        site: {b.name: random.uniform(-1.2, 1.2, b.shape) * b.bound for b in layout} for site in names
    }  # some values are beyond their bound
    with tempfile.TemporaryDirectory() as folder:
        region = SecureRegion(Path(folder), names)
        with region.authority() as authority:
            total = region.start(authority).open(layout, terms)
    exact, values, clipped = exact_totals(total.plan, total.slots), total.values(), 0
    for block in layout:
        limit = math.ceil(block.bound / block.resolution)
        expected = np.zeros(block.shape, object)
        for term in terms.values():
            units = [int(x) for x in np.rint(term[block.name] / block.resolution).ravel()]
            clipped += sum(abs(x) > limit for x in units)
            expected += np.array([max(-limit, min(limit, x)) for x in units], object).reshape(block.shape)
        assert np.array_equal(exact[block.name], expected)
        assert np.array_equal(values[block.name], np.array(expected, np.float64) * block.resolution)
    assert values[CLIPPED] == clipped
