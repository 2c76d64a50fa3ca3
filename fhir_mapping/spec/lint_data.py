"""Lint with sample files: headers, JSON paths, segments and fields that no column reads, texts that maps lack.

Counts and names only: a text of a record is never shown.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc

from contracts.region import Source
from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import split_messages
from fhir_mapping.hl7v2.message import parse
from fhir_mapping.sources.encoding import detect
from fhir_mapping.sources.hl7v2_path import parse_rows
from fhir_mapping.sources.ndjson import parse_line
from fhir_mapping.sources.reader import Refusal, inspect
from fhir_mapping.spec.finding import Finding, TomlFile
from fhir_mapping.spec.lint_usage import Usage
from fhir_mapping.spec.text import fold
from fhir_mapping.terminology.code_map import CodeMap

_HL7_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[[^\]]*\])?-([0-9]+)")


@dataclass
class Seen:
    """What the sample files of one site hold.

    Attributes:
        records: by source.
        texts: prepared texts by ``(source, column)``, with how many records have them.
    """

    records: Counter[str] = field(default_factory=Counter)
    texts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def add(self, source: Source, data: bytes, columns: Sequence[str]) -> str | None:
        """Count a file's records; the reason when it cannot be read."""
        stream = io.BytesIO(data)
        found = inspect(source, stream)
        if isinstance(found, Refusal):
            return found.reason
        for block in found.blocks(stream):
            self.records[source.name] += len(block)
            for name in columns:
                counted = self.texts.setdefault((source.name, name), Counter())
                for entry in pc.value_counts(block.values[name]).to_pylist():
                    if entry["values"] is not None:
                        counted[fold(entry["values"])] += entry["counts"]
        return None

    def asked(self, usage: Usage) -> Counter[str]:
        """Texts that a lookup meets, extracted and split as it does."""
        counts: Counter[str] = Counter()
        for text, count in self.texts.get((usage.source, usage.column), Counter()).items():
            if usage.extract is not None:
                match = re.fullmatch(usage.extract, text)
                text = match.group(1) if match else ""
            if usage.split == "json":
                parts = [part.strip('[]" ') for part in text.split('",')]
            else:
                parts = text.split(usage.split) if usage.split else [text]
            for part in parts:
                if fold(part) and usage.can_meet(fold(part)):
                    counts[fold(part)] += count
        return counts


def unmapped_texts(file: Path, usage: Usage, code_map: CodeMap, seen: Seen) -> Iterator[Finding]:
    """Texts of the sample that a map lacks, as counts."""
    missing = {text: count for text, count in seen.asked(usage).items() if text not in code_map.rows}
    if missing:
        total = seen.records[usage.source]
        words = (
            f"{len(missing)} texts of column {usage.column!r}, in {sum(missing.values()):,} of {total:,} records, "
            f"are not in map '{code_map.name}'"
        )
        yield TomlFile(file).find(("elements",), "warning", "unmapped_text", words)


def untouched(file: Path, source: Source, name: str, data: bytes) -> Iterator[Finding]:
    """Headers, JSON paths or HL7 v2 fields of a file that no column of its source declares."""
    toml = TomlFile(file)
    if source.format == "hl7v2":
        yield from _untouched_fields(toml, source, data)
        return
    if source.format in ("ndjson", "postgres"):
        found = _json_paths(data) - {_bare(column.path or column.name) for column in source.column}
        rule = "unmapped_path"
    elif source.format in ("csv", "tsv") and source.header:
        declared = {text for c in source.column for text in (c.header or c.name, *c.aliases)}
        found = set(_headers(source, data)) - {fold(text) for text in declared}
        rule = "undeclared_header"
    else:
        return
    for one in sorted(found - set(source.ignore)):
        words = f"{one!r} of {name} is no column of '{source.name}'; declare it, or name it under [ignore]"
        yield toml.find(("entity",), "warning", rule, words)


def _untouched_fields(toml: TomlFile, source: Source, data: bytes) -> Iterator[Finding]:
    touched = {m.groups() for c in source.column for m in _HL7_PATH.finditer(c.path or c.name)}
    segments, fields = _hl7_contents(data)
    known = {segment for segment, _ in touched} | set(parse_rows(source.rows) if source.rows else ())
    for segment, count in sorted(segments.items()):
        if segment not in known and segment not in source.ignore:
            words = f"no column reads segment {segment}, which {count:,} messages of the sample have"
            yield toml.find(("entity",), "warning", "untouched_segment", words)
    for (segment, number), count in sorted(fields.items()):
        place = f"{segment}-{number}"
        is_excused = place in source.ignore or segment in source.ignore
        if segment in known and (segment, str(number)) not in touched and not is_excused:
            words = f"no column reads {place}, which has a value in {count:,} segments of the sample"
            yield toml.find(("entity",), "warning", "untouched_field", words)


def _hl7_contents(data: bytes) -> tuple[Counter[str], Counter[tuple[str, int]]]:
    """Messages by segment, and segments by field that has a value."""
    segments: Counter[str] = Counter()
    fields: Counter[tuple[str, int]] = Counter()
    for item in split_messages(data):
        if item.error is not None:
            continue
        try:
            message = parse(item.text)
        except RecordError:
            continue
        segments.update({segment.name for segment in message.segments})
        for segment in message.segments:
            first = 3 if segment.name == "MSH" else 1
            fields.update((segment.name, n) for n in range(first, len(segment.fields)) if segment.fields[n])
    return segments, fields


def _headers(source: Source, data: bytes) -> list[str]:
    encoding = detect(data[: 1 << 20], source.encoding)
    if encoding is None:
        return []
    text = data[len(encoding.bom) :].decode(encoding.codec, errors="replace")
    rows = csv.reader(io.StringIO(text), delimiter=source.delimiter)
    for number, row in enumerate(row for row in rows if row):
        if number == source.skip_rows:
            return [fold(cell) for cell in row]
    return []


def _json_paths(data: bytes) -> set[str]:
    """Leaves of all objects, lists without their index."""
    found: set[str] = set()
    for line in data.decode("utf-8", errors="replace").splitlines():
        try:
            found |= set(_leaves(parse_line(line), "")) if line.strip() else set()
        except (ValueError, RecursionError):
            continue
    return found


def _leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, path)
    elif value is not None:
        yield path


def _bare(path: str) -> str:
    return re.sub(r"\[[0-9]+\]", "", path)
