"""Values that a table writes once for several rows: an empty cell means the last one above it, in the same file.

A record that could not be read may have held a new value, so nothing is carried over it: a row must not slip under
the patient before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.region import Source
from fhir_mapping.sources import limits
from fhir_mapping.sources.record import Block


def carry_forward(source: Source, blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks of one file, the cells of ``carry_forward`` columns filled, over the ends of blocks too."""
    names = [column.name for column in source.column if column.carry_forward]
    if not names:
        yield from blocks
        return
    last: dict[str, str | None] = dict.fromkeys(names)
    for block in (part for whole in blocks for part in _parts(whole, names, last)):
        is_bad = block.error.is_valid().to_numpy(zero_copy_only=False)
        filled = {name: _fill(block.values[name], is_bad, last[name]) for name in names}
        if len(block):
            last = {name: None if is_bad[-1] else array[-1].as_py() for name, array in filled.items()}
        yield replace(block, values={**block.values, **filled})


def _parts(block: Block, names: Sequence[str], last: Mapping[str, str | None]) -> Iterator[Block]:
    """A block in parts, where its carried values would be too large once they stand in every row."""
    longest = max(len((last[name] or "").encode()) for name in names)
    for name in names:
        longest = max(longest, pc.max(pc.binary_length(block.values[name])).as_py() or 0)
    rows = max(limits.MAX_PIECE // max(longest, 1), 1)
    for start in range(0, max(len(block), 1), rows):
        values = {name: column.slice(start, rows) for name, column in block.values.items()}
        lines, blank = (0, 0) if start else (block.lines, block.blank_lines)
        yield Block(block.raw.slice(start, rows), block.error.slice(start, rows), values, lines, blank)


def _fill(values: pa.StringArray, is_bad: np.ndarray, before: str | None) -> pa.StringArray:
    """Each empty cell takes the nearest value above it; ``before`` stands above the first."""
    has_text = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(values), ""), False).to_numpy(zero_copy_only=False)
    # Position 0 is the value before the block; a bad record stops the search and has none itself.
    source = np.where(has_text | is_bad, np.arange(1, len(values) + 1), 0)
    source = np.maximum.accumulate(source)
    known = pa.concat_arrays([pa.array([before], pa.string()), values])
    is_blocked = np.concatenate([[False], is_bad])[source]
    return known.take(pa.array(source, mask=is_blocked))
