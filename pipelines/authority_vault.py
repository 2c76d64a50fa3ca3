"""How the authority's vault is unlocked on this machine: ``WORK/authority/unlock.toml``, a line or two.

    passphrase_file = "../passphrases/authority.txt"                  what set-up writes
    unwrap_command = ["/usr/local/bin/hsm-unwrap", "--slot", "1"]     instead of it: the hook for an HSM

The file says where the passphrase is, never what it is. Set-up seals the keys of a folder that an earlier version made.
"""

from __future__ import annotations

import json
import secrets as random_text
from pathlib import Path

from pydantic import ValidationError

from contracts.errors import SpecError
from contracts.region import read_toml
from contracts.zone import WorkArea
from governance.files import make_private, write_durable, write_private
from governance.vault import VAULT_FILE, Unlock, Vault, make_vault, open_vault

UNLOCK_FILE = "unlock.toml"
_SEALED = ("authority.key", "commission.key", "root.key", "storage.key")
_DEFAULT = b'passphrase_file = "../passphrases/authority.txt"\n'


def read_unlock(area: WorkArea) -> Unlock:
    """What opens the authority's vault. Raises SpecError when the file names none of both ways, or both."""
    path = area.authority / UNLOCK_FILE
    body = read_toml(path)
    if isinstance(body.get("passphrase_file"), str):
        body["passphrase_file"] = (path.parent / body["passphrase_file"]).resolve()
    try:
        return Unlock.model_validate(body)
    except ValidationError as error:
        raise SpecError(f"{path}: {error.errors(include_input=False)[0]['msg']}") from error


def unlock_text(unlock: Unlock) -> bytes:
    """The content of ``unlock.toml``: JSON strings, and lists of them, are TOML's."""
    values = unlock.model_dump(mode="json", exclude_none=True)
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()).encode()


def open_authority_vault(area: WorkArea) -> Vault:
    """The authority's vault, open. Raises CredentialError or IntegrityError (governance.vault.open_vault)."""
    return open_vault(area.authority, read_unlock(area))


def set_up_authority_vault(area: WorkArea) -> Vault:
    """Open the vault; make it, and a random passphrase for it, where there is none yet."""
    secrets = area.authority / "secrets"
    make_private(secrets)
    if not (area.authority / UNLOCK_FILE).exists():
        write_durable(area.authority / UNLOCK_FILE, _DEFAULT)
    unlock = read_unlock(area)
    if (secrets / VAULT_FILE).exists():
        return open_vault(area.authority, unlock)
    if unlock.passphrase_file is not None and not unlock.passphrase_file.exists():
        make_private(unlock.passphrase_file.parent)
        write_private(unlock.passphrase_file, random_text.token_hex(32).encode() + b"\n")
    for suffix in (".crt", ".key"):  # an earlier version's is not encrypted: it is issued again
        (secrets / "server").with_suffix(suffix).unlink(missing_ok=True)
    return make_vault(area.authority, unlock, tuple(_plain(secrets)))


def _plain(secrets: Path) -> list[Path]:
    """What an earlier version wrote in plain."""
    return [*(secrets / name for name in _SEALED), *sorted((secrets / "runs").glob("*/*"))]
