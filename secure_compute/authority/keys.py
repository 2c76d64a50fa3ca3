"""Secrets of one run at the authority: BFV secret key, X25519 key, seed of r. On disk for the life of the run only.

<authority>/secrets/runs/<run>/bfv.key, exchange.key, r.seed       sealed (governance.vault), mode 0600
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts.messages import KeyMessage, RunDescriptor
from governance.approvals import Approval
from governance.files import destroy
from governance.vault import Vault
from secure_compute.bfv import BfvContext, make_keys
from secure_compute.key_exchange import pad_seed
from secure_compute.streams import KEY_BYTES

_NAMES = ("bfv.key", "exchange.key", "r.seed")


@dataclass(frozen=True)
class RunKeys:
    """What opens a run's sums and proves their tags."""

    bfv: BfvContext
    exchange: X25519PrivateKey
    r_seed: bytes

    @property
    def exchange_public(self) -> str:
        return self.exchange.public_key().public_bytes_raw().hex()


@dataclass(frozen=True)
class Granted:
    """An open run: its documents and secrets, read once.

    Attributes:
        pad_seeds: of each site that registered its keys, the seed of its a_i.
        mask_keys: of the same sites, the public key that others mask with (hex).
    """

    descriptor: RunDescriptor
    digest: str
    approval: Approval
    keys: RunKeys
    pad_seeds: dict[str, bytes] = field(default_factory=dict)
    mask_keys: dict[str, str] = field(default_factory=dict)

    def take_key(self, key: KeyMessage, shared: bytes) -> None:
        """Take a site's checked keys; ``shared``: the Diffie-Hellman secret with it."""
        self.pad_seeds[key.site] = pad_seed(shared, key.run, key.site)
        self.mask_keys[key.site] = key.mask_key


def make_run_keys(vault: Vault, run: str) -> tuple[RunKeys, bytes]:
    """Make a run's keys and keep them durably; also returns the public BFV context."""
    public, secret = make_keys()
    exchange = X25519PrivateKey.generate()
    r_seed = os.urandom(KEY_BYTES)
    folder = _folder(vault.secrets, run)
    for name, data in zip(_NAMES, (secret, exchange.private_bytes_raw(), r_seed), strict=True):
        vault.write(folder / name, data)
    return RunKeys(BfvContext(secret), exchange, r_seed), public


def load_run_keys(vault: Vault, run: str) -> RunKeys:
    """Read a run's keys. Raises CredentialError (file mode), UsageError (gone), IntegrityError (altered)."""
    secret, exchange, r_seed = (vault.read(_folder(vault.secrets, run) / name) for name in _NAMES)
    return RunKeys(BfvContext(secret), X25519PrivateKey.from_private_bytes(exchange), r_seed)


def destroy_run_keys(secrets: Path, run: str) -> None:
    """Destroy a run's keys (SECURE_SUM rule 2)."""
    folder = _folder(secrets, run)
    for name in _NAMES:
        destroy(folder / name)
    if folder.exists():
        folder.rmdir()


def kept_runs(secrets: Path) -> list[str]:
    """Runs whose keys are on disk."""
    return sorted(path.name for path in (secrets / "runs").glob("*") if path.is_dir())


def _folder(secrets: Path, run: str) -> Path:
    return secrets / "runs" / run
