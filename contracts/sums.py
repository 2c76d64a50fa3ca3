"""What a sum is made of: blocks with a shape, a bound and a resolution, and the protocol of a sum program.

A program turns a site's rows and the public state into one float array a block (``term``); the total of the blocks
over all sites advances the state (``advance``). Clipping, limbs, tags and encryption are secure_compute's business.
Source: summation form of learning algorithms, Chu et al. 2006; statistical queries, Kearns 1998.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
"""Rows of one site as named arrays whose first axis is the row; read from its feature table, never sent."""

State = Mapping[str, Any]
"""Public state: JSON-like values and NumPy arrays, made by ``advance`` from opened totals only."""


@dataclass(frozen=True)
class Block:
    """One named array of a sum.

    Attributes:
        name: unique in its layout.
        shape: of the array, C order.
        bound: largest absolute value that one *site's* element may have; larger ones are clipped and counted.
        resolution: quantum of the fixed-point code; a value is sent as ``round(value / resolution)``.
        at_least: when set, the authority releases for each element only whether the total reaches this count
            (1.0 or 0.0), never the count itself (SECURE_SUM rule 14). Counts use resolution 1.
    """

    name: str
    shape: tuple[int, ...]
    bound: float
    resolution: float = 1.0
    at_least: int | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


Layout = tuple[Block, ...]


NEAR_REPEAT = 0.01
"""Change of the state below which the sites of the next sum must be those of the last one (SECURE_SUM rule 9)."""


class SumProgram(Protocol):
    """A computation as a sequence of sums. Pure: no file, no clock, no randomness that is not in the state."""

    name: str

    def initial(self) -> State:
        """The public state before the first sum."""
        ...

    def layout(self, state: State) -> Layout:
        """Blocks of the next sum. Depends on the state only, so all parties agree on it."""
        ...

    def term(self, rows: Arrays, state: State) -> dict[str, np.ndarray]:
        """A site's own term: one float64 array a block, of the block's shape. Runs inside the site only.

        Gets no site identity (SECURE_SUM rule 13).
        """
        ...

    def advance(self, state: State, total: Mapping[str, np.ndarray]) -> State:
        """The next public state from an opened total (float64 arrays, decoded); pure and deterministic."""
        ...

    def change(self, before: State, after: State) -> float:
        """How much the point moved at which the next sum is taken, beside the one where the last was, relative.

        Infinite when the two sums ask different things. Below ``NEAR_REPEAT`` the next sum nearly repeats the last
        one, so that over another roster their difference would be nearly one site's term (SECURE_SUM rule 9).
        """
        ...

    def is_done(self, state: State) -> bool:
        """True when no further sum is needed."""
        ...
