"""Frames and canonical JSON: the one serialisation of everything that is signed, hashed or sent.

A frame is a header (canonical JSON), a signature over the header (64 bytes, or none) and parts (bytes, each with its
length before it). The header binds the parts by digest, so a header can be checked without them: the authority reads
headers of all sites and never a site's ciphertext.

    b"CLOI" | version u8 | signature length u8 | header length u32 | header | signature
            | number of parts u32 | (length u32 | part) ...                              little endian

Canonical JSON: UTF-8 of ASCII only, keys sorted, no white space, no floats (they are written as C99 hex strings). A
parsed header is serialised again and must give the same bytes, so one content has one digest.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

MAGIC = b"CLOI"
PROTOCOL = 1
MAX_HEADER_BYTES = 1 << 20
MAX_PARTS = 1 << 16

_PREFIX = struct.Struct("<4sBBI")
_LENGTH = struct.Struct("<I")

M = TypeVar("M", bound=BaseModel)


class FrameError(ValueError):
    """Bytes that are not a frame, or a header that is not canonical. Receivers turn it into a refusal."""


@dataclass(frozen=True)
class Frame:
    """A frame taken apart. ``parts`` are views into the received bytes: nothing large is copied."""

    header: bytes
    signature: bytes
    parts: tuple[memoryview, ...]


def canonical(value: Any) -> bytes:
    """Canonical JSON of a JSON-like value or a pydantic model. Raises ValueError for floats."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise ValueError("canonical JSON holds no floats; write them with float.hex()")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def parse_canonical(data: bytes, model: type[M]) -> M:
    """Read canonical JSON as ``model``. Raises FrameError when it is not valid or not canonical."""
    try:
        parsed = model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise FrameError(f"{model.__name__}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if canonical(parsed) != bytes(data):
        raise FrameError(f"{model.__name__}: not in canonical form")
    return parsed


def digest(data: bytes | memoryview) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def parts_digest(parts: Sequence[bytes | memoryview]) -> str:
    """SHA-256 in hex over parts, each with its length before it."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(_LENGTH.pack(len(part)))
        sha.update(part)
    return sha.hexdigest()


def pack(header: bytes, signature: bytes = b"", parts: Sequence[bytes | memoryview] = ()) -> bytes:
    """A frame of the three; ``header`` must be canonical JSON already."""
    pieces: list[bytes | memoryview] = [_PREFIX.pack(MAGIC, PROTOCOL, len(signature), len(header)), header, signature]
    pieces.append(_LENGTH.pack(len(parts)))
    for part in parts:
        pieces.append(_LENGTH.pack(len(part)))
        pieces.append(part)
    return b"".join(pieces)


def unpack(data: bytes | memoryview) -> Frame:
    """Take a frame apart. Raises FrameError for anything that is not exactly one frame."""
    view = memoryview(data)
    if len(view) < _PREFIX.size:
        raise FrameError("shorter than a frame")
    magic, version, signature_length, header_length = _PREFIX.unpack_from(view)
    if magic != MAGIC or version != PROTOCOL:
        raise FrameError(f"not a frame of protocol {PROTOCOL}")
    if header_length > MAX_HEADER_BYTES or signature_length not in (0, 64):
        raise FrameError("header or signature of an impossible length")
    at = _PREFIX.size
    header, at = _take(view, at, header_length)
    signature, at = _take(view, at, signature_length)
    count, at = _number(view, at)
    if count > MAX_PARTS:
        raise FrameError(f"more than {MAX_PARTS} parts")
    parts = []
    for _ in range(count):
        length, at = _number(view, at)
        part, at = _take(view, at, length)
        parts.append(part)
    if at != len(view):
        raise FrameError("bytes after the end of the frame")
    return Frame(bytes(header), bytes(signature), tuple(parts))


def _number(view: memoryview, at: int) -> tuple[int, int]:
    if at + _LENGTH.size > len(view):
        raise FrameError("cut short")
    return int(_LENGTH.unpack_from(view, at)[0]), at + _LENGTH.size


def _take(view: memoryview, at: int, length: int) -> tuple[memoryview, int]:
    if at + length > len(view):
        raise FrameError("cut short")
    return view[at : at + length], at + length
