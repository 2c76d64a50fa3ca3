"""Registered clinics: who may call, by which public keys. The file is read again when it changes.

`cloister clinic` registers and removes them. A clinic should make its key itself and hand over the public half as a JWK
Set; a key made here is for trying out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import jwt
from pydantic import Field, JsonValue, ValidationError, model_validator

from contracts.errors import DataError, UsageError
from contracts.feature_spec import Frozen
from gateway.tokens import make_clinic_key, public_jwks
from governance.files import write_durable, write_private

CLINICS = "clinics.json"
Algorithm = Literal["ES384", "RS384"]
KEY_KINDS: dict[Algorithm, tuple[str, int]] = {"ES384": ("EC", 384), "RS384": ("RSA", 3072)}
"""What CDS Hooks recommends, with the least size of key that is taken."""


class Clinic(Frozen):
    """A registered clinic.

    Attributes:
        name: for people; in no answer.
        issuer: URI that its tokens name as ``iss``.
        jwks: its public keys (RFC 7517), each with ``kid`` and ``alg``.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    issuer: str = Field(pattern=r"^[a-z][a-z0-9+.-]*:[^\s]{1,200}$")
    jwks: dict[str, list[dict[str, JsonValue]]]

    @model_validator(mode="after")
    def _keys_are_sound(self) -> Clinic:
        keys = self.jwks.get("keys", [])
        if not keys:
            raise ValueError("the JWK Set holds no key")
        for jwk in keys:
            _check_jwk(jwk)
        kids = [jwk["kid"] for jwk in keys]
        if len(set(map(str, kids))) != len(kids):
            raise ValueError("two keys of the JWK Set have one kid")
        return self

    def key(self, kid: str) -> tuple[Any, str] | None:
        """The public key of that id and its algorithm."""
        for jwk in self.jwks["keys"]:
            if jwk["kid"] == kid:
                return jwt.PyJWK(jwk).key, str(jwk["alg"])
        return None


class ClinicDirectory:
    """The clinics of a file, looked up by issuer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._by_issuer: dict[str, Clinic] = {}

    def find(self, issuer: str) -> Clinic | None:
        """The clinic of an issuer. An absent file has none. Raises DataError when the file is not sound."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            stamp = None
        if stamp != self._stamp:
            self._by_issuer = {clinic.issuer: clinic for clinic in read_clinics(self._path)}
            self._stamp = stamp
        return self._by_issuer.get(issuer)


def read_clinics(path: Path) -> tuple[Clinic, ...]:
    """The clinics of a file; none when it is absent. Raises DataError naming what is wrong."""
    if not path.exists():
        return ()
    try:
        return tuple(Clinic.model_validate(body) for body in json.loads(path.read_bytes())["clinics"])
    except (ValueError, KeyError, TypeError) as error:
        what = error.errors(include_input=False)[0]["msg"] if isinstance(error, ValidationError) else "not its format"
        raise DataError(f"{path} is no list of clinics: {what}. Register them again.") from error


def register_clinic(folder: Path, name: str, jwks: dict[str, Any] | None = None, issuer: str | None = None) -> Clinic:
    """Let a clinic call the gateway; a clinic of that name is replaced.

    Args:
        folder: the gateway's.
        jwks: the clinic's public keys; None makes an ES384 key pair, its private half in
            ``folder/secrets/clinic-<name>.json`` (mode 0600).
        issuer: default ``urn:cloister:clinic:<name>``.

    Raises:
        UsageError: a name, issuer or key that is not sound, or an issuer that another clinic has.
    """
    issuer = issuer or f"urn:cloister:clinic:{name}"
    key = make_clinic_key(issuer) if jwks is None else None
    try:
        public = public_jwks(key) if key is not None else jwks
        clinic = Clinic.model_validate({"name": name, "issuer": issuer, "jwks": public})
    except ValidationError as error:
        raise UsageError(f"clinic '{name}': {error.errors(include_input=False)[0]['msg']}") from error
    others = [other for other in read_clinics(folder / CLINICS) if other.name != name]
    if issuer in {other.issuer for other in others}:
        raise UsageError(f"issuer {issuer} belongs to another clinic; give '{name}' one of its own")
    if key is not None:
        write_private(key_file(folder, name), key.to_bytes())
    _write(folder, [*others, clinic])
    return clinic


def remove_clinic(folder: Path, name: str) -> None:
    """Refuse a clinic's tokens from now on. Raises UsageError when it is not registered."""
    clinics = read_clinics(folder / CLINICS)
    left = [clinic for clinic in clinics if clinic.name != name]
    if len(left) == len(clinics):
        raise UsageError(f"no clinic '{name}' is registered in {folder}; there are {[c.name for c in clinics]}")
    _write(folder, left)


def key_file(folder: Path, name: str) -> Path:
    """Where the private key of a clinic registered here stands."""
    return folder / "secrets" / f"clinic-{name}.json"


def _write(folder: Path, clinics: list[Clinic]) -> None:
    body = {"clinics": [clinic.model_dump(mode="json") for clinic in sorted(clinics, key=lambda one: one.name)]}
    write_durable(folder / CLINICS, json.dumps(body, indent=1, ensure_ascii=False).encode() + b"\n")


def _check_jwk(jwk: dict[str, JsonValue]) -> None:
    algorithm, kid = jwk.get("alg"), jwk.get("kid")
    if not isinstance(kid, str) or not kid:
        raise ValueError("each key needs a kid")
    if algorithm not in KEY_KINDS:
        raise ValueError(f"key {kid}: alg must be ES384 or RS384")
    if {"d", "p", "q", "k"} & set(jwk):
        raise ValueError(f"key {kid} is a private one; hand over the public half only")
    kind, bits = KEY_KINDS[algorithm]
    try:
        size = jwt.PyJWK(jwk).key.key_size
    except (jwt.PyJWTError, ValueError, AttributeError) as error:
        raise ValueError(f"key {kid} is no public key of kind {kind}") from error
    if jwk.get("kty") != kind or size < bits:
        raise ValueError(f"key {kid}: {algorithm} needs a key of kind {kind} with {bits} bits or more")
