"""Rows of bronze: the records of delivered files with where each came from, counted as they pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contracts.region import Source
from fhir_mapping.landing import Delivered
from fhir_mapping.lifecycle.erased import numbers_as_delivered
from fhir_mapping.manifest import FileEntry
from fhir_mapping.sources.coded import CODED, Coded
from fhir_mapping.sources.record import Block

OfFiles = Sequence[tuple[Delivered, int]]
"""Of which files the rows of a block are, in order, and how many of each."""


@dataclass
class Tally:
    """What was counted of a file while its records streamed by."""

    records: int = 0
    lines: int = 0
    blank_lines: int = 0
    bad_records: int = 0


def as_written(schema: pa.Schema, source: Source) -> pa.Schema:
    """The table's schema with coded columns as readers make them: the lineage, and the values of HL7 v2."""
    values = {column.name for column in source.column} if source.format == "hl7v2" else set()
    coded = {"_delivery_date", "_file_id", "_file_name", *values}
    return pa.schema([field.with_type(CODED) if field.name in coded else field for field in schema])


def with_lineage(
    blocks: Iterable[tuple[OfFiles, Block]], schema: pa.Schema, tallies: dict[str, Tally]
) -> Iterator[pa.RecordBatch]:
    """Records block by block as rows of ``schema``; ``tallies``, by the files' names, count them as they pass."""
    for of_files, block in blocks:
        if len(block):
            yield _batch(of_files, block, tallies, schema)
        first = 0
        for delivered, count in of_files:
            tally = tallies[delivered.entry.file_name]
            tally.records += count
            tally.bad_records += count - block.error.slice(first, count).null_count
            # Where files share a block, a record is a line (see RecordFile).
            tally.lines += block.lines if len(of_files) == 1 else count
            tally.blank_lines += block.blank_lines
            first += count


def counted(delivered: Delivered, tally: Tally) -> FileEntry:
    """The manifest's row of a file whose records were read."""
    return delivered.entry._replace(
        records=tally.records + len(delivered.erased),
        lines=tally.lines,
        header_lines=delivered.file.header_lines if delivered.file else 0,
        blank_lines=tally.blank_lines,
    )


def _batch(of_files: OfFiles, block: Block, tallies: dict[str, Tally], schema: pa.Schema) -> pa.RecordBatch:
    which = np.repeat(np.arange(len(of_files), dtype=np.int32), [count for _, count in of_files])
    entries = [delivered.entry for delivered, _ in of_files]
    lineage = [
        Coded(pa.array(texts, pa.string()), which).to_arrow()
        for texts in zip(*((e.delivery_date, e.file_id, e.file_name) for e in entries), strict=True)
    ]
    numbers = np.concatenate(
        [numbers_as_delivered(d.erased, tallies[d.entry.file_name].records, count) for d, count in of_files]
    )
    arrays = [*lineage, pa.array(numbers), block.raw, block.error, *block.values.values()]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
