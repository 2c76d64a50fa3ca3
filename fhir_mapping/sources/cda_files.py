"""CDA files of one source read in groups. Many are read by worker processes (see ``fhir_mapping.bronze_documents``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from contracts.region import Source
from fhir_mapping.sources.cda_rows import Plan, extract
from fhir_mapping.sources.record import Block

_BLOCK_BYTES = 4 << 20
_BLOCK_FILES = 1 << 10

File = TypeVar("File")


def read_documents(source: Source, paths: Sequence[Path]) -> Iterator[tuple[Block, tuple[int, ...]]]:
    """The rows of groups of files, in order, and how many are each file's (at least one).

    Never raises for what the bytes are.
    """
    plan = Plan.of(source)
    for group in in_blocks(paths, lambda path: path.stat().st_size):
        block, counts = extract(plan, [path.read_bytes() for path in group])
        yield block, tuple(counts.tolist())


def in_blocks(files: Sequence[File], size_of: Callable[[File], int]) -> Iterator[list[File]]:
    """Consecutive files whose rows become one block, by their sizes in bytes."""
    group: list[File] = []
    size = 0
    for file in files:
        added = size_of(file)
        if group and (size + added > _BLOCK_BYTES or len(group) == _BLOCK_FILES):
            yield group
            group, size = [], 0
        group.append(file)
        size += added
    if group:
        yield group
