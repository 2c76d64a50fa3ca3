"""Ed25519 identities in files, and the two things they sign: wire messages and records (roster, approval).

A message is a frame whose signature covers the header; the header binds the parts by digest. A record is a JSON file
``{"kind", "record", "signature"}`` for humans to read and parties to check, perhaps with ``"countersignatures"`` by
public key. Every signature names its kind, so that none can stand for another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ValidationError

from contracts.errors import IntegrityError, RefusedError
from contracts.messages import Header, RefusalCode
from contracts.wire import FrameError, canonical, digest, pack, parse_canonical, parts_digest, unpack
from governance.files import destroy, read_private, write_private
from governance.vault import Vault

H = TypeVar("H", bound=Header)
R = TypeVar("R", bound=BaseModel)

_MESSAGE = b"cloister/message/1\n"
_RECORD = b"cloister/record/1\n"


@dataclass(frozen=True)
class Identity:
    """A party's signing key. ``public`` is 32 bytes in hex."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def fingerprint(self) -> str:
        """What people read to each other over the telephone."""
        return fingerprint(self.public)

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)


def make_identity(path: Path, vault: Vault | None = None) -> Identity:
    """Make an identity and write its 32 secret bytes to ``path`` with mode 0600, sealed when there is a vault."""
    private = Ed25519PrivateKey.generate()
    (vault.write if vault else write_private)(path, private.private_bytes_raw())
    return Identity(private)


def replace_identity(path: Path, vault: Vault | None = None) -> Identity:
    """Make an identity in the place of another (or of one that was lost) and destroy that; one is always whole."""
    old = path.with_name(f"{path.name}.old")
    destroy(old)
    if path.exists():
        os.link(path, old)
    made = make_identity(path, vault)
    destroy(old)
    return made


def load_identity(path: Path, vault: Vault | None = None) -> Identity:
    """Read an identity. Raises CredentialError when others may read the file, IntegrityError when it is no key."""
    data = vault.read(path) if vault else read_private(path)
    if len(data) != 32:
        raise IntegrityError(f"{path} holds {len(data)} bytes, expected the 32 of an Ed25519 key")
    return Identity(Ed25519PrivateKey.from_private_bytes(data))


def fingerprint(public: str) -> str:
    """Fingerprint of a public key: the first 16 hex digits of its digest, in groups of four."""
    short = digest(bytes.fromhex(public))[:16]
    return " ".join(short[at : at + 4] for at in range(0, 16, 4))


def is_signed_by(public: str, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` over ``data`` was made by the identity with this public key (hex)."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_message(identity: Identity, header: Header, parts: Sequence[bytes] = ()) -> bytes:
    """A signed frame. ``header.content`` must be the digest of ``parts``."""
    if header.content != parts_digest(parts):
        raise ValueError(f"header of kind {type(header).__name__} does not bind its parts")
    raw = canonical(header)
    return pack(raw, identity.sign(_MESSAGE + raw), parts)


def open_message(
    data: bytes | memoryview, model: type[H], public: str | None, *, with_parts: bool = True
) -> tuple[H, tuple[memoryview, ...]]:
    """Check a message and give its header and parts.

    Args:
        public: the identity that must have signed it; None for the coordinator's requests, which TLS and a token guard.
        with_parts: False when the parts were left out on purpose (headers that the coordinator passes on).

    Raises:
        RefusedError: bad_message, bad_signature or content_altered.
    """
    try:
        frame = unpack(data)
        header = parse_canonical(frame.header, model)
    except FrameError as error:
        raise RefusedError(RefusalCode.BAD_MESSAGE, str(error)) from error
    if public is not None and not is_signed_by(public, _MESSAGE + frame.header, frame.signature):
        raise RefusedError(RefusalCode.BAD_SIGNATURE, f"{model.__name__} is not signed by the expected identity")
    if with_parts and parts_digest(frame.parts) != header.content:
        raise RefusedError(RefusalCode.CONTENT_ALTERED, f"the parts of {model.__name__} were altered")
    return header, frame.parts


def sign_record(identity: Identity, kind: str, record: BaseModel) -> bytes:
    """A signed record as JSON text."""
    signature = identity.sign(_record_bytes(kind, record)).hex()
    body = {"kind": kind, "record": record.model_dump(mode="json"), "signature": signature}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def open_record(data: bytes, kind: str, model: type[R], public: str) -> R:
    """Check a signed record. Raises IntegrityError when it is not what ``public`` signed."""
    try:
        body = json.loads(data)
        record = model.model_validate_json(json.dumps(body["record"]))
        signature = bytes.fromhex(body["signature"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise IntegrityError(f"not a signed {kind} record") from error
    if body.get("kind") != kind or not is_signed_by(public, _record_bytes(kind, record), signature):
        raise IntegrityError(f"{kind} record is not signed by {fingerprint(public)}: get it again from its issuer")
    return record


def countersign_record(data: bytes, kind: str, model: type[R], public: str, identity: Identity) -> bytes:
    """A signed record with one more countersignature: another person's agreement to the same content.

    Args:
        public: who must have signed the record itself (hex).

    Raises:
        IntegrityError: the record is not what ``public`` signed.
    """
    record = open_record(data, kind, model, public)
    body = json.loads(data)
    signature = identity.sign(_countersigned_bytes(kind, record)).hex()
    body["countersignatures"] = {**body.get("countersignatures", {}), identity.public: signature}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def countersigners(data: bytes, kind: str, record: BaseModel) -> frozenset[str]:
    """Public keys (hex) of those whose countersignature of the record, which ``data`` holds, is true."""
    found = json.loads(data).get("countersignatures")
    pairs = found.items() if isinstance(found, dict) else ()
    signed = _countersigned_bytes(kind, record)
    return frozenset(public for public, signature in pairs if is_signed_by(public, signed, _unhex(signature)))


def record_digest(kind: str, record: BaseModel) -> str:
    """Digest by which messages name a record."""
    return digest(_record_bytes(kind, record))


def _countersigned_bytes(kind: str, record: BaseModel) -> bytes:
    return _record_bytes(f"{kind}_countersignature", record)


def _unhex(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        return b""


def _record_bytes(kind: str, record: BaseModel) -> bytes:
    return _RECORD + kind.encode() + b"\n" + canonical(record)
