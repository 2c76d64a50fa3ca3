"""Residues, streams, fixed point, tags and ciphertexts, each against plain Python integers or a published vector."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from contracts.errors import RangeError, RefusedError
from contracts.sums import Block
from secure_compute.bfv import SLOTS, BfvContext, make_keys
from secure_compute.fixed_point import (
    CLIPPED,
    VALUE_SLOTS,
    check_range,
    decode,
    encode,
    exact_totals,
    make_plan,
    normalise,
    release,
)
from secure_compute.modular import HALF, T, add, centred, dot, to_residues
from secure_compute.streams import derive_key, uniform_residues
from secure_compute.tag import Binding, append_tags, coefficients, holds, pads, sum_pads

RANDOM = np.random.default_rng(7)
EXTREMES = np.array([0, 1, 2, HALF, HALF + 1, T - 2, T - 1], np.uint64)


def residues(count: int) -> np.ndarray:
    return RANDOM.integers(0, T, count, dtype=np.uint64)


def test_the_modulus_is_the_protocols() -> None:
    assert T == 2**40 - 147455
    assert T % 8192 == 1
    assert all(pow(base, T - 1, T) == 1 for base in (2, 3, 5, 7, 11, 13))


def test_signed_numbers_come_back_from_residues() -> None:
    values = np.array([0, 1, -1, HALF, -HALF])
    assert np.array_equal(centred(to_residues(values)), values)


def test_addition_wraps_at_the_modulus() -> None:
    left, right = np.repeat(EXTREMES, EXTREMES.size), np.tile(EXTREMES, EXTREMES.size)
    assert add(left, right).tolist() == [(int(a) + int(b)) % T for a, b in zip(left, right, strict=True)]


@pytest.mark.parametrize("count", [0, 1, 4095, 8192])
def test_dot_products_are_exact(count: int) -> None:
    left, right = residues(count), residues(count)
    left[: EXTREMES.size] = EXTREMES[:count]
    assert dot(left, right) == sum(int(a) * int(b) for a, b in zip(left, right, strict=True)) % T


def test_the_largest_dot_product_is_exact() -> None:
    largest = np.full(8192, T - 1, np.uint64)
    assert dot(largest, largest) == 8192 % T
    with pytest.raises(ValueError, match="8192"):
        dot(np.zeros(8193, np.uint64), np.zeros(8193, np.uint64))


def test_residues_are_the_40_bit_draws_below_t_of_the_rfc_8439_keystream() -> None:
    key = bytes(range(32))
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(5 * 1000))
    draws = [int.from_bytes(stream[at : at + 5], "little") for at in range(0, len(stream), 5)]
    assert uniform_residues(key, 1000).tolist() == [draw for draw in draws if draw < T][:1000]


def test_the_zero_keys_stream_starts_as_published() -> None:
    # RFC 8439, appendix A.1, test vector 1: 76 b8 e0 ad a0 f1 3d 90 40 5d
    assert uniform_residues(bytes(32), 2).tolist() == [0xA0ADE0B876, 0x5D40903DF1]


def test_rejected_draws_are_skipped_and_the_stream_goes_on() -> None:
    key = (52).to_bytes(32, "big")  # found by search: two of its first 200,000 draws are not below t
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(5 * 200_002))
    draws = np.zeros((200_002, 8), np.uint8)
    draws[:, :5] = np.frombuffer(stream, np.uint8).reshape(-1, 5)
    values = draws.view("<u8").ravel()
    assert np.flatnonzero(values >= T).tolist() == [128_227, 179_483]
    assert np.array_equal(uniform_residues(key, 200_000), values[values < T])


def test_keys_differ_by_everything_they_are_bound_to() -> None:
    secret = bytes(32)
    keys = {
        derive_key(secret, "r", run="a", round=0, attempt=0, chunk=0),
        derive_key(secret, "r", run="a", round=0, attempt=0, chunk=1),
        derive_key(secret, "r", run="a", round=0, attempt=1, chunk=0),
        derive_key(secret, "r", run="a", round=1, attempt=0, chunk=0),
        derive_key(secret, "r", run="b", round=0, attempt=0, chunk=0),
        derive_key(secret, "a", run="a", round=0, attempt=0, chunk=0),
    }
    assert len(keys) == 6


def test_small_blocks_share_one_ciphertext() -> None:
    plan = make_plan((Block("a", (10, 10), 5.0), Block("b", (), 1.0), Block("empty", (0,), 1.0)), 4)
    assert (plan.slots, plan.chunks) == (102, 1)


@pytest.mark.parametrize(("values", "chunks"), [(1, 1), (4094, 1), (4095, 2), (8189, 2), (8190, 3)])
def test_ciphertexts_are_slots_with_tags_over_4096_rounded_up(values: int, chunks: int) -> None:
    plan = make_plan((Block("a", (values,), 2.0**36),), 4)
    assert plan.chunks == chunks == -(-(plan.slots + plan.chunks) // SLOTS)


@pytest.mark.parametrize(
    ("sites", "bound", "resolution", "limbs"),
    [
        (4, HALF // 4, 1.0, 1),
        (4, HALF // 4 + 1, 1.0, 2),
        (390, 2.0**30, 1.0, 1),
        (390, 2.0**31, 1.0, 2),
        (390, 1e9, 2.0**-40, 3),
    ],
)
def test_limbs_are_as_few_as_are_exact(sites: int, bound: float, resolution: float, limbs: int) -> None:
    assert make_plan((Block("a", (2,), bound, resolution),), sites).codes[0].limbs == limbs


@pytest.mark.parametrize("sites", [2, 4, 390])
@pytest.mark.parametrize("bound", [1.0, 2.0**30, 2.0**37, 2.0**60, 2.0**100])
def test_sums_of_largest_and_smallest_values_are_exact(sites: int, bound: float) -> None:
    layout = (Block("a", (4,), bound, 1.0),)
    plan = make_plan(layout, sites)
    values, clipped = encode(plan, {"a": np.array([bound, -bound, 0.0, 1.0])})
    total = np.zeros_like(values)
    for _ in range(sites):
        total = add(total, values)
    opened = normalise(plan, centred(total).ravel()[: plan.slots])
    assert clipped == 0
    assert exact_totals(plan, opened)["a"].tolist() == [int(bound) * sites, -int(bound) * sites, 0, sites]
    assert decode(plan, opened)["a"].tolist() == [bound * sites, -bound * sites, 0.0, sites]


@pytest.mark.parametrize(
    ("sites", "units", "shared"),
    [(4, 2**16, 2), (4, 2**17 - 1, 2), (4, 2**17 + 2**16, 1), (4, 1000, 3), (390, 1000, 2), (390, 2000, 1), (4, 1, 10)],
)
def test_small_values_share_slots_where_their_sums_fit(sites: int, units: int, shared: int) -> None:
    plan = make_plan((Block("a", (5000,), float(units)),), sites)
    assert plan.codes[0].shared == shared
    assert plan.slots == -(-5000 // shared) + 1
    assert sites * units < 2 ** (plan.codes[0].bits - 1) or shared == 1


@pytest.mark.parametrize("sites", [2, 4, 39])
@pytest.mark.parametrize("units", [1, 3, 1000, 5000, 2**13])
def test_sums_of_values_that_share_slots_are_exact_at_their_bounds_too(sites: int, units: int) -> None:
    random = np.random.default_rng(units)
    plan = make_plan((Block("a", (41, 123), units * 0.5, 0.5), Block("b", (), 3.0)), sites)
    assert plan.codes[0].shared > 1
    terms = [random.integers(-units, units + 1, (41, 123)) for _ in range(sites - 1)]
    terms.append(np.where(terms[0] > 0, units, -units))
    terms[0] = np.where(terms[-1] > 0, units, -units)
    total = np.zeros((plan.chunks, VALUE_SLOTS), np.uint64)
    for term in terms:
        values, clipped = encode(plan, {"a": term * 0.5, "b": np.array(1.0)})
        assert clipped == 0
        total = add(total, values)
    opened = normalise(plan, centred(total).ravel()[: plan.slots])
    assert np.array_equal(exact_totals(plan, opened)["a"], sum(terms))
    assert np.array_equal(decode(plan, opened)["a"], sum(terms) * 0.5)
    assert decode(plan, opened)["b"] == sites


def test_normalised_digits_depend_on_the_total_alone() -> None:
    """Two ways to the same total: what is released is the same (an unnormalised digit sum would differ)."""
    plan = make_plan((Block("a", (1,), 2.0**50, 1.0),), 2)
    released = []
    for parts in ((2.0**40 - 1, 1.0), (2.0**40, 0.0), (2.0**40 + 5, -5.0)):
        total = np.zeros((1, VALUE_SLOTS), np.uint64)
        for part in parts:
            total = add(total, encode(plan, {"a": np.array([part])})[0])
        released.append(normalise(plan, centred(total).ravel()[: plan.slots]).tolist())
    assert released[0] == released[1] == released[2]


def test_clipped_values_are_counted_and_bounded() -> None:
    plan = make_plan((Block("a", (4,), 2.0, 0.5), Block("b", (), 1.0)), 4)
    values, clipped = encode(plan, {"a": np.array([2.2, 2.3, -math.inf, 1.25]), "b": np.array(0.0)})
    decoded = decode(plan, centred(values).ravel()[: plan.slots])
    assert clipped == decoded[CLIPPED] == 2
    assert decoded["a"].tolist() == [2.0, 2.0, -2.0, 1.0]


def test_of_counts_only_whether_they_reach_the_threshold_is_released() -> None:
    plan = make_plan((Block("buckets", (5,), 100.0, at_least=10), Block("n", (), 100.0)), 4)
    total = np.array([0, 9, 10, 11, 400, 37, 0])
    assert decode(plan, release(plan, total))["buckets"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]
    assert decode(plan, release(plan, total))["n"] == 37


@pytest.mark.parametrize(
    "block",
    [
        Block("a", (1,), 1e60),
        Block("a", (1,), math.inf),
        Block("a", (1,), math.nan),
        Block("a", (1,), 1.0, 0.0),
        Block("a", (1,), 0.5, 1.0),
        Block("a", (1,), 10.0, 0.5, at_least=3),
        Block("a", (1,), 2.0**39, at_least=3),
        Block(CLIPPED, (1,), 1.0),
        Block("a", (2**38,), 1.0),
    ],
)
def test_a_block_that_cannot_be_summed_exactly_does_not_load(block: Block) -> None:
    with pytest.raises(RangeError):
        check_range((block,), 4)


def test_two_blocks_of_one_name_do_not_load() -> None:
    with pytest.raises(RangeError, match="names of their own"):
        check_range((Block("a", (1,), 1.0), Block("a", (2,), 1.0)), 4)


@pytest.mark.parametrize(
    "term",
    [{}, {"a": np.zeros(3)}, {"a": np.array([1.0, math.nan])}, {"a": np.zeros(2), "b": np.zeros(2)}],
)
def test_a_term_that_is_not_its_layouts_is_refused(term: dict[str, np.ndarray]) -> None:
    with pytest.raises(RefusedError, match="bad_term"):
        encode(make_plan((Block("a", (2,), 1.0),), 4), term)


def test_a_tag_holds_for_the_true_total_and_for_nothing_near_it() -> None:
    binding, seed = Binding("0" * 32, 3, 1), b"r" * 32
    terms = [residues(2 * VALUE_SLOTS).reshape(2, VALUE_SLOTS) for _ in range(3)]
    own = [pads(bytes([number]) * 32, binding, f"s{number}", 2) for number in range(3)]
    total = np.zeros((2, SLOTS), np.uint64)
    for term, pad in zip(terms, own, strict=True):
        total = add(total, append_tags(term, seed, pad, binding))
    expected = sum_pads(own)
    for chunk in range(2):
        assert holds(total[chunk], seed, int(expected[chunk]), binding, chunk)
        assert not holds(total[chunk], seed, int(expected[1 - chunk]), binding, chunk)
        assert not holds(total[1 - chunk], seed, int(expected[chunk]), binding, chunk)
        assert not holds(total[chunk], seed, int(expected[chunk]), binding._replace(attempt=2), chunk)
        altered = total[chunk].copy()
        altered[100] = (int(altered[100]) + 1) % T
        assert not holds(altered, seed, int(expected[chunk]), binding, chunk)


def test_tag_coefficients_are_fresh_for_each_chunk() -> None:
    binding = Binding("0" * 32, 0, 0)
    assert not np.array_equal(coefficients(bytes(32), binding, 0, 10), coefficients(bytes(32), binding, 1, 10))


def test_ciphertexts_carry_any_residue_and_add_exactly() -> None:
    public, secret = make_keys()
    everybody, opener = BfvContext(public), BfvContext(secret)
    assert (everybody.is_secret, opener.is_secret) == (False, True)
    left, right = residues(SLOTS), residues(SLOTS)
    left[: EXTREMES.size] = EXTREMES
    total = everybody.read(everybody.encrypt(left).to_bytes())
    total.add(everybody.encrypt(right))
    assert np.array_equal(opener.decrypt(opener.read(total.to_bytes())), add(left, right))


def test_a_sum_of_390_is_exact() -> None:
    public, secret = make_keys()
    everybody, opener = BfvContext(public), BfvContext(secret)
    values = residues(SLOTS)
    total = everybody.encrypt(values)
    for _ in range(389):
        total.add(everybody.encrypt(values))
    expected = [390 * int(value) % T for value in values]
    assert opener.decrypt(opener.read(total.to_bytes())).tolist() == expected


def test_a_ciphertext_takes_at_most_16_and_a_half_bytes_a_slot() -> None:
    assert len(BfvContext(make_keys()[0]).encrypt(residues(SLOTS)).to_bytes()) <= 16.5 * SLOTS


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x0a\x02\x80\x20"])
def test_bytes_that_are_no_ciphertext_or_context_are_refused(junk: bytes) -> None:
    context = BfvContext(make_keys()[0])
    with pytest.raises(RefusedError, match="bad_message"):
        context.read(junk)
    with pytest.raises(RefusedError, match="wrong_key"):
        BfvContext(junk)
