"""BFV through TenSEAL: the only module that touches it. Exact sums of 4096 residues modulo t a ciphertext.

N = 4096, coefficient moduli [60, 49] bits (128-bit security), t of 40 bits: 65,667 bytes a ciphertext, 16.03 a slot;
sums of 390 fresh encryptions are exact with 8 bits of noise budget left (SECURE_SUM rule 1). A ciphertext of another
key or an altered one decrypts to garbage without an error: never trust an opened vector whose tag was not checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tenseal

from contracts.errors import RefusedError
from contracts.messages import RefusalCode
from secure_compute.modular import Residues, T

SLOTS = 4096
COEFFICIENT_BITS = (60, 49)

# What SEAL calls its parameters (BLAKE2b of N, moduli and t): ciphertexts and keys of other parameters are refused.
_KEY_PARAMETERS = [13571100385917820374, 6530393108699325885, 13256328794666264932, 5997027753481202205]
_CIPHERTEXT_PARAMETERS = [15108995537295481684, 2631672479652545276, 12123695835990306976, 1554329523539057009]


def make_keys() -> tuple[bytes, bytes]:
    """A fresh key pair: the public context for everybody, the secret one for the opener."""
    context = tenseal.context(
        tenseal.SCHEME_TYPE.BFV, SLOTS, plain_modulus=T, coeff_mod_bit_sizes=list(COEFFICIENT_BITS), n_threads=1
    )
    kept = {"save_galois_keys": False, "save_relin_keys": False}
    public = context.serialize(save_public_key=True, save_secret_key=False, **kept)
    secret = context.serialize(save_public_key=False, save_secret_key=True, **kept)
    return public, secret


@dataclass(frozen=True)
class Ciphertext:
    """An encrypted vector of 4096 residues. ``vector`` is TenSEAL's."""

    vector: Any

    def to_bytes(self) -> bytes:
        return bytes(self.vector.serialize())

    def add(self, other: Ciphertext) -> None:
        """Add another ciphertext of the same key to this one, in place."""
        self.vector.add_(other.vector)

    def subtract_plain(self, residues: Residues) -> None:
        """Subtract 4096 residues that are not secret, in place: costs no noise."""
        self.vector.sub_(residues)


class BfvContext:
    """A context read from bytes: encrypts with the public one, decrypts with the secret one.

    Raises:
        RefusedError: wrong_key when the bytes hold no context of the protocol's parameters.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        try:
            self._context = tenseal.context_from(bytes(data), n_threads=1)
            parameters = self._context.seal_context().data.key_parms_id()
        except (ValueError, RuntimeError) as error:
            raise RefusedError(RefusalCode.WRONG_KEY, "not a BFV context") from error
        if list(parameters) != _KEY_PARAMETERS:
            raise RefusedError(RefusalCode.WRONG_KEY, "a BFV context of other parameters than the protocol's")

    @property
    def is_secret(self) -> bool:
        return bool(self._context.is_private())

    def encrypt(self, residues: Residues) -> Ciphertext:
        """Encrypt exactly 4096 residues."""
        if residues.shape != (SLOTS,):
            raise ValueError(f"a ciphertext takes {SLOTS} residues, got {residues.shape}")
        return Ciphertext(tenseal.bfv_vector(self._context, residues))

    def read(self, data: bytes | memoryview) -> Ciphertext:
        """Read one ciphertext of 4096 slots. Raises RefusedError bad_message for anything else."""
        try:
            vector = tenseal.bfv_vector_from(self._context, bytes(data))
            ciphertexts = vector.ciphertext()
            is_one = vector.size() == SLOTS and len(ciphertexts) == 1 and ciphertexts[0].size() == 2
        except (ValueError, RuntimeError) as error:
            raise RefusedError(RefusalCode.BAD_MESSAGE, "not a ciphertext") from error
        if not is_one or list(ciphertexts[0].parms_id()) != _CIPHERTEXT_PARAMETERS:
            raise RefusedError(RefusalCode.BAD_MESSAGE, "not one fresh or summed ciphertext of 4096 slots")
        return Ciphertext(vector)

    def decrypt(self, ciphertext: Ciphertext) -> Residues:
        """The 4096 residues of a ciphertext. Garbage without an error when it was made under another key."""
        opened = np.array(ciphertext.vector.decrypt(), dtype=np.int64)
        return np.mod(opened, T).astype(np.uint64)
