"""CDA files of one source read in groups by worker processes.

Processes, not threads: lxml holds the interpreter's lock while it makes and frees trees, and two threads of it keep
less than two cores busy. A worker is sent the files' names and sends compressed Arrow back, so that documents are
copied between processes once, and small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from contracts.region import Source
from fhir_mapping.sources.cda_rows import Plan, extract
from fhir_mapping.sources.parallel import in_threads
from fhir_mapping.sources.processes import in_process
from fhir_mapping.sources.record import Block

_GROUP_BYTES = 4 << 20
_GROUP_FILES = 1 << 10
_ALONE = 8
"""Fewer groups are read by this process alone: to start others takes longer."""

_RAW, _ERROR = 0, 1
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class _Group(NamedTuple):
    """Files that are read in one go, and their source."""

    source: Source
    paths: tuple[str, ...]


def read_documents(source: Source, paths: Sequence[Path]) -> Iterator[tuple[Block, tuple[int, ...]]]:
    """The rows of groups of files, in order, and how many are each file's (at least one).

    Never raises for what the bytes are.
    """
    groups = [_Group(source, tuple(map(str, group))) for group in _groups(paths)]
    read = map(_read, groups) if len(groups) < _ALONE else in_threads(partial(in_process, _read), groups)
    for data, counts in read:
        yield _block(data), counts


def _groups(paths: Sequence[Path]) -> Iterator[list[Path]]:
    group: list[Path] = []
    size = 0
    for path in paths:
        added = path.stat().st_size
        if group and (size + added > _GROUP_BYTES or len(group) == _GROUP_FILES):
            yield group
            group, size = [], 0
        group.append(path)
        size += added
    if group:
        yield group


def _read(group: _Group) -> tuple[bytes, tuple[int, ...]]:
    block, counts = extract(Plan.of(group.source), [_content(path) for path in group.paths])
    return _to_ipc(block), tuple(counts.tolist())


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _to_ipc(block: Block) -> bytes:
    """A block without line counts, which documents have none of."""
    batch = pa.RecordBatch.from_arrays(
        [block.raw, block.error, *block.values.values()], ["_raw", "_error", *block.values]
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _block(data: bytes) -> Block:
    with pa.ipc.open_stream(data) as stream:
        batch = stream.read_next_batch()
    values = dict(zip(batch.schema.names[_ERROR + 1 :], batch.columns[_ERROR + 1 :], strict=True))
    return Block(batch.column(_RAW), batch.column(_ERROR), values, len(batch), 0)
