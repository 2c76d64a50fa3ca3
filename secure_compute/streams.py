"""Uniform residues modulo t from a key: ChaCha20 as keystream, 40 bits a draw, draws >= t rejected.

Never ``%`` of a wider draw (SECURE_SUM rule 7): rejection leaves the residues exactly uniform.
Sources: ChaCha20, RFC 8439; HKDF, RFC 5869.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.wire import canonical
from secure_compute.modular import Residues, T

KEY_BYTES = 32
_DRAW_BYTES = 5


def derive_key(secret: bytes, purpose: str, **binding: str | int) -> bytes:
    """A 32-byte key for one purpose, bound to what it is used for (run, round, attempt, chunk, site)."""
    info = b"cloister/key/1\n" + canonical({"purpose": purpose, **binding})
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)


def uniform_residues(key: bytes, count: int) -> Residues:
    """The first ``count`` residues of the stream of ``key``: its 40-bit draws below t, in order.

    The key must serve one stream only: the nonce is zero.
    """
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    residues = _accepted(stream.update(bytes(count * _DRAW_BYTES)))
    while residues.size < count:
        missing = count - residues.size
        residues = np.concatenate([residues, _accepted(stream.update(bytes(missing * _DRAW_BYTES)))])
    return residues


def _accepted(keystream: bytes) -> Residues:
    draws = np.zeros((len(keystream) // _DRAW_BYTES, 8), np.uint8)
    draws[:, :_DRAW_BYTES] = np.frombuffer(keystream, np.uint8).reshape(-1, _DRAW_BYTES)
    values = draws.view("<u8").ravel().astype(np.uint64, copy=False)
    good = values < T
    return values if good.all() else values[good]
