"""Texts of many rows among which few are distinct: each text once, and for each row which of them it has.

What is done to a text is done to the distinct ones only; rows are touched again where two columns become one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CODED = pa.dictionary(pa.int32(), pa.string())
"""What ``Coded.to_arrow`` makes."""

_NONE = pa.nulls(1, pa.string())


@dataclass(frozen=True)
class Coded:
    """Texts of rows.

    Attributes:
        texts: of each row at least, null where there is none; some may stand twice, and none that no row has.
        of_row: for each row its place in ``texts`` (int32).
        is_once: whether it is known that no text stands twice.
    """

    texts: pa.StringArray
    of_row: np.ndarray
    is_once: bool = False

    @classmethod
    def of(cls, values: pa.StringArray) -> Coded:
        """The texts of an array, each once."""
        found = pc.dictionary_encode(values, null_encoding="encode")
        return cls(found.dictionary, found.indices.to_numpy(), is_once=True)

    @classmethod
    def same(cls, text: str, count: int) -> Coded:
        """One text in so many rows."""
        return cls(pa.array([text][:count], pa.string()), np.zeros(count, dtype=np.int32), is_once=True)

    @property
    def is_full(self) -> bool:
        """Whether every row has a text."""
        return not self.texts.null_count

    def each(self, function: Callable[[pa.StringArray], pa.StringArray]) -> Coded:
        """The texts changed by a function that gives a text or null for each."""
        texts = function(self.texts)
        return self if texts is self.texts else Coded(texts, self.of_row)

    def distinct(self) -> Coded:
        """The same with every text once, null among them."""
        if self.is_once:
            return self
        found = Coded.of(self.texts)
        return self if len(found.texts) == len(self.texts) else Coded(found.texts, found.of_row[self.of_row])

    def at(self, rows: np.ndarray) -> Coded:
        """The texts of these rows, in their order, all texts kept; null for a row -1."""
        if not len(rows) or rows.min() >= 0:
            return Coded(self.texts, self.of_row[rows], self.is_once)
        place = np.append(self.of_row, np.int32(len(self.texts)))[rows]
        return Coded(pa.concat_arrays([self.texts, _NONE]), place)

    def to_arrow(self) -> pa.DictionaryArray:
        """One value a row, of type ``CODED``; the dictionary has no text twice and no null."""
        if self.texts.null_count == len(self.texts):
            return pa.nulls(len(self.of_row), CODED)
        place = pa.array(self.of_row)
        if self.is_once and self.is_full:
            return pa.DictionaryArray.from_arrays(place, self.texts, safe=False)
        found = pc.dictionary_encode(self.texts)
        if len(found.dictionary) < len(self.texts):
            place = found.indices.take(place)
        return pa.DictionaryArray.from_arrays(place, found.dictionary, safe=False)


def combine(function: Callable[..., pa.StringArray], parts: Sequence[Coded]) -> Coded:
    """A function of several columns' texts, called with those that stand together in some row."""
    of_row, places = parts[0].of_row, [np.arange(len(parts[0].texts))]
    for part in parts[1:]:
        size = len(part.texts)
        if part.of_row is of_row:
            places.append(np.arange(size))
            continue
        if size == 1 or len(places[0]) == 1:
            # The rows differ by one of them alone.
            count = max(size, len(places[0]))
            of_row = of_row if size == 1 else part.of_row
            places = [np.resize(place, count) for place in (*places, np.arange(size))]
            continue
        pairs = pc.dictionary_encode(pa.array(of_row.astype(np.int64) * size + part.of_row))
        of_row = pairs.indices.to_numpy()
        left, right = np.divmod(pairs.dictionary.to_numpy(), max(size, 1))
        places = [*(place[left] for place in places), right]
    return Coded(function(*(part.texts.take(pa.array(at)) for part, at in zip(parts, places, strict=True))), of_row)
