"""Masks: known answers derived again from their published parts; cancelling, uniform, bound to what they serve."""

from __future__ import annotations

import hashlib
import hmac
import json

import numpy as np
import pytest
from coalition import MOST_UNEVEN, mask_of, unevenness
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from contracts.errors import RefusedError
from contracts.messages import SEALED_SHARE_BYTES, SEED_BYTES, SHARE_BYTES
from secure_compute import masks
from secure_compute.bfv import SLOTS
from secure_compute.masks import SEED_RESIDUES, MaskBinding, MaskSum
from secure_compute.modular import T
from secure_compute.streams import uniform_residues

SECRET = bytes(range(32))
BINDING = MaskBinding("0" * 32, 3, 1, "ab" * 32)
OTHERS = [
    BINDING._replace(run="1" * 32),
    BINDING._replace(round=4),
    BINDING._replace(attempt=2),
    BINDING._replace(common="cd" * 32),
]


def hkdf(secret: bytes, **info: object) -> bytes:
    """RFC 5869 with SHA-256, no salt, 32 bytes, written out."""
    text = json.dumps(info, sort_keys=True, separators=(",", ":")).encode()
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, b"cloister/key/1\n" + text + b"\x01", "sha256")


def packed(residues: np.ndarray) -> bytes:
    return b"".join(int(value).to_bytes(5, "little") for value in residues)


def test_a_pair_seed_is_hkdf_of_the_pairs_secret() -> None:
    seed = masks.pair_seed(SECRET, BINDING)
    assert seed == hkdf(SECRET, purpose="pair_mask", **BINDING._asdict())
    assert seed.hex() == "716d8bcfb75d939bbcf0e56ec9a2bbd2284db5a285f5277e3e2817d13b018ae6"
    assert len(seed) == SEED_BYTES


def test_a_self_mask_is_made_from_seven_residues_of_the_sites_own_secret() -> None:
    seed = masks.self_seed(SECRET, BINDING)
    assert seed.tolist() == [
        543796415723, 1044369747482, 427364561677, 162170512097, 268442018369, 524780808869, 166895249368,
    ]  # fmt: skip
    drawn = uniform_residues(hkdf(SECRET, purpose="self_seed", **BINDING._asdict()), SEED_RESIDUES)
    assert np.array_equal(seed, drawn)
    key = masks.self_mask_key(seed)
    assert key == hkdf(packed(seed), purpose="self_mask")
    assert key.hex() == "fc72ef4eadc43b7298c2cfe80b8df86a008f4a43262d4195507451fdea761d9f"


def test_a_commitment_is_a_digest_of_the_seed() -> None:
    seed = masks.self_seed(SECRET, BINDING)
    assert masks.commitment(seed) == hashlib.sha256(b"cloister/self_seed/1\n" + packed(seed)).hexdigest()
    assert masks.commitment(seed) == "83f8e4fe885b26cbf6ca742dae60293bebf8218379c1253dae5976e00cc45fb5"


def test_a_stream_fills_chunk_after_chunk() -> None:
    two = mask_of(SECRET, 2)
    assert two.shape == (2, SLOTS)
    assert two[0, :3].tolist() == [934107938105, 814121359813, 321530656515]
    assert hashlib.sha256(two.tobytes()).hexdigest() == (
        "09655d738407883b5fe52e200721b4cb3704ce1619518ab4a7064f5f6d4b89ac"
    )
    assert np.array_equal(mask_of(SECRET, 1)[0], two[0])


def test_streams_are_uniform_and_below_the_modulus() -> None:
    for key in (SECRET, bytes(32), masks.pair_seed(SECRET, BINDING)):
        stream = mask_of(key, 20)
        assert stream.max() < T
        assert unevenness(stream) < MOST_UNEVEN
        assert unevenness(stream % np.uint64(1 << 20) * np.uint64(T >> 20)) < MOST_UNEVEN  # its low bits alone
    assert unevenness(mask_of(SECRET, 1) // np.uint64(2)) > MOST_UNEVEN


@pytest.mark.parametrize("other", OTHERS, ids=["run", "round", "attempt", "common"])
def test_nothing_serves_for_anything_else(other: MaskBinding) -> None:
    assert masks.pair_seed(SECRET, other) != masks.pair_seed(SECRET, BINDING)
    assert not np.array_equal(masks.self_seed(SECRET, other), masks.self_seed(SECRET, BINDING))
    share = masks.self_seed(SECRET, BINDING)
    sealed = masks.seal_share(SECRET, BINDING, "a", "b", share)
    with pytest.raises(RefusedError, match="bad_share"):
        masks.open_share(SECRET, other, "a", "b", sealed)


def test_a_sum_of_masks_is_the_sum_of_their_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MaskSum, "_MOST", 3)  # so that the sum is reduced on the way
    keys = [bytes([number]) * 32 for number in range(8)]
    total = MaskSum(1)
    expected = [0] * SLOTS
    for number, key in enumerate(keys):
        sign = -1 if number % 3 == 1 else 1
        (total.add if sign > 0 else total.subtract)(key)
        expected = [(a + sign * int(b)) % T for a, b in zip(expected, mask_of(key, 1)[0], strict=True)]
    assert total.residues()[0].tolist() == expected
    total.subtract(keys[0])
    total.add(keys[0])
    assert total.residues()[0].tolist() == expected


def test_pairwise_masks_cancel_and_self_masks_stay() -> None:
    sites = ("a", "b", "c", "d")
    total, own = MaskSum(1), MaskSum(1)
    for site in sites:
        total.add(site.encode() * 32)
        own.add(site.encode() * 32)
        for other in sites:
            seed = masks.pair_seed("".join(sorted((site, other))).encode(), BINDING)
            if other > site:
                total.add(seed)
            elif other < site:
                total.subtract(seed)
    assert np.array_equal(total.residues(), own.residues())


def test_packed_shares_come_back_and_impossible_ones_stay_impossible() -> None:
    share = np.array([0, 1, 255, 256, T - 1, T // 2, 2**39], np.uint64)
    data = masks.pack_share(share)
    assert data == packed(share)
    assert len(data) == SHARE_BYTES
    both = masks.unpack_shares(data + b"\xff" * SHARE_BYTES)
    assert np.array_equal(both[0], share)
    assert (both[1] == 2**40 - 1).all()
    assert (both[1] >= T).all()


def test_a_share_is_sealed_for_one_receiver_from_one_sender() -> None:
    share = masks.self_seed(SECRET, BINDING)
    sealed = masks.seal_share(SECRET, BINDING, "a", "b", share)
    key = hkdf(SECRET, purpose="share", sender="a", receiver="b", **BINDING._asdict())
    assert sealed == ChaCha20Poly1305(key).encrypt(bytes(12), packed(share), None)
    assert len(sealed) == SEALED_SHARE_BYTES
    assert masks.open_share(SECRET, BINDING, "a", "b", sealed) == packed(share)
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for attempt in (("b", "a", sealed), ("a", "c", sealed), ("a", "b", altered), ("a", "b", b"")):
        with pytest.raises(RefusedError, match="bad_share"):
            masks.open_share(SECRET, BINDING, *attempt)


def test_shares_are_the_same_when_repeated_and_whoever_else_holds_one() -> None:
    seed = masks.self_seed(SECRET, BINDING)
    all_shares = masks.share_seed(seed, SECRET, BINDING, 3, (1, 2, 3, 4))
    assert all_shares[:2, :2].tolist() == [[161039942000, 416351486775], [388872039425, 541396059946]]
    assert np.array_equal(masks.share_seed(seed, SECRET, BINDING, 3, (2, 4)), all_shares[[1, 3]])
