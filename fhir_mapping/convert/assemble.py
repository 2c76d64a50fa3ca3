"""Part files become bundles: which version of a resource stands, how bundles are numbered, their Provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from fhir_mapping.convert.bundle import derived_id, link, write_bundle
from fhir_mapping.convert.outcome import RecordOutcome, Written
from fhir_mapping.convert.provenance import provenance
from fhir_mapping.document import Problem

DUPLICATE = Problem("duplicate", "")
SUPERSEDED = Problem("superseded_version", "")


@dataclass(frozen=True)
class Placed:
    """A resource to be written: what, where its bytes are, and which record it comes from."""

    written: Written
    part: Path
    record: int
    place: str


@dataclass
class Document:
    """One output bundle."""

    records: list[int] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)
    recorded: str | None = None


@dataclass(frozen=True)
class Assembled:
    """What was made of one file: its records as they ended up, its bundles by name."""

    records: tuple[RecordOutcome, ...]
    outputs: dict[str, list[int]]
    resources: Counter[str]


def assemble(
    name: str,
    stem: str,
    parts: Sequence[tuple[Path, Sequence[RecordOutcome]]],
    open_output: Callable[[str], BinaryIO],
) -> Assembled:
    """Write the bundles of one file.

    Args:
        name: of the file, as Provenance tells it.
        stem: of its outputs: ``stem.json``, ``stem.2.json`` ...
        parts: part files with the outcomes of the records in them, in order.
        open_output: gives the stream of an output name.
    """
    records = [(path, outcome) for path, outcomes in parts for outcome in outcomes]
    documents, replaced = _documents(records)
    outcomes = tuple(_after(outcome, replaced.get(number)) for number, (_, outcome) in enumerate(records, 1))
    outputs: dict[str, list[int]] = {}
    resources: Counter[str] = Counter()
    for document in documents:
        if document.placed:
            output = f"{stem}.json" if not outputs else f"{stem}.{len(outputs) + 1}.json"
            outputs[output] = document.records
            with open_output(output) as stream:
                _write(stream, name, document, len(records) > 1)
            resources.update(placed.written.type for placed in document.placed.values())
            resources["Provenance"] += 1
    return Assembled(outcomes, outputs, resources)


def _documents(records: Sequence[tuple[Path, RecordOutcome]]) -> tuple[list[Document], dict[int, Problem]]:
    """Bundles in order of their first record, and the records that another version of their resource replaced."""
    found: dict[str, Document] = {}
    replaced: dict[int, Problem] = {}
    for number, (part, outcome) in enumerate(records, 1):
        if outcome.disposition != "mapped":
            continue
        key = f"#{number}" if outcome.document is None else outcome.document
        document = found.setdefault(key, Document())
        document.records.append(number)
        document.recorded = document.recorded or outcome.recorded
        for written in outcome.resources:
            placed = Placed(written, part, number, outcome.place)
            _place(document, f"{written.type}/{written.id}", placed, replaced)
    return list(found.values()), replaced


def _place(document: Document, key: str, placed: Placed, replaced: dict[int, Problem]) -> None:
    """A bundle holds a resource once: the version with the later ``meta.lastUpdated``, else the later in the file."""
    other = document.placed.get(key)
    if other is None:
        document.placed[key] = placed
    elif other.written.digest == placed.written.digest:
        replaced[placed.record] = DUPLICATE
    elif placed.written.updated < other.written.updated:
        replaced[placed.record] = SUPERSEDED
    else:
        replaced[other.record] = SUPERSEDED
        document.placed[key] = placed


def _after(outcome: RecordOutcome, reason: Problem | None) -> RecordOutcome:
    """A record whose only resource stands elsewhere in the bundle is skipped."""
    if reason is None or len(outcome.resources) != 1:
        return outcome
    return replace(outcome, disposition="skipped", problems=(reason, *outcome.problems), resources=())


def _write(stream: BinaryIO, name: str, document: Document, has_several: bool) -> None:
    is_one_record = len(document.records) == 1
    source = f"{name}#{document.records[0]}" if is_one_record and has_several else name
    placed = list(document.placed.values())
    targets = [(one.written.type, one.written.id, "" if is_one_record else _label(one)) for one in placed]
    id, body = provenance(source, document.recorded, targets)
    present = document.placed.keys()

    def entries() -> Iterator[tuple[str, str, bytes]]:
        for one, own in _bodies(placed):
            yield one.type, one.id, link(own, present)
        yield "Provenance", id, body

    write_bundle(stream, derived_id("Bundle", source), document.recorded, entries())


def _label(placed: Placed) -> str:
    return placed.place or f"record {placed.record}"


def _bodies(placed: Sequence[Placed]) -> Iterator[tuple[Written, bytes]]:
    path: Path | None = None
    stream: BinaryIO | None = None
    try:
        for one in placed:
            if one.part != path or stream is None:
                if stream is not None:
                    stream.close()
                path, stream = one.part, one.part.open("rb")
            stream.seek(one.written.start)
            yield one.written, stream.read(one.written.size)
    finally:
        if stream is not None:
            stream.close()
