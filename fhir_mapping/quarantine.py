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
    broken = [_of_source(source, twice, schema) for source in sources if source.mapping.source in holding]
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


def _of_source(source: MappedSource, twice: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The records of a source that broke rules, those of files delivered twice left out."""
    found = source.batches(_COLUMNS, pc.list_value_length(pc.field("_errors")) > 0)

    def made(batch: pa.RecordBatch) -> pa.RecordBatch:
        files = pc.binary_join_element_wise(batch.column("_delivery_date"), batch.column("_file_name"), "/")
        kept = batch.filter(pc.invert(pc.is_in(files, pa.array(twice, files.type))))
        day, file_id, file_name, record_no, errors, raw = (kept.column(column) for column in _COLUMNS)
        name = pa.repeat(source.mapping.source, len(kept))
        columns = [day, name, file_id, file_name, record_no, errors, raw]
        return pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
        )

    return map(made, found)
