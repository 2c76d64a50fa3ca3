"""Sources for tests of readers and ingest, and the check that a file's records are the file, byte for byte."""

from __future__ import annotations

import io

from contracts.region import Column, Source
from fhir_mapping.sources.encoding import restore
from fhir_mapping.sources.reader import SourceFile
from fhir_mapping.sources.record import BAD_ENCODING, Block, RecordFile
from fhir_mapping.sources.utf16 import UTF_16, to_utf8


def csv_source(*names: str, **settings: object) -> Source:
    """A CSV source ``his__visit`` with these columns; files ``visit*.csv``."""
    return _source("csv", [Column(name=name) for name in names], settings)


def ndjson_source(settings: dict[str, object] | None = None, **paths: str) -> Source:
    """A JSON Lines source with columns by path."""
    return _source("ndjson", [Column(name=name, path=path) for name, path in paths.items()], settings or {})


def hl7v2_source(rows: str | None, **paths: str) -> Source:
    """An HL7 v2 source with columns by path."""
    return _source("hl7v2", [Column(name=name, path=path) for name, path in paths.items()], {"rows": rows})


def cda_source(rows: str | None, **paths: str) -> Source:
    """A CDA source with columns by path."""
    return _source("cda", [Column(name=name, path=path) for name, path in paths.items()], {"rows": rows})


def _source(kind: str, columns: list[Column], settings: dict[str, object]) -> Source:
    base = {"system": "his", "entity": "visit", "files": ("visit*.csv",), "format": kind, "column": tuple(columns)}
    return Source.model_validate(base | settings)


def assert_conserved(data: bytes, file: SourceFile, blocks: list[Block]) -> None:
    """The byte-order mark, header, records and blank lines, each with its line end, are ``data`` and nothing else.

    UTF-16 is compared as the UTF-8 it is read as; that this gives every byte back is a test of its own.
    """
    codec = file.encoding.codec
    if codec in UTF_16:
        data, codec = file.encoding.bom + to_utf8(data[len(file.encoding.bom) :], codec)[0], "utf-8"
    newline = file.newline.encode()
    position, blank, records = len(file.encoding.bom), 0, 0

    def line_end() -> int:
        ends = (b"\r\n", b"\n") if newline == b"\n" else (b"\r",)
        return next((len(end) for end in ends if data.startswith(end, position)), 0)

    def skip_blank() -> None:
        nonlocal position, blank
        while length := line_end():
            position += length
            blank += 1

    skip_blank()
    for _ in range(file.header_lines):
        position = (data.find(newline, position) + 1) or len(data)
    for block in blocks:
        for raw, error in zip(block.raw.to_pylist(), block.error.to_pylist(), strict=True):
            skip_blank()
            original = restore(raw, codec, is_escaped=error == BAD_ENCODING)
            assert data.startswith(original, position)
            position += len(original)
            length = line_end()
            assert length or position == len(data)
            position += length
            records += 1
    skip_blank()
    assert position == len(data)
    assert sum(block.blank_lines for block in blocks) == blank
    body = data[len(file.encoding.bom) :]
    assert sum(block.lines for block in blocks) == body.count(newline) + (body != b"" and not body.endswith(newline))
    assert sum(len(block) for block in blocks) == records


def blocks_of(file: RecordFile, data: bytes, block_bytes: int = 1 << 20) -> list[Block]:
    """All blocks of a file held in memory."""
    return list(file.blocks(io.BytesIO(data), block_bytes))
