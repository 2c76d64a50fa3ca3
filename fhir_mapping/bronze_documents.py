"""Many CDA documents of one source into bronze: worker processes look at them, read them and write the rows.

Processes, not threads: lxml holds the interpreter's lock while it makes and frees trees, and two threads of it keep
less than two cores busy. A worker is sent the files' names, opens each file once, and sends the manifest's rows back;
no document passes between processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from contracts.region import Site, Source
from fhir_mapping.bronze_rows import OfFiles, Tally, counted, with_lineage
from fhir_mapping.landing import Delivered, Listed, look_into, read_whole
from fhir_mapping.lifecycle.erased import Erasures, as_delivered
from fhir_mapping.manifest import FileEntry
from fhir_mapping.sources.cda_files import in_blocks
from fhir_mapping.sources.cda_rows import Plan, extract
from fhir_mapping.sources.parallel import in_threads, worker_count
from fhir_mapping.sources.processes import in_process
from fhir_mapping.sources.record import Block
from lake.part_write import write_parquet

MANY_BYTES = 32 << 20
"""Fewer are read by this process alone: to start others takes longer."""

_LEAST, _MOST = 4 << 20, 64 << 20
"""Bytes of documents that a worker is given in one go."""
_SHARE = 4
"""Of what is left, a core is given this part at most: the last groups are small, and no core waits long for another."""


@dataclass(frozen=True)
class Documents:
    """What is the same for all documents of a source that were delivered on a day.

    Attributes:
        schema: of the bronze table, as rows are written.
    """

    site: Site
    source: Source
    day: str
    erasures: Erasures
    schema: pa.Schema


@dataclass(frozen=True)
class _Group:
    """Files that one worker reads, and the folder that gets their rows."""

    documents: Documents
    files: tuple[Listed, ...]
    folder: Path


def are_many(source: Source, files: Sequence[Listed]) -> bool:
    """Whether these files of a source are so much that other processes are worth their start."""
    return source.format == "cda" and sum(file.bytes for file in files) >= MANY_BYTES


def write_documents(documents: Documents, files: Sequence[Listed], folder: Path) -> tuple[list[FileEntry], int]:
    """Write the rows of files as Parquet files, without the day's column, into a folder.

    Never raises for what the bytes are.

    Returns:
        The manifest's rows, in the order of the files, and how many records carry a reader error.
    """
    entries: list[FileEntry] = []
    bad_records = 0
    groups = (_Group(documents, tuple(group), folder) for group in _groups(files))
    for found, bad in in_threads(partial(in_process, _write), groups):
        entries += found
        bad_records += bad
    return entries, bad_records


def _groups(files: Sequence[Listed]) -> Iterator[Sequence[Listed]]:
    """Consecutive files, fewer bytes from group to group."""
    left = sum(file.bytes for file in files)
    parts = _SHARE * worker_count()
    start = size = 0
    for end, file in enumerate(files, start=1):
        size += file.bytes
        if size >= min(max(left // parts, _LEAST), _MOST) or end == len(files):
            yield files[start:end]
            left, start, size = left - size, end, 0


def _write(group: _Group) -> tuple[list[FileEntry], int]:
    delivered: list[Delivered] = []
    tallies: dict[str, Tally] = {file.name: Tally() for file in group.files}
    rows = with_lineage(_blocks(group, delivered), group.documents.schema, tallies)
    write_parquet((batch.drop_columns(["_delivery_date"]) for batch in rows), group.folder)
    entries = [counted(found, tallies[found.entry.file_name]) for found in delivered]
    return entries, sum(tally.bad_records for tally in tallies.values())


def _blocks(group: _Group, delivered: list[Delivered]) -> Iterator[tuple[OfFiles, Block]]:
    """The records of files; ``delivered`` gets what each file is, one without a record too."""
    documents = group.documents
    plan = Plan.of(documents.source)
    for files in in_blocks(group.files, lambda file: file.bytes):
        contents = [read_whole(file.path) for file in files]
        looked = [
            as_delivered(look_into(documents.site, documents.day, file, content), documents.erasures)
            for file, content in zip(files, contents, strict=True)
        ]
        delivered += looked
        read = [
            (found, content)
            for found, content in zip(looked, contents, strict=True)
            if found.file is not None and found.entry.source == documents.source.name
        ]
        if read:
            block, counts = extract(plan, [content for _, content in read])
            yield [(found, count) for (found, _), count in zip(read, counts.tolist(), strict=True)], block
