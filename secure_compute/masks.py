"""Masks of one round: what hides a site's tagged term even from who can decrypt it (SECURE_SUM rule 7).

    masked_i = tagged_i + b_i + sum_{j > i} p_ij - sum_{j < i} p_ij   (mod t)      over the members j of the round

p_ij comes from a seed that only i and j can derive, b_i from a seed of i's own, of which every member gets a share.
Pairwise masks cancel in the sum over all members; self-masks are removed once the survivors are agreed on. Every seed
is bound to all that the members' headers have in common (SECURE_SUM rule 5): none serves twice, none leads to another
round's, and masks of two different states do not cancel, whoever showed them to the sites.
Source: Bonawitz et al. 2017, Practical secure aggregation; differences in docs/adr/0007.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from contracts.errors import RefusedError
from contracts.messages import SHARE_BYTES, RefusalCode
from contracts.wire import digest
from secure_compute.bfv import SLOTS
from secure_compute.modular import Residues, T
from secure_compute.shamir import split
from secure_compute.streams import derive_key, uniform_blocks, uniform_residues

SEED_RESIDUES = 7
"""Residues of a self-mask's seed, 5 bytes each: 279 bits."""

_NONCE = bytes(12)
"""Every sealing key seals one share."""

_RESIDUE_BYTES = SHARE_BYTES // SEED_RESIDUES


class MaskBinding(NamedTuple):
    """What a mask is good for. ``common``: ``run_messages.common_digest`` of the headers of this (round, attempt)."""

    run: str
    round: int
    attempt: int
    common: str


def pair_seed(secret: bytes, binding: MaskBinding) -> bytes:
    """The seed of a pairwise mask, the same at both sites. ``secret``: their Diffie-Hellman secret of the run."""
    return derive_key(secret, "pair_mask", **binding._asdict())


def self_seed(root: bytes, binding: MaskBinding) -> Residues:
    """The seed of a self-mask, shape (7,). ``root``: the site's own secret of the run."""
    return uniform_residues(derive_key(root, "self_seed", **binding._asdict()), SEED_RESIDUES)


def self_mask_key(seed: Residues) -> bytes:
    """The key of the self-mask's stream."""
    return derive_key(pack_share(seed), "self_mask")


def commitment(seed: Residues) -> str:
    """What a term's header says of its self-mask's seed, so that wrong shares are noticed."""
    return digest(b"cloister/self_seed/1\n" + pack_share(seed))


class MaskSum:
    """Adds and subtracts masks of shape (chunks, 4096) without reducing after each: t has 40 bits, sums have 64."""

    _MOST = 1 << 20

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        self._total = np.zeros((chunks, SLOTS), np.uint64)
        self._count = 0

    def add(self, key: bytes) -> None:
        for place, block in self._places(key):
            place += block
        self._counted()

    def subtract(self, key: bytes) -> None:
        for place, block in self._places(key):
            place += np.uint64(T) - block
        self._counted()

    def residues(self) -> Residues:
        """The sum modulo t."""
        self._total %= np.uint64(T)
        self._count = 1
        return self._total

    def _places(self, key: bytes) -> Iterator[tuple[Residues, Residues]]:
        """The sum, part by part, beside the mask's residues for it."""
        at, flat = 0, self._total.ravel()
        for block in uniform_blocks(key, flat.size):
            yield flat[at : at + block.size], block
            at += block.size

    def _counted(self) -> None:
        self._count += 1
        if self._count == self._MOST:
            self.residues()


def share_seed(seed: Residues, root: bytes, binding: MaskBinding, threshold: int, holders: Sequence[int]) -> Residues:
    """Shares of a self-mask's seed for holders (roster numbers from 1), shape (holders, 7); the same when repeated."""
    count = (threshold - 1) * SEED_RESIDUES
    drawn = uniform_residues(derive_key(root, "share_polynomial", **binding._asdict()), count)
    return split(seed, drawn.reshape(threshold - 1, SEED_RESIDUES), holders)


def seal_share(secret: bytes, binding: MaskBinding, sender: str, receiver: str, share: Residues) -> bytes:
    """A share encrypted for another site, ``SEALED_SHARE_BYTES``."""
    return _share_cipher(secret, binding, sender, receiver).encrypt(_NONCE, pack_share(share), None)


def open_share(secret: bytes, binding: MaskBinding, sender: str, receiver: str, sealed: bytes | memoryview) -> bytes:
    """A share that was sealed for this site, packed. Raises RefusedError bad_share."""
    try:
        return _share_cipher(secret, binding, sender, receiver).decrypt(_NONCE, bytes(sealed), None)
    except InvalidTag as error:
        raise RefusedError(RefusalCode.BAD_SHARE, f"the share of '{sender}' was altered or made for another") from error


def pack_share(share: Residues) -> bytes:
    """Residues as 5 bytes each, little endian."""
    return share.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_RESIDUE_BYTES].tobytes()


def unpack_shares(data: bytes | memoryview) -> Residues:
    """Packed shares one after the other as residues of shape (shares, 7); an impossible one stays >= t."""
    wide = np.zeros((len(data) // _RESIDUE_BYTES, 8), np.uint8)
    wide[:, :_RESIDUE_BYTES] = np.frombuffer(data, np.uint8).reshape(-1, _RESIDUE_BYTES)
    return wide.view("<u8").ravel().astype(np.uint64, copy=False).reshape(-1, SEED_RESIDUES)


def _share_cipher(secret: bytes, binding: MaskBinding, sender: str, receiver: str) -> ChaCha20Poly1305:
    key = derive_key(secret, "share", sender=sender, receiver=receiver, **binding._asdict())
    return ChaCha20Poly1305(key)
