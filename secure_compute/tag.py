"""The keyed tag of a term, by which the authority opens the true total of the roster's terms or nothing.

    tag_i = a_i + sum_j r_j v_ij  (mod t),  for each round, attempt and chunk

r is known to the authority and all sites of the roster, a_i to the authority and site i; the coordinator knows
neither. A sum of ciphertexts opens only if its tag is sum_i a_i + sum_j r_j V_j: one that the coordinator changed
passes with probability 1/t, and one failure ends the run (SECURE_SUM rule 3).
Source: linear MAC with a one-time pad, Wegman and Carter 1981.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from secure_compute.modular import Residues, T, add, dot
from secure_compute.streams import derive_key, uniform_residues


class Binding(NamedTuple):
    """What a tag is good for; any other use draws other keys."""

    run: str
    round: int
    attempt: int


def coefficients(seed: bytes, binding: Binding, chunk: int, count: int) -> Residues:
    """r of one chunk: ``count`` residues."""
    run, round_no, attempt = binding
    return uniform_residues(derive_key(seed, "r", run=run, round=round_no, attempt=attempt, chunk=chunk), count)


def pads(seed: bytes, binding: Binding, site: str, chunks: int) -> Residues:
    """a_i of all chunks of a round: residue c of the stream belongs to chunk c."""
    run, round_no, attempt = binding
    return uniform_residues(derive_key(seed, "a", run=run, round=round_no, attempt=attempt, site=site), chunks)


def append_tags(values: Residues, seed: bytes, own_pads: Residues, binding: Binding) -> Residues:
    """Values of shape (chunks, slots) with each chunk's tag behind them: (chunks, slots + 1)."""
    tagged = np.empty((values.shape[0], values.shape[1] + 1), np.uint64)
    tagged[:, :-1] = values
    for chunk, row in enumerate(values):
        weighted = dot(coefficients(seed, binding, chunk, row.size), row)
        tagged[chunk, -1] = (int(own_pads[chunk]) + weighted) % T
    return tagged


def sum_pads(all_pads: Iterable[Residues]) -> Residues:
    """sum_i a_i for each chunk."""
    total: Residues | None = None
    for own in all_pads:
        total = own if total is None else add(total, own)
    if total is None:
        raise ValueError("no site, no pad")
    return total


def holds(opened: Residues, seed: bytes, pad: int, binding: Binding, chunk: int) -> bool:
    """Whether an opened chunk (slots + 1,) carries the tag of its own values."""
    values = opened[:-1]
    return (pad + dot(coefficients(seed, binding, chunk, values.size), values)) % T == int(opened[-1])
