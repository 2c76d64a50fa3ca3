"""Sources for tests of readers and ingest, and the check that a file's records are the file (``assert_conserved``)."""

from __future__ import annotations

import io

from benchmarks.fuzz_conservation import assert_conserved
from contracts.region import Column, Source
from fhir_mapping.sources.record import Block, RecordFile

__all__ = ["assert_conserved", "blocks_of", "cda_source", "csv_source", "hl7v2_source", "ndjson_source"]


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


def blocks_of(file: RecordFile, data: bytes, block_bytes: int = 1 << 20) -> list[Block]:
    """All blocks of a file held in memory."""
    return list(file.blocks(io.BytesIO(data), block_bytes))
