"""A vault: one party's secret files, encrypted at rest under a key that does not lie beside them.

    <party>/secrets/vault.json       how the vault is unlocked, and its data key, wrapped
    <party>/secrets/authority.key    a sealed file: nonce and ChaCha20-Poly1305 text under the data key

What wraps the data key comes from a passphrase file (scrypt, RFC 7914) or from a command, the hook for an HSM or a key
service, whose standard output is the key in hex: one of both. A sealed file is bound to its name below the party's
folder, so that none can stand for another. The data key is unwrapped once a process.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field, ValidationError, field_validator, model_validator

from contracts.errors import CredentialError, IntegrityError, UsageError
from contracts.feature_spec import Frozen
from contracts.wire import canonical
from governance.files import read_private, sync_folder, write_private

VAULT_FILE = "vault.json"
COST = 2**17
"""Scrypt's N with r = 8, p = 1: 128 MiB and a third of a second a guess (OWASP Password Storage Cheat Sheet)."""

KEY_BYTES = 32
SEALED = b"CLOS\x01"
"""How a sealed file begins."""

LEAST_CHARACTERS = 12
UNWRAP_SECONDS = 30.0

_NONCE_BYTES = 12
_BLOCK_SIZE, _PARALLEL = 8, 1


class Unlock(Frozen):
    """What opens a vault: one of both.

    Attributes:
        passphrase_file: mode 0600; its text, without white space at the ends, is the passphrase.
        unwrap_command: program and arguments (no shell); prints 64 hex digits, the key that wraps the data key.
    """

    passphrase_file: Path | None = None
    unwrap_command: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Unlock:
        if (self.passphrase_file is None) == (not self.unwrap_command):
            raise ValueError("give passphrase_file or unwrap_command, one of them")
        return self


class _Header(Frozen):
    """``vault.json`` without the wrapped key; bound to it as associated data. ``cost`` and ``salt``: scrypt's alone."""

    format: Literal[1] = 1
    kdf: Literal["scrypt", "command"]
    cost: int = Field(default=COST, ge=2, le=2**20)
    salt: str = Field(default="", pattern=r"^([0-9a-f]{2})*$")

    @field_validator("cost")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("scrypt's cost is a power of two")
        return value


class Vault:
    """An open vault. Holds the data key in memory; gives sealed files' content to whoever has it."""

    def __init__(self, folder: Path, key: bytes) -> None:
        """``folder``: the party's own; names of sealed files are relative to it. ``key``: the data key, 32 bytes."""
        self.folder = folder
        self._key = key
        self._cipher = ChaCha20Poly1305(key)

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def seal(self, name: str, data: bytes) -> bytes:
        """Encrypt data that is bound to a name."""
        nonce = os.urandom(_NONCE_BYTES)
        return SEALED + nonce + self._cipher.encrypt(nonce, data, name.encode())

    def open(self, name: str, sealed: bytes) -> bytes:
        """What ``seal`` was given. Raises IntegrityError when a byte, or the name, is another."""
        start = len(SEALED) + _NONCE_BYTES
        try:
            if not sealed.startswith(SEALED) or len(sealed) < start:
                raise InvalidTag
            return self._cipher.decrypt(sealed[len(SEALED) : start], sealed[start:], name.encode())
        except InvalidTag as error:
            raise IntegrityError(f"{name} is not what this vault sealed: restore it from a backup") from error

    def write(self, path: Path, data: bytes) -> None:
        """Write a sealed file below the folder, mode 0600, durably."""
        write_private(path, self.seal(self._name(path), data))

    def read(self, path: Path) -> bytes:
        """Read a sealed file. Raises UsageError (none), CredentialError (file mode), IntegrityError (altered)."""
        return self.open(self._name(path), read_private(path))

    def passphrase(self, path: Path) -> bytes:
        """For a file whose format has an encryption of its own (PEM): 64 hex digits, a function of key and name."""
        derived = HKDF(hashes.SHA256(), KEY_BYTES, None, b"cloister/vault/1\n" + self._name(path).encode())
        return derived.derive(self._key).hex().encode()

    def wrapped(self, unlock: Unlock, cost: int = COST) -> bytes:
        """The content of a ``vault.json`` that ``unlock`` opens. Raises CredentialError when it is of no use."""
        if unlock.passphrase_file is None:
            header = _Header(kdf="command")
        else:
            header = _Header(kdf="scrypt", cost=cost, salt=os.urandom(16).hex())
        nonce = os.urandom(_NONCE_BYTES)
        text = ChaCha20Poly1305(_wrapping_key(header, unlock)).encrypt(nonce, self._key, canonical(header))
        return json.dumps({**header.model_dump(), "wrapped": (nonce + text).hex()}, indent=1).encode() + b"\n"

    def _name(self, path: Path) -> str:
        if not path.is_relative_to(self.folder):
            raise UsageError(f"{path} lies outside {self.folder}, whose vault is to seal it: move it there")
        return path.relative_to(self.folder).as_posix()


