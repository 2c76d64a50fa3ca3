"""What the writer of a Parquet file knows of its columns of texts, kept in the file's footer for its readers.

Told of dictionaries, so of distinct texts only. It says nothing that the file's rows do not say, and goes with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lake.reader import part_files

REPEATED = "repeated"
"""Each text stands in so many rows of a row group, on average, that to work something out once a text is less work."""
_OFTEN = 8
FEW, FEW_BYTES = 16, 256
"""So many texts, of so many bytes together, are named one by one."""
_KEY = b"cloister.texts.1"
"""Another number where a fact comes to mean something else: then what was written before says nothing."""

FactsOf = Callable[[Mapping[str, pa.StringArray]], Mapping[str, Collection[str]]]
"""Names of what holds of every one of the distinct texts that a column of a row group has, perhaps beside those of the
other columns, by column; asked with no texts too, of which everything holds."""


@dataclass(frozen=True)
class Texts:
    """What is known of a column.

    Attributes:
        facts: names of what holds of every text.
        has_nulls: whether some row may have none.
        few: all texts that may occur, ascending, where there are few; None: any may.
    """

    facts: frozenset[str] = frozenset()
    has_nulls: bool = True
    few: tuple[str, ...] | None = None

    def and_of(self, other: Texts) -> Texts:
        """What is known of both together."""
        few = None
        if self.few is not None and other.few is not None:
            few = _if_few({*self.few, *other.few})
        return Texts(self.facts & other.facts, self.has_nulls or other.has_nulls, few)


class TextsOfFile:
    """Gathers what is to be said in a file's footer, a row group at a time."""

    def __init__(self, facts_of: FactsOf) -> None:
        self._facts_of = facts_of
        self._found: dict[str, Texts] = {}
        self._others: set[str] = set()

    def see(self, group: pa.Table) -> None:
        """Look at the dictionaries of a row group; a column that is no dictionary in each of them is left out."""
        columns = dict(zip(group.column_names, group.columns, strict=True))
        self._others |= {name for name, column in columns.items() if not _is_coded(column.type)}
        coded = {name: column for name, column in columns.items() if _is_coded(column.type)}
        texts = {name: _texts_of(column) for name, column in coded.items()}
        facts = self._facts_of(texts)
        for name, column in coded.items():
            told = _told(column, texts[name], facts.get(name, ()))
            self._found[name] = self._found[name].and_of(told) if name in self._found else told

    def footer(self) -> dict[bytes, bytes]:
        """Key and value for the file's footer."""
        told = {name: texts for name, texts in self._found.items() if name not in self._others}
        body = {name: asdict(texts) | {"facts": sorted(texts.facts)} for name, texts in told.items()}
        return {_KEY: json.dumps(body, ensure_ascii=False).encode()}


def read_texts(path: Path, column: str, values: Iterable[str]) -> Mapping[str, Texts]:
    """What is known of the columns of some parts of a table, by name; {} where a file says nothing.

    Args:
        column: the table's partition column.
        values: of the parts.
    """
    parts = part_files(path, column)
    found: Mapping[str, Texts] | None = None
    for name in (name for value in values for name in parts.get(value, ())):
        told = _of_file(path / name)
        found = told if found is None else {one: found[one].and_of(told[one]) for one in found.keys() & told.keys()}
        if not found:
            break
    return found or {}


def _of_file(file: Path) -> Mapping[str, Texts]:
    body = (pq.read_metadata(file).metadata or {}).get(_KEY, b"{}")
    return {
        name: Texts(frozenset(one["facts"]), one["has_nulls"], None if one["few"] is None else tuple(one["few"]))
        for name, one in json.loads(body).items()
    }


def _is_coded(kind: pa.DataType) -> bool:
    return pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type)


def _texts_of(column: pa.ChunkedArray) -> pa.StringArray:
    """The texts that rows have, each once, perhaps more."""
    found: list[pa.StringArray] = []
    for chunk in column.chunks:
        # Chunks mostly share one dictionary.
        if chunk.null_count < len(chunk) and not (found and chunk.dictionary.equals(found[-1])):
            found.append(chunk.dictionary)
    texts = found[0] if len(found) == 1 else pa.concat_arrays([pa.array([], pa.string()), *found]).unique()
    return texts.drop_null() if texts.null_count else texts


def _told(column: pa.ChunkedArray, texts: pa.StringArray, facts: Collection[str]) -> Texts:
    has_nulls = column.null_count > 0 or any(chunk.dictionary.null_count for chunk in column.chunks)
    few = _if_few(texts.to_pylist()) if len(texts) <= FEW else None
    is_repeated = _OFTEN * len(texts) <= len(column) - column.null_count
    return Texts(frozenset(facts) | ({REPEATED} if is_repeated else set()), has_nulls, few)


def _if_few(texts: Collection[str]) -> tuple[str, ...] | None:
    is_few = len(texts) <= FEW and sum(len(text.encode()) for text in texts) <= FEW_BYTES
    return tuple(sorted(texts)) if is_few else None
