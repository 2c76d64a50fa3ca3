"""Keys and secrets of the Flower processes, made at set-up: SuperNode key pairs, the link token, SuperExec secrets.

Certificates are governance.certificates' business, identities governance.signing's.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from governance.files import write_durable, write_private

LINK_TOKEN = "link.token"
SUPEREXEC_SECRET = "superexec.secret"
NODE_KEY = "supernode.key"
NODE_PUBLIC_KEY = "supernode.pub"


def make_link_secrets(folder: Path) -> None:
    """Make the coordinator's secrets for the SuperLink: ``link.token`` and ``superexec.secret``, mode 0600."""
    make_secret(folder / LINK_TOKEN)
    make_secret(folder / SUPEREXEC_SECRET)


def make_site_secrets(folder: Path) -> Path:
    """Make a site's SuperNode key pair and its own ``superexec.secret``; returns the public key's path."""
    make_secret(folder / SUPEREXEC_SECRET)
    return make_node_keys(folder / NODE_KEY, folder / NODE_PUBLIC_KEY)


def make_secret(path: Path, size: int = 32) -> None:
    """Write ``size`` random bytes as lower-case hex text, so that it can travel in a header."""
    write_private(path, secrets.token_hex(size).encode())


def make_node_keys(private: Path, public: Path) -> Path:
    """Make a SuperNode's key pair, OpenSSH form, ECDSA P-384 as Flower's node authentication asks."""
    key = ec.generate_private_key(ec.SECP384R1())
    body = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    write_private(private, body)
    point = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    write_durable(public, point + b"\n")
    return public
