"""JSON web tokens of CDS Hooks: a clinic signs one for each call, the gateway takes each once.

Source: CDS Hooks 2.0, "Trusting CDS Clients"; RFC 7519. Algorithms are the two that CDS Hooks recommends.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from contracts.errors import CredentialError, IntegrityError
from gateway.replay import UsedTokens
from governance.files import read_private

if TYPE_CHECKING:
    from gateway.clinics import Clinic, ClinicDirectory

ALGORITHMS = ("ES384", "RS384")
CLAIMS = ("iss", "aud", "iat", "exp", "jti")
LEEWAY_SECONDS = 30
"""How far a clinic's clock may be off."""

MAX_TOKEN_CHARACTERS = 4096
MAX_JTI_CHARACTERS = 256


@dataclass(frozen=True)
class ClinicKey:
    """A clinic's private key (PEM, ES384), with the names that its tokens carry."""

    issuer: str
    kid: str
    private_key: str

    def to_bytes(self) -> bytes:
        """The key file."""
        return json.dumps(self.__dict__, indent=1).encode() + b"\n"


def make_clinic_key(issuer: str) -> ClinicKey:
    """A new ES384 key pair."""
    private = ec.generate_private_key(ec.SECP384R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ClinicKey(issuer, uuid.uuid4().hex, pem.decode())


def load_clinic_key(path: Path) -> ClinicKey:
    """Read a key file. Raises CredentialError when others may read it, IntegrityError when it is none."""
    try:
        return ClinicKey(**json.loads(read_private(path)))
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{path} is no clinic's key file") from error


def public_jwks(key: ClinicKey) -> dict[str, list[dict[str, Any]]]:
    """The public half as a JWK Set, as a clinic hands it over."""
    private = serialization.load_pem_private_key(key.private_key.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {"keys": [{**jwk, "alg": "ES384", "use": "sig", "kid": key.kid}]}


def make_token(key: ClinicKey, url: str, seconds: int = 60) -> str:
    """A token for one call of ``url``, the full address of the endpoint."""
    now = int(time.time())
    claims = {"iss": key.issuer, "aud": url, "iat": now, "exp": now + seconds, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, key.private_key, algorithm="ES384", headers={"kid": key.kid, "typ": "JWT"})


class TokenCheck:
    """Who is calling, by the ``Authorization`` header of a request."""

    def __init__(
        self, clinics: ClinicDirectory, used: UsedTokens, max_seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._clinics = clinics
        self._used = used
        self._max_seconds = max_seconds
        self._clock = clock

    def check(self, header: str | None, url: str) -> str:
        """The name of the clinic whose token this is; the token cannot be used again.

        Args:
            header: value of ``Authorization``.
            url: the endpoint being called; the token must be for it and no other.

        Raises:
            CredentialError: no token, or one that is foreign, altered, expired, for another endpoint or used before.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARACTERS:
            raise CredentialError("no token: send 'Authorization: Bearer <JSON web token>'")
        clinic, key, algorithm = self._key(token)
        claims = self._claims(token, key, algorithm, clinic.issuer, url)
        identifier, expires = self._identifier(claims)
        if not self._used.take(f"{clinic.issuer}\n{identifier}", expires + LEEWAY_SECONDS, self._clock()):
            raise CredentialError("this token was used before; make a new one for each call")
        return clinic.name

    def _key(self, token: str) -> tuple[Clinic, Any, str]:
        try:
            head = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.PyJWTError as error:
            raise CredentialError("this is no JSON web token") from error
        clinic = self._clinics.find(issuer) if isinstance(issuer, str) else None
        if clinic is None:
            raise CredentialError("the token's issuer is not a registered clinic")
        found = clinic.key(str(head.get("kid")))
        if found is None:
            raise CredentialError("the token's kid is none of the clinic's keys")
        # the registered key decides the algorithm, never the token: 'none' and HMAC have no way in
        if head.get("alg") != found[1] or str(head.get("typ", "JWT")).upper() != "JWT":
            raise CredentialError(f"the token must be of typ JWT and signed with {found[1]}")
        return clinic, found[0], found[1]

    def _claims(self, token: str, key: Any, algorithm: str, issuer: str, url: str) -> dict[str, Any]:
        options = {"require": list(CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            return jwt.decode(token, key, algorithms=[algorithm], issuer=issuer, audience=url, options=options)  # type: ignore[arg-type]
        except jwt.InvalidAudienceError as error:
            raise CredentialError(
                "the token is for another endpoint; aud must be the address that is called"
            ) from error
        except jwt.MissingRequiredClaimError as error:
            raise CredentialError(f"the token needs the claims {', '.join(CLAIMS)}") from error
        except jwt.PyJWTError as error:
            raise CredentialError("the token's signature or form does not hold") from error

    def _identifier(self, claims: dict[str, Any]) -> tuple[str, float]:
        """Check the times by our clock; give the identifier and when it expires."""
        issued, expires, identifier = claims["iat"], claims["exp"], claims["jti"]
        numbers = [
            value for value in (issued, expires) if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if len(numbers) != 2 or not isinstance(identifier, str) or not 0 < len(identifier) <= MAX_JTI_CHARACTERS:
            raise CredentialError("the token's iat and exp must be numbers, its jti a text")
        now = self._clock()
        if not now < expires + LEEWAY_SECONDS:
            raise CredentialError("the token expired; make a new one")
        if not issued - LEEWAY_SECONDS <= now:
            raise CredentialError("the token is from the future; set the clinic's clock")
        if not 0 < expires - issued <= self._max_seconds:
            raise CredentialError(f"the token lives too long; at most {self._max_seconds} seconds from iat to exp")
        return identifier, expires
