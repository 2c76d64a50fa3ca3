"""Uniform residues modulo t from a key: ChaCha20 as keystream, 40 bits a draw, draws >= t rejected.

Never ``%`` of a wider draw (SECURE_SUM rule 7): rejection leaves the residues exactly uniform.
Sources: ChaCha20, RFC 8439; HKDF, RFC 5869.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.wire import canonical
from secure_compute.modular import Residues, T

KEY_BYTES = 32
_DRAW_BYTES = 5
_DRAW_MASK = np.uint64((1 << 8 * _DRAW_BYTES) - 1)
_ZEROS = bytes(_DRAW_BYTES << 14)
"""What is encrypted to get a block of the keystream."""


def derive_key(secret: bytes, purpose: str, **binding: str | int) -> bytes:
    """A 32-byte key for one purpose, bound to what it is used for (run, round, attempt, chunk, site)."""
    info = b"cloister/key/1\n" + canonical({"purpose": purpose, **binding})
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)


def uniform_residues(key: bytes, count: int) -> Residues:
    """The first ``count`` residues of the stream of ``key``: its 40-bit draws below t, in order.

    The key must serve one stream only: the nonce is zero.
    """
    residues = np.empty(count, np.uint64)
    filled = 0
    for block in uniform_blocks(key, count):
        residues[filled : filled + block.size] = block
        filled += block.size
    return residues


def uniform_blocks(key: bytes, count: int) -> Iterator[Residues]:
    """The residues of ``uniform_residues`` in blocks that fit a processor's cache."""
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    while count > 0:
        block = _accepted(stream.update(_ZEROS[: count * _DRAW_BYTES]))
        count -= block.size
        yield block


def _accepted(keystream: bytes) -> Residues:
    """The draws below t. Each draw of 40 bits is the low end of the 64-bit word that begins with it."""
    words: Residues = np.ndarray(
        len(keystream) // _DRAW_BYTES, "<u8", keystream + bytes(8 - _DRAW_BYTES), strides=(_DRAW_BYTES,)
    )
    values = np.bitwise_and(words, _DRAW_MASK, dtype=np.uint64)
    return values if values.max() < T else values[values < T]
