"""The secure sum equals the plain integer sum of the survivors, whatever is summed and whoever drops out."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from secure_region import SecureRegion

from contracts.sums import Block, Layout
from governance.quorum import default_quorum
from secure_compute.fixed_point import CLIPPED, Plan, exact_totals
from secure_compute.modular import Integers

BOUNDS = st.sampled_from([1.0, 3.7, 1000.0, 2.0**30, 1e12])
STEPS = st.sampled_from([1, 3, 2**10, 2**20, 10**9, 2**40])


@dataclass(frozen=True)
class Case:
    """Attributes:
    members: sites that are asked.
    survivors: those of them that contribute.
    silent: survivors that then reveal nothing; none where that is allowed to nobody.
    """

    layout: Layout
    sites: tuple[str, ...]
    quorum: int
    members: tuple[str, ...]
    survivors: tuple[str, ...]
    silent: tuple[str, ...]
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    blocks = []
    for number in range(draw(st.integers(1, 4))):
        shape = tuple(draw(st.lists(st.integers(0, 40), max_size=2)))
        bound = draw(BOUNDS)
        blocks.append(Block(f"b{number}", shape, bound, bound / draw(STEPS)))
    count = draw(st.integers(3, 9))
    sites = tuple(f"s{number}" for number in range(count))
    quorum = draw(st.integers(default_quorum(count), count))
    order = draw(st.permutations(sites))
    asked = draw(st.integers(quorum, count))
    there = draw(st.integers(quorum, asked))
    # When a member dropped out all survivors must reveal; otherwise ``threshold`` of them, here the quorum, do.
    silent = draw(st.integers(0, there - quorum)) if there == asked else 0
    members, survivors = tuple(sorted(order[:asked])), tuple(sorted(order[:there]))
    return Case(
        tuple(blocks), sites, quorum, members, survivors, tuple(order[:silent]), draw(st.integers(0, 2**32 - 1))
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_secure_sum_equals_the_plain_integer_sum_of_the_survivors_clipped_terms(case: Case) -> None:
    random = np.random.default_rng(case.seed)
    terms = {
        site: {b.name: random.uniform(-1.2, 1.2, b.shape) * b.bound for b in case.layout} for site in case.survivors
    }  # some values are beyond their bound
    with tempfile.TemporaryDirectory() as folder:
        region = SecureRegion(Path(folder), case.sites, case.quorum)
        with region.authority() as authority:
            total = region.start(authority).open(case.layout, terms, members=case.members, silent=case.silent)
    assert total.header.sites == case.survivors
    is_plain_sum(total.plan, total.slots, total.values(), terms)


def is_plain_sum(
    plan: Plan, slots: Integers, values: dict[str, np.ndarray], terms: dict[str, dict[str, np.ndarray]]
) -> None:
    """Opened integers and decoded values equal sums of Python integers, to the last bit."""
    exact, clipped = exact_totals(plan, slots), 0
    for block in plan.layout:
        limit = math.ceil(block.bound / block.resolution)
        expected = np.zeros(block.shape, object)
        for term in terms.values():
            units = [int(x) for x in np.rint(term[block.name] / block.resolution).ravel()]
            clipped += sum(abs(x) > limit for x in units)
            expected += np.array([max(-limit, min(limit, x)) for x in units], object).reshape(block.shape)
        assert np.array_equal(exact[block.name], expected)
        assert np.array_equal(values[block.name], np.array(expected, np.float64) * block.resolution)
    assert values[CLIPPED] == clipped
