"""Quarantine: records that emit nothing because they broke rules, with the rules' names and the raw text.

A refused file has one entry with ``record_no`` -1 and no raw text: its bytes are in landing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from contracts.zone import SiteZone
from fhir_mapping.ledger import FileCount
from fhir_mapping.manifest import REFUSED, FileEntry
from fhir_mapping.mapping import MappedSource
from fhir_mapping.tables import WHOLE_FILE, quarantine_table
from lake.data_files import DataFile, column_batches, is_empty
from lake.tables import arrow_schema, write_arrow

_COLUMNS = ("_delivery_date", "_file_id", "_file_name", "_record_no", "_errors", "_raw")


def write_quarantine(
    zone: SiteZone, sources: Sequence[MappedSource], counts: Sequence[FileCount], manifest: Sequence[FileEntry]
) -> None:
    """Write the quarantine whole, from the mapped rows and the refused files; rows stream through."""
    target = quarantine_table(zone)
    schema = arrow_schema(target)
    holding = {count.source for count in counts if count.quarantined}
    twice = [f"{e.delivery_date}/{e.file_name}" for e in manifest if e.is_duplicate]

    refused = pa.RecordBatch.from_pylist([_refused(entry) for entry in manifest if entry.status == REFUSED], schema)
    # Files are listed before the write: delta-rs, while it takes the rows, cannot be asked for a table.
    holds = [(source.mapping.source, source.files()) for source in sources if source.mapping.source in holding]
    broken = [_of_source(name, files, twice, schema) for name, files in holds]
    write_arrow(pa.RecordBatchReader.from_batches(schema, chain([refused], *broken)), target)


def _refused(entry: FileEntry) -> dict[str, object]:
    return {
        "_delivery_date": entry.delivery_date,
        "source": entry.source,
        "file_id": entry.file_id,
        "file_name": entry.file_name,
        "record_no": WHOLE_FILE,
        "rules": [{"rule": entry.reason or "", "path": ""}],
    }


def _of_source(
    source: str, files: Sequence[DataFile], twice: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The records of a source that broke rules, those of files delivered twice left out."""
    for file in files:
        for batch in () if is_empty(file, "_errors") else column_batches(file, _COLUMNS):
            broken = batch.filter(pc.greater(pc.list_value_length(batch.column("_errors")), 0))
            day, *others = (broken.column(column) for column in _COLUMNS)
            columns = [day, pa.repeat(source, len(broken)), *others]
            cast = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
            made = pa.RecordBatch.from_arrays(cast, schema=schema)
            names = pc.binary_join_element_wise(made.column("_delivery_date"), made.column("file_name"), "/")
            yield made.filter(pc.invert(pc.is_in(names, pa.array(twice, names.type))))