def make_vault(folder: Path, unlock: Unlock, plain: tuple[Path, ...] = (), *, cost: int = COST) -> Vault:
    """Make a party's vault, or go on with one whose making was interrupted, and seal what still lies there in plain.

    The vault counts once every plain file is sealed; until then the next call goes on.

    Args:
        plain: files below ``folder`` that an earlier version wrote in plain; those that are not there are passed over.

    Raises:
        UsageError: there is a vault already. CredentialError: passphrase or command is of no use.
    """
    final, begun = folder / "secrets" / VAULT_FILE, folder / "secrets" / f"{VAULT_FILE}.next"
    if final.exists():
        raise UsageError(f"there is a vault already in {final.parent}")
    _require_apart(folder, unlock)
    if begun.exists():
        vault = unwrap(folder, read_private(begun), unlock)
    else:
        vault = Vault(folder, os.urandom(KEY_BYTES))
        write_private(begun, vault.wrapped(unlock, cost))
    for path in plain:
        if path.exists() and not (data := read_private(path)).startswith(SEALED):
            vault.write(path, data)
    os.replace(begun, final)
    sync_folder(final.parent)
    return vault


def open_vault(folder: Path, unlock: Unlock) -> Vault:
    """Open a party's vault.

    Raises:
        CredentialError: there is no vault, the passphrase or the command's key is wrong or missing, lies in the
            folder itself, or others may read it.
        IntegrityError: ``vault.json`` is no vault.
    """
    path = folder / "secrets" / VAULT_FILE
    _require_apart(folder, unlock)
    if not path.exists():
        raise CredentialError(f"no {VAULT_FILE} in {path.parent}: the keys are not sealed yet. Run the set-up again.")
    return unwrap(folder, read_private(path), unlock)


def rewrap(vault: Vault, unlock: Unlock) -> None:
    """Let another passphrase or command open the vault from now on, and the earlier one no more. Files stay."""
    _require_apart(vault.folder, unlock)
    write_private(vault.secrets / VAULT_FILE, vault.wrapped(unlock))


def unwrap(folder: Path, data: bytes, unlock: Unlock) -> Vault:
    """Open a vault by the content of a ``vault.json``, such as the head of a backup. Raises as ``open_vault``."""
    try:
        body = json.loads(data)
        wrapped = bytes.fromhex(body.pop("wrapped"))
        header = _Header.model_validate(body)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise IntegrityError(f"{folder}: {VAULT_FILE} is no vault: restore it from a backup") from error
    key = _wrapping_key(header, unlock)
    try:
        opened = ChaCha20Poly1305(key).decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], canonical(header))
    except (InvalidTag, ValueError) as error:
        what = "passphrase" if header.kdf == "scrypt" else "key that unwrap_command gave"
        raise CredentialError(f"the {what} does not open {folder}") from error
    return Vault(folder, opened)


def _require_apart(folder: Path, unlock: Unlock) -> None:
    """A passphrase beside the keys it guards guards nothing: whoever takes the folder has both."""
    path = unlock.passphrase_file
    if path is not None and path.resolve().is_relative_to(folder.resolve()):
        raise CredentialError(f"{path} lies in {folder}, whose keys it guards: move it out, to another medium at best")


def _wrapping_key(header: _Header, unlock: Unlock) -> bytes:
    if (unlock.passphrase_file is None) != (header.kdf == "command"):
        other = "passphrase_file" if header.kdf == "scrypt" else "unwrap_command"
        raise CredentialError(f"this vault is opened by {other}: give that, and not the other")
    if unlock.passphrase_file is None:
        return _ask(unlock.unwrap_command or ())
    return stretch(read_passphrase(unlock.passphrase_file), bytes.fromhex(header.salt), header.cost)


def read_passphrase(path: Path) -> bytes:
    """A passphrase file's text. Raises CredentialError when it is missing, too short, or others may read it."""
    try:
        text = read_private(path).strip()
    except (UsageError, IsADirectoryError) as error:
        raise CredentialError(f"no passphrase file at {path}: mount its medium, or restore the file") from error
    if len(text) < LEAST_CHARACTERS:
        raise CredentialError(f"{path}: the passphrase has {len(text)} bytes, expected {LEAST_CHARACTERS} or more")
    return text


@lru_cache(maxsize=4)
def stretch(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    """Once a process: a third of a second each."""
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost, r=_BLOCK_SIZE, p=_PARALLEL).derive(passphrase)


def _ask(command: tuple[str, ...]) -> bytes:
    """The key that the hook prints. Its standard error goes nowhere: it may hold what must not be logged."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=UNWRAP_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CredentialError(f"unwrap_command {command[0]} gave no key: {type(error).__name__}") from error
    try:
        key = bytes.fromhex(done.stdout.decode("ascii").strip())
    except ValueError:
        key = b""
    if done.returncode != 0 or len(key) != KEY_BYTES:
        raise CredentialError(
            f"unwrap_command {command[0]} ended with code {done.returncode} and gave no key of {KEY_BYTES} bytes in hex"
        )
    return key
