"""What lint finds: a place, how bad it is, the rule's name and words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from fhir_mapping.spec.lines import Key, key_lines, line_of

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, order=True)
class Finding:
    """One finding; ``words`` hold names, codes and counts, never a value of a record.

    Attributes:
        line: from 1.
        level: ``error``: the mapper would refuse the file. ``warning``: it maps, but not what was meant. ``info``.
        rule: ``toml``, ``key``, ``column``, ``path``, ``type``, ``cardinality``, ``code``, ``reference``, ``map``,
            ``unreachable``, ``unmapped_column``, ``unused_map``, ``unused_map_row`` and so on (docs/reference).
    """

    file: str
    line: int
    level: Level
    rule: str
    words: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.level} {self.rule}: {self.words}"


@dataclass(frozen=True)
class TomlFile:
    """A TOML file whose findings get lines."""

    path: Path

    @cached_property
    def lines(self) -> dict[Key, int]:
        return key_lines(self.path.read_text(encoding="utf-8", errors="replace"))

    def find(self, key: Key, level: Level, rule: str, words: str) -> Finding:
        """A finding at a key of the file."""
        return Finding(str(self.path), line_of(self.lines, key), level, rule, words)

    def invalid(self, error: ValidationError, prefix: Key = ()) -> Iterator[Finding]:
        """Every complaint of pydantic as a finding."""
        for one in error.errors():
            words = one["msg"].removeprefix("Value error, ")
            where = ".".join(str(part) for part in one["loc"])
            yield self.find((*prefix, *_plain(one["loc"])), "error", "key", f"{where}: {words}" if where else words)


def _plain(loc: tuple[Any, ...]) -> Key:
    """A location without what pydantic adds to it for unions."""
    return tuple(part for part in loc if isinstance(part, str | int))
