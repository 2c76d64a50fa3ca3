"""Files cut for the workers: a large NDJSON file by lines, every other file whole; gzip opened on the way."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from fhir_mapping.convert.options import Format
from fhir_mapping.sources.limits import FILE_TOO_LARGE, RECORD_TOO_LARGE

STRETCH = 1 << 21
"""Bytes of a stretch: long enough that handing it over costs nothing beside converting it."""

LARGEST = 1 << 29
"""Bytes, unpacked, of a file that is converted whole, and of a line: converting takes several times as much memory."""


@dataclass(frozen=True)
class Stretch:
    """Some lines of a file, or all of it.

    Attributes:
        data: its bytes; None when they cannot be read (``error`` says why).
        first: number of its first line.
        is_last: no other stretch of the file follows; ``digest`` is then the SHA-256 of the file as delivered.
    """

    data: bytes | None
    first: int = 1
    is_last: bool = True
    digest: str = ""
    error: str | None = None


class _Hashed:
    """A stream that hashes what is read of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.digest.update(data)
        return data

    def rest(self) -> str:
        """The digest of all, what nobody read too."""
        while self.read(STRETCH):
            pass
        return self.digest.hexdigest()


def stretches(format: Format, path: Path) -> Iterator[Stretch]:
    """Cut one file. Never raises: what cannot be read is one stretch with an error."""
    try:
        with path.open("rb") as raw:
            hashed = _Hashed(raw)
            is_packed = raw.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.GzipFile(fileobj=cast(BinaryIO, hashed), mode="rb") if is_packed else hashed
            yield from _cut(stream, hashed, by_lines=format == "fhir")
    except (OSError, EOFError, zlib.error):
        # what was given out before is complete lines; the rest of the file is this one record
        yield Stretch(None, error="unreadable_file")


def _cut(stream: gzip.GzipFile | _Hashed, hashed: _Hashed, *, by_lines: bool) -> Iterator[Stretch]:
    from fhir_mapping.convert.fhir_files import is_ndjson

    data = stream.read(STRETCH)
    if not by_lines or len(data) < STRETCH or not is_ndjson(data):
        data += stream.read(LARGEST + 1 - len(data))
        is_large = len(data) > LARGEST
        error = FILE_TOO_LARGE if is_large else None
        yield Stretch(None if is_large else data, digest=hashed.rest(), error=error)
        return
    first = 1
    while more := stream.read(STRETCH):
        whole, cut, rest = data.rpartition(b"\n")
        if cut:
            yield Stretch(whole + cut, first, False)
            first += whole.count(b"\n") + 1
        if len(rest) + len(more) > LARGEST:
            yield Stretch(None, first, False, error=RECORD_TOO_LARGE)
            while b"\n" not in more and more:
                more = stream.read(STRETCH)
            rest, more = b"", more.partition(b"\n")[2]
            first += 1
        data = rest + more
    yield Stretch(data, first, True, hashed.rest())
