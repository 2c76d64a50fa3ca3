"""Settings of the gateway's process, read once from a TOML file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from contracts.errors import SpecError, UsageError
from contracts.feature_spec import Frozen
from contracts.messages import Key
from contracts.region import read_toml


class GatewaySettings(Frozen):
    """Attributes:
    folder: the gateway's own: clinics.json, tokens.used, feedback.json.
    registry: folder of released models, ``<task>/current``.
    authority: the key authority's Ed25519 public key (hex) that signs models.
    host, port: where it listens, TLS only.
    base_url: what clinics call it; tokens are made for URLs below it. Default: ``https://host:port``.
    certificate, private_key: PEM; the key with mode 0600.
    max_body_bytes: larger requests are refused before they are read.
    max_token_seconds: longest life of a token.
    """

    folder: Path
    registry: Path
    authority: Key
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    base_url: str = Field(default="", pattern=r"^(https://[^/?#\s]+(/[^?#\s]*[^/?#\s])?)?$")
    certificate: Path
    private_key: Path
    max_body_bytes: int = Field(default=1 << 20, ge=1024)
    max_token_seconds: int = Field(default=300, ge=10, le=3600)

    @property
    def url(self) -> str:
        """The address below which everything stands, without a slash at its end."""
        return self.base_url or f"https://{self.host}:{self.port}"


def load_settings(path: Path) -> GatewaySettings:
    """Read settings; relative paths are relative to the file. Raises UsageError or SpecError naming the key."""
    if not path.is_file():
        raise UsageError(f"no settings file at {path}. Give the gateway's settings with --config.")
    body = read_toml(path)
    for name in ("folder", "registry", "certificate", "private_key"):
        if isinstance(body.get(name), str):
            body[name] = path.parent / body[name]
    try:
        return GatewaySettings.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise SpecError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
