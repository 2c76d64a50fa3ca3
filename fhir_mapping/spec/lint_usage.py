"""Lint: what no spec reads. Columns of sources, code maps, and rows of code maps that no record can reach."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.region import Source, read_toml
from fhir_mapping.sources import cda_path, hl7v2_path
from fhir_mapping.spec.check import columns_read, flatten, maps_of
from fhir_mapping.spec.conditions import Condition
from fhir_mapping.spec.expressions import Lookup, Quantity
from fhir_mapping.spec.finding import Finding, TomlFile
from fhir_mapping.spec.lint_logic import context_of
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.satisfy import Context
from fhir_mapping.spec.text import fold

_PLACES: dict[str, tuple[Callable[[str], object], Callable[[str], object]]] = {
    "hl7v2": (hl7v2_path.parse_value, hl7v2_path.parse_rows),
    "cda": (cda_path.parse_value, cda_path.parse_rows),
}
"""By format: what reads the path of a column, and of rows."""


@dataclass(frozen=True)
class Usage:
    """A place that looks texts of a column up in a map.

    Attributes:
        known: what holds for the records it sees.
        null_values: further texts that mean no value there.
    """

    map_name: str
    source: str
    column: str
    extract: str | None
    split: str | None
    known: Context
    null_values: frozenset[str]

    def can_meet(self, text: str) -> bool:
        """Whether a record may bring this text here."""
        if text in self.null_values:
            return False
        if self.extract is not None or self.split is not None:
            return self.split in (None, "json") or self.split not in text
        return self.known.can_hold(Condition.model_validate({"column": self.column, "in": (text,)}))


def usages(emit: Emit, source: Source) -> Iterator[Usage]:
    """Every lookup of an emit."""
    known = context_of(emit, source).given(emit.when)
    for check in emit.check:
        if check.when is None and check.rule in ("one_of", "matches") and check.column:
            test = {"in": check.values} if check.rule == "one_of" else {"matches": check.pattern}
            absent = {"absent": check.column}
            holds = Condition.model_validate({"any": (absent, {"column": check.column, **test})})
            known = known.given(holds)
    for expression in flatten(emit.elements.values()):
        here = known.given(expression.when)
        nulls = frozenset(fold(value) for value in expression.null_values)
        if isinstance(expression, Lookup):
            name, split = expression.lookup, expression.split
            yield Usage(name, source.name, expression.column, expression.extract, split, here, nulls)
        elif isinstance(expression, Quantity) and expression.unit is not None:
            yield Usage(expression.unit_map, source.name, expression.unit, None, None, here, frozenset())


def wrong_places(file: Path, source: Source) -> Iterator[Finding]:
    """Columns and rows of an HL7 v2 or CDA source whose path is none."""
    if source.format not in _PLACES:
        return
    value_of, rows_of = _PLACES[source.format]
    toml, own = TomlFile(file), [entry.get("name") for entry in _columns_of(file)]
    for column in source.column:
        try:
            value_of(column.path or column.name)
        except ValueError as error:
            key = ("column", own.index(column.name), "path") if column.name in own else ("template",)
            yield toml.find(key, "error", "column", f"column {column.name!r}: {error}")
    try:
        if source.rows:
            rows_of(source.rows)
    except ValueError as error:
        yield toml.find(("rows",), "error", "source", f"rows: {error}")


def unmapped_columns(
    file: Path, source: Source, emits: Sequence[Emit], left_out: Sequence[Emit] = ()
) -> Iterator[Finding]:
    """Columns that no spec of the source reads and ``[ignore]`` does not excuse; excuses that nothing needs.

    Args:
        left_out: emits of shipped specs that the site does without; what they read is left out with them.
    """
    toml = TomlFile(file)
    read = {name for emit in emits for name, _ in columns_read(emit)}
    if not emits:
        yield toml.find(("entity",), "warning", "source_without_spec", f"no spec reads source '{source.name}'")
        return
    # what identifies a person is read to mask free text
    declared = [column.name for column in source.column if column.identifying is None]
    own = [entry.get("name") for entry in _columns_of(file)]
    spared = {name for emit in left_out for name, _ in columns_read(emit)}
    for name in declared:
        key = ("column", own.index(name), "name") if name in own else ("template",)
        if name not in read | spared and name not in source.ignore:
            words = f"no spec of '{source.name}' reads column {name!r}; map it, or name it under [ignore] with a reason"
            yield toml.find(key, "warning", "unmapped_column", words)
    for name in source.ignore:
        if name in read:
            yield toml.find(("ignore", name), "warning", "needless_ignore", f"{name!r} is ignored, but a spec reads it")


def _columns_of(file: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = read_toml(file).get("column", [])
    return found


def unused_maps(folder: Path, emits: Sequence[Emit]) -> Iterator[Finding]:
    """Map files of a folder that no spec names."""
    used = {name for emit in emits for name in maps_of(emit)}
    for path in sorted(folder.glob("*.csv")):
        if path.stem not in used:
            yield Finding(str(path), 1, "warning", "unused_map", f"no spec looks anything up in map '{path.stem}'")


def unused_rows(file: Path, found: Sequence[Usage]) -> Iterator[Finding]:
    """Rows of a map whose text no lookup can meet: it means no value, or conditions and checks shut it out."""
    for text, line in map_lines(file).items():
        if found and not any(usage.can_meet(text) for usage in found):
            words = "no lookup can meet this row: its text means no value, or conditions and checks shut it out"
            yield Finding(str(file), line, "warning", "unused_map_row", words)


def unseen_rows(file: Path, seen: frozenset[str]) -> Iterator[Finding]:
    """Rows of a map whose text does not occur in the sample data."""
    for text, line in map_lines(file).items():
        if text not in seen:
            yield Finding(str(file), line, "info", "unseen_map_row", "the sample data never has this row's text")


def map_lines(file: Path) -> Mapping[str, int]:
    """Line of each prepared source text of a map."""
    found: dict[str, int] = {}
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        before = 0
        is_head = True
        for row in reader:
            is_head, was_head = is_head and (not row or row[0].startswith("#")), is_head
            if row and not was_head:
                found.setdefault(fold(row[0]), before + 1)
            before = reader.line_num
    return found
