"""Keys of one run between the authority and one site: X25519, from which the seed of a_i and the seal of r come.

The X25519 keys are made for a run and signed by the long-term identities, which never encrypt anything.
Sources: X25519, RFC 7748; ChaCha20-Poly1305, RFC 8439.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from contracts.errors import RefusedError
from contracts.messages import RefusalCode
from secure_compute.streams import KEY_BYTES, derive_key

_NONCE_BYTES = 12


def shared_secret(private: X25519PrivateKey, public: str) -> bytes:
    """The Diffie-Hellman secret with a public key (hex). Raises RefusedError wrong_key for a key of small order."""
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(public)))
    except ValueError as error:
        raise RefusedError(RefusalCode.WRONG_KEY, "not a usable X25519 key") from error


def pad_seed(shared: bytes, run: str, site: str) -> bytes:
    """The seed of a_i for a run."""
    return derive_key(shared, "pad_seed", run=run, site=site)


def seal(shared: bytes, run: str, site: str, secret: bytes, bound_to: bytes) -> bytes:
    """Encrypt a secret for the other side; ``bound_to`` (a header) must be the same when it is opened."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + ChaCha20Poly1305(derive_key(shared, "seal", run=run, site=site)).encrypt(nonce, secret, bound_to)


def unseal(shared: bytes, run: str, site: str, sealed: bytes, bound_to: bytes) -> bytes:
    """Open what ``seal`` made. Raises RefusedError content_altered."""
    cipher = ChaCha20Poly1305(derive_key(shared, "seal", run=run, site=site))
    try:
        secret = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise RefusedError(RefusalCode.CONTENT_ALTERED, "the sealed seed is not from this run's authority") from error
    if len(secret) != KEY_BYTES:
        raise RefusedError(RefusalCode.BAD_MESSAGE, "the sealed seed has another length")
    return secret
