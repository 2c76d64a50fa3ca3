"""Many files of one source read together: small HL7 v2 and CDA files share a block, all cores read them.

Ten thousand files of one message each would otherwise be ten thousand blocks, each with the cost of a large one.
Threads read HL7 v2. For many CDA documents see ``fhir_mapping.bronze_documents``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhir_mapping.sources import cda_files, hl7v2_rows
from fhir_mapping.sources.cda_rows import DocumentFile
from fhir_mapping.sources.hl7v2_rows import MessageFile
from fhir_mapping.sources.parallel import in_threads
from fhir_mapping.sources.record import Block, RecordFile

SMALL = 4 << 20
"""Bytes up to which an HL7 v2 file is read with others; larger ones are cut into stretches of their own."""

_PIECE_BYTES = 4 << 20
_PIECE_FILES = 256

Files = Sequence[tuple[RecordFile, Path]]


@dataclass(frozen=True)
class FileRows:
    """Rows of one file or several, file after file.

    Attributes:
        numbers: positions of the files among those asked for; a file whose blocks are several comes several times.
        counts: how many of the rows are of each.
    """

    block: Block
    numbers: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class _Piece:
    """Consecutive files that are read in one go; ``numbers`` are their positions."""

    numbers: tuple[int, ...]
    paths: tuple[Path, ...]
    files: tuple[RecordFile, ...]


def read_files(files: Files) -> Iterator[FileRows]:
    """All records of files of one source, in the files' order; never raises for what the bytes are.

    The values of HL7 v2 are coded, those of others strings.
    """
    if files and isinstance(files[0][0], DocumentFile):
        yield from _documents(files[0][0], [path for _, path in files])
        return
    pending: list[_Piece] = []
    for piece in _pieces(files):
        if len(piece.numbers) == 1 and not _is_small(piece.files[0], piece.paths[0]):
            yield from in_threads(_read, pending)
            pending = []
            yield from _one(piece)
        else:
            pending.append(piece)
    yield from in_threads(_read, pending)


def _documents(first: DocumentFile, paths: Sequence[Path]) -> Iterator[FileRows]:
    start = 0
    for block, counts in cda_files.read_documents(first.source, paths):
        yield FileRows(block, tuple(range(start, start + len(counts))), counts)
        start += len(counts)


def _pieces(files: Files) -> Iterator[_Piece]:
    numbers: list[int] = []
    size = 0
    for number, (file, path) in enumerate(files):
        is_small = _is_small(file, path)
        added = path.stat().st_size if is_small else 0
        if numbers and (not is_small or size + added > _PIECE_BYTES or len(numbers) == _PIECE_FILES):
            yield _piece(files, numbers)
            numbers, size = [], 0
        numbers.append(number)
        size += added
        if not is_small:
            yield _piece(files, numbers)
            numbers = []
    if numbers:
        yield _piece(files, numbers)


def _piece(files: Files, numbers: Sequence[int]) -> _Piece:
    chosen = [files[number] for number in numbers]
    return _Piece(tuple(numbers), tuple(path for _, path in chosen), tuple(file for file, _ in chosen))


def _is_small(file: RecordFile, path: Path) -> bool:
    return isinstance(file, MessageFile) and path.stat().st_size <= SMALL


def _one(piece: _Piece) -> Iterator[FileRows]:
    file = piece.files[0]
    with piece.paths[0].open("rb") as stream:
        for block in file.coded_blocks(stream) if isinstance(file, MessageFile) else file.blocks(stream):
            yield FileRows(block, piece.numbers, (len(block),))


def _read(piece: _Piece) -> FileRows:
    """The rows of small files, read by the plan of the first: they are of one source."""
    first = piece.files[0]
    assert isinstance(first, MessageFile)
    codecs = [file.encoding.codec for file in piece.files if file.encoding is not None]
    data = [path.read_bytes() for path in piece.paths]
    found = hl7v2_rows.extract(first.plan, list(zip(piece.numbers, data, codecs, strict=True)))
    counts = np.bincount(found.file - piece.numbers[0], minlength=len(piece.numbers))
    return FileRows(hl7v2_rows.numbered(first.plan, found, 0), piece.numbers, tuple(counts.tolist()))
