"""SECURE_SUM rule 3: the authority opens the true total of the roster's terms, or nothing.

Each attack is first shown to work on an authority that would decrypt without a tag (the run's secret key, taken from
the authority's folder), then refused by the real one.

Masks are off here: they would hide a single term by themselves, and what is shown is that the tag alone stops all this.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from secure_region import RunningRun, SecureRegion, ciphertexts_of, forge

from contracts.errors import RefusedError
from contracts.sums import Block
from secure_compute.authority.keys import load_run_keys
from secure_compute.bfv import SLOTS, BfvContext, make_keys
from secure_compute.masks import MaskSum
from secure_compute.modular import T, centred

LAYOUT = (Block("count", (5,), 1000.0), Block("gradient", (5000,), 8.0, 2.0**-16))
SITES = ("east", "north", "south", "west")
VICTIM = "north"
Q = 1_152_921_504_606_830_593
"""The ciphertext modulus: the 60-bit prime that SEAL picks for N = 4096."""


def make_terms(seed: int) -> dict[str, dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    return {
        site: {"count": random.integers(0, 900, 5).astype(float), "gradient": random.normal(0, 2, 5000)}
        for site in SITES
    }


class Attack:
    """An honest round, up to the moment when the coordinator turns malicious."""

    def __init__(self, root: Path) -> None:
        self.region = SecureRegion(root, SITES)
        self.authority = self.region.authority()
        self.run: RunningRun = self.region.start(self.authority)
        self.terms = make_terms(1)
        self.frames = self.run.contributions(LAYOUT, self.terms)
        self.public: BfvContext = self.run.aggregator.run.public

    @cached_property
    def honest(self) -> bytes:
        return self.run.request(LAYOUT, self.frames)

    def sum_of(self, *sites: str) -> list[bytes]:
        """The ciphertexts of some sites added up; a site may stand several times."""
        total = [self.public.read(part) for part in ciphertexts_of(self.frames[sites[0]])]
        for site in sites[1:]:
            for running, part in zip(total, ciphertexts_of(self.frames[site]), strict=True):
                running.add(self.public.read(part))
        return [running.to_bytes() for running in total]

    def opened_without_a_tag(self, sums: list[bytes]) -> np.ndarray:
        """The count block that decryption alone would release."""
        key = load_run_keys(self.region.vault, self.run.run).bfv
        return centred(key.decrypt(key.read(sums[0])))[:5]

    def is_refused(self, sums: list[bytes]) -> None:
        """The tag fails, the run is over, its keys are gone, and the audit chain says so."""
        with pytest.raises(RefusedError, match="tag_failed"):
            self.authority.open(self.run.run, forge(self.honest, sums=sums))
        assert self.region.refusals() == ["tag_failed"]
        assert not list((self.region.folder / "secrets").glob("runs/*"))
        with pytest.raises(RefusedError, match="already_opened"):
            self.authority.open(self.run.run, self.honest)


@pytest.fixture(autouse=True)
def without_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    for act in ("add", "subtract"):
        monkeypatch.setattr(MaskSum, act, lambda masks, key: None)


@pytest.fixture
def attack(tmp_path: Path) -> Iterator[Attack]:
    case = Attack(tmp_path)
    yield case
    case.authority.close()


def total_of(attack: Attack, *sites: str) -> np.ndarray:
    return np.sum([attack.terms[site]["count"] for site in sites], axis=0)


def test_the_true_sum_opens(attack: Attack) -> None:
    total = attack.run.aggregator.accept_total(attack.authority.open(attack.run.run, attack.honest))
    assert np.array_equal(total.values()["count"], total_of(attack, *SITES))


@pytest.mark.parametrize(
    ("sites", "reveals"),
    [
        pytest.param((VICTIM,), lambda opened, others: opened, id="one site's ciphertext"),
        pytest.param((VICTIM,) * 4, lambda opened, others: opened / 4, id="n times one site's ciphertext"),
        pytest.param(
            (VICTIM, VICTIM, "east", "south", "west"),
            lambda opened, others: opened - others - (opened - others) / 2,
            id="one site twice",
        ),
        pytest.param(
            (VICTIM, "east"), lambda opened, others: opened - others, id="a partial sum with a colluding site"
        ),
    ],
)
def test_sums_of_other_sites_than_the_signed_ones_are_refused(
    attack: Attack, sites: tuple[str, ...], reveals: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    crafted = attack.sum_of(*sites)
    others = [site for site in sites if site != VICTIM]
    known = total_of(attack, *others) if others else np.zeros(5)
    assert np.array_equal(reveals(attack.opened_without_a_tag(crafted), known), attack.terms[VICTIM]["count"])
    attack.is_refused(crafted)


def test_a_total_plus_an_offset_is_refused(attack: Attack) -> None:
    offset = np.zeros(SLOTS, np.uint64)
    offset[0] = 7
    crafted = attack.sum_of(*SITES)
    shifted = attack.public.read(crafted[0])
    shifted.add(attack.public.encrypt(offset))
    crafted[0] = shifted.to_bytes()
    assert np.array_equal(attack.opened_without_a_tag(crafted) - total_of(attack, *SITES), [7, 0, 0, 0, 0])
    attack.is_refused(crafted)


def test_an_offset_with_a_guessed_tag_is_refused(attack: Attack) -> None:
    offset = np.zeros(SLOTS, np.uint64)
    offset[0], offset[-1] = 7, 7 * 12345
    crafted = attack.sum_of(*SITES)
    shifted = attack.public.read(crafted[0])
    shifted.add(attack.public.encrypt(offset))
    attack.is_refused([shifted.to_bytes(), *crafted[1:]])


def test_a_ciphertext_of_the_coordinators_own_is_refused(attack: Attack) -> None:
    chosen = np.arange(SLOTS, dtype=np.uint64)
    crafted = [attack.public.encrypt(chosen).to_bytes() for _ in attack.sum_of(VICTIM)]
    assert np.array_equal(attack.opened_without_a_tag(crafted), np.arange(5))
    attack.is_refused(crafted)


def test_a_sum_under_another_key_is_refused(attack: Attack) -> None:
    foreign = BfvContext(make_keys()[0])
    crafted = [foreign.encrypt(np.zeros(SLOTS, np.uint64)).to_bytes() for _ in attack.sum_of(VICTIM)]
    opened = attack.opened_without_a_tag(crafted)  # garbage, and no error says so
    assert opened.any()
    attack.is_refused(crafted)


def test_a_flipped_bit_is_refused(attack: Attack) -> None:
    crafted = attack.sum_of(*SITES)
    altered = bytearray(crafted[0])
    altered[40_000] ^= 1
    assert not np.array_equal(attack.opened_without_a_tag([bytes(altered)]), total_of(attack, *SITES))
    attack.is_refused([bytes(altered), *crafted[1:]])


def test_swapped_chunks_are_refused(attack: Attack) -> None:
    crafted = attack.sum_of(*SITES)[::-1]
    assert len(crafted) == 2
    assert not np.array_equal(attack.opened_without_a_tag(crafted), total_of(attack, *SITES))
    attack.is_refused(crafted)


def test_the_sum_of_an_earlier_round_is_refused_in_the_next(attack: Attack) -> None:
    earlier = attack.sum_of(*SITES)
    signed = attack.authority.open(attack.run.run, attack.honest)
    attack.run.aggregator.accept_total(signed)
    for session in attack.run.sessions.values():
        session.accept_total(signed)
    attack.honest = attack.run.request(LAYOUT, attack.run.contributions(LAYOUT, make_terms(2)))
    assert np.array_equal(attack.opened_without_a_tag(earlier), total_of(attack, *SITES))
    attack.is_refused(earlier)


def test_the_sum_of_another_attempt_is_refused(attack: Attack) -> None:
    earlier = attack.sum_of(*SITES)
    attack.honest = attack.run.request(LAYOUT, attack.run.contributions(LAYOUT, attack.terms, attempt=1), attempt=1)
    attack.is_refused(earlier)


def test_a_ciphertext_that_would_open_to_the_secret_key_is_refused(attack: Attack) -> None:
    crafted = [key_revealing_ciphertext()] * 2
    key = load_run_keys(attack.region.vault, attack.run.run).bfv
    coefficients = first_coefficients(key.decrypt(key.read(crafted[0])))
    # The secret key's coefficients are -1, 0 and 1: here they are, all of them could be read off.
    assert set(coefficients) == {0, 1, T - 1}
    attack.is_refused(crafted)


def key_revealing_ciphertext() -> bytes:
    """c0 = 0, c1 = floor(q / t): decryption computes c0 + c1 s, which is s times the scale of a plaintext.

    Written by hand in SEAL's uncompressed form and TenSEAL's protocol buffer.
    """
    parameters = [15108995537295481684, 2631672479652545276, 12123695835990306976, 1554329523539057009]
    coefficients = [0] * SLOTS + [Q // T] + [0] * (SLOTS - 1)
    data = struct.pack("<Q8192Q", 2 * SLOTS, *coefficients)
    data = struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 3, 0, 0, 16 + len(data)) + data
    body = struct.pack("<4QBQQQdQ", *parameters, 0, 2, SLOTS, 1, 1.0, 1) + data
    ciphertext = struct.pack("<HBBBBHQ", 0xA15E, 16, 4, 3, 0, 0, 16 + len(body)) + body
    return b"\x0a\x02\x80\x20\x12" + varint(len(ciphertext)) + ciphertext


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def first_coefficients(slots: np.ndarray, count: int = 64) -> list[int]:
    """Coefficients of the polynomial whose batched slots these are, up to an automorphism of the ring.

    Slot i holds the value at zeta^(3^i), slot N/2 + i at zeta^(-3^i), zeta a primitive 2N-th root of one.
    """
    zeta = next(z for z in (pow(g, (T - 1) // (2 * SLOTS), T) for g in range(2, 50)) if pow(z, SLOTS, T) == T - 1)
    exponents = [pow(3, i, 2 * SLOTS) for i in range(SLOTS // 2)]
    exponents += [2 * SLOTS - exponent for exponent in exponents]
    inverse = np.array([pow(zeta, 2 * SLOTS - exponent, T) for exponent in exponents], dtype=object)
    row, found = slots.astype(object), []
    for _ in range(count):
        found.append(int(row.sum()) * pow(SLOTS, -1, T) % T)
        row = row * inverse % T
    return found
