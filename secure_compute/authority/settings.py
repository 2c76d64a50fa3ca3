"""Settings of the authority's process, read once from a TOML file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from contracts.errors import SpecError, UsageError
from contracts.feature_spec import Frozen
from contracts.messages import Key
from contracts.region import read_toml
from governance.vault import Unlock


class AuthoritySettings(Frozen):
    """Attributes:
    folder: the authority's own: secrets/authority.key, approvals/*.json, ledger/, audit.jsonl.
    host, port: where it listens, TLS only.
    certificate, private_key: PEM, issued by the region's root; the key with mode 0600.
    token_file: the coordinator's bearer token, mode 0600.
    passphrase_file, unwrap_command: what opens the vault of the authority's keys, one of both (governance.vault). The
        passphrase file has mode 0600 and lies outside ``folder``.
    roster: the signed roster.
    commission: the commission's Ed25519 public key (hex); compare its fingerprint by telephone.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    certificate: Path
    private_key: Path
    token_file: Path
    passphrase_file: Path | None = None
    unwrap_command: tuple[str, ...] | None = None
    roster: Path
    commission: Key

    @model_validator(mode="after")
    def _one_way_to_unlock(self) -> AuthoritySettings:
        _ = self.unlock
        return self

    @property
    def unlock(self) -> Unlock:
        return Unlock(passphrase_file=self.passphrase_file, unwrap_command=self.unwrap_command)


def load_settings(path: Path) -> AuthoritySettings:
    """Read settings; relative paths are relative to the file. Raises UsageError or SpecError naming the key."""
    if not path.is_file():
        raise UsageError(f"no settings file at {path}")
    body = read_toml(path)
    for name in ("folder", "certificate", "private_key", "token_file", "passphrase_file", "roster"):
        if isinstance(body.get(name), str):
            body[name] = path.parent / body[name]
    try:
        return AuthoritySettings.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SpecError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error
