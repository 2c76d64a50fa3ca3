"""A conversion of tables: one NDJSON a type over all files, each resource once, as the latest record has it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from contracts.errors import UsageError
from fhir_mapping.convert.assemble import SUPERSEDED
from fhir_mapping.convert.inputs import Inputs, stem_of
from fhir_mapping.convert.options import Options
from fhir_mapping.convert.outcome import RecordOutcome, Written
from fhir_mapping.convert.pool import run_tasks
from fhir_mapping.convert.provenance import provenance
from fhir_mapping.convert.reports import FileEntry, Tally
from fhir_mapping.convert.tables import RowReader, Specs, read_rows
from fhir_mapping.convert.task import Converter, Task, TaskResult
from fhir_mapping.document import Problem
from fhir_mapping.landing import NO_SOURCE

_TARGETS = 1000
"""Targets of one Provenance: a file of a million rows does not become one line of a hundred megabytes."""


@dataclass(frozen=True)
class _Standing:
    """The version of a resource that counts so far."""

    order: str
    file: int
    record: int
    part: Path
    written: Written


class TableRun:
    """Files of tables on their way."""

    def __init__(self, inputs: Inputs, specs: Specs, options: Options, parts: Path, given: Sequence[Path]) -> None:
        self._options, self._specs, self._parts = options, specs, parts
        alone = {path for path in given if not path.is_dir()}
        # a later file replaces an earlier one by its name, which a pseudonym does not tell
        ordered = sorted(inputs.files, key=lambda file: stem_of(options.format, file.name))
        self._files = ordered
        self._sources = [specs.sources_of(options.format, file, file.path in alone) for file in ordered]
        if not any(self._sources):
            raise UsageError(
                f"no source of format {options.format} in {options.spec} names these files: "
                f"{', '.join(file.name for file in ordered[:5])}. Mend `files` of the source."
            )
        self._told = sorted(range(len(self._files)), key=lambda index: self._files[index].stem)
        unclaimed = RecordOutcome("quarantined", faults=(Problem(NO_SOURCE, ""),))
        self._outcomes = {index: [] if sources else [unclaimed] for index, sources in enumerate(self._sources)}
        self._standing: dict[str, _Standing] = {}

    def run(self, spark: object, processes: int, progress: Callable[[int, int], None]) -> None:
        """Map and check every row."""
        reader = RowReader(spark, self._specs, self._options)
        # ids are keyed hashes and identifying elements were left out when rows were mapped
        work = Converter(replace(self._options, key=None), read_rows)
        for result in run_tasks(work, self._tasks(reader), processes):
            self._take(result)
            progress(result.task.file, len(self._files))

    def _tasks(self, reader: RowReader) -> Iterator[Task]:
        number = 0
        for index, file in enumerate(self._files):
            for source in self._sources[index]:
                for data in reader.blocks(file, source):
                    number += 1
                    yield Task(index, file.path, self._parts / str(number), data, first=number)

    def _take(self, result: TaskResult) -> None:
        file = result.task.file
        for outcome in result.records:
            self._outcomes[file].append(outcome)
            record = len(self._outcomes[file])
            for written in outcome.resources:
                new = _Standing(outcome.recorded or "", file, record, result.task.part, written)
                key = f"{written.type}/{written.id}"
                old = self._standing.get(key)
                if old is None or new.order >= old.order:
                    self._standing[key] = new

    def write(self, open_output: Callable[[str], BinaryIO]) -> list[FileEntry]:
        """Write ``Type.ndjson`` and ``Provenance.ndjson``; gives the ledger's entries."""
        by_type: dict[str, list[_Standing]] = {}
        for standing in self._standing.values():
            by_type.setdefault(standing.written.type, []).append(standing)
        for type, some in sorted(by_type.items()):
            with open_output(f"{type}.ndjson") as stream:
                for standing in some:
                    stream.write(_body(standing) + b"\n")
        with open_output("Provenance.ndjson") as stream:
            for index in self._told:
                stream.writelines(self._provenance(index))
        return [self._entry(index) for index in self._told]

    def _provenance(self, file: int) -> Iterator[bytes]:
        mine = [one for one in self._standing.values() if one.file == file]
        name = self._files[file].called
        for start in range(0, len(mine), _TARGETS):
            some = mine[start : start + _TARGETS]
            targets = [(one.written.type, one.written.id, f"record {one.record}") for one in some]
            label = name if len(mine) <= _TARGETS else f"{name}#{start // _TARGETS + 1}"
            yield provenance(label, None, targets, linked=False)[1] + b"\n"

    def _entry(self, file: int) -> FileEntry:
        standing = [one for one in self._standing.values() if one.file == file]
        kept = Counter(one.record for one in standing)
        tally = Tally(resources=Counter(one.written.type for one in standing))
        tally.resources["Provenance"] = -(-len(standing) // _TARGETS)
        for record, outcome in enumerate(self._outcomes[file], 1):
            tally.add_record(_replaced(outcome) if outcome.resources and not kept[record] else outcome)
        path = self._files[file].path
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        outputs: dict[str, list[int]] = {f"{type}.ndjson": [] for type in sorted(tally.resources)}
        return FileEntry(self._files[file].called, digest, tally, outputs)

    def quarantined(self) -> Iterator[tuple[str, int, RecordOutcome]]:
        """File, number and outcome of every record."""
        for file in self._told:
            for record, outcome in enumerate(self._outcomes[file], 1):
                yield self._files[file].called, record, outcome


def _replaced(outcome: RecordOutcome) -> RecordOutcome:
    """A record of whose resources a later one has another version of each."""
    problems: tuple[Problem, ...] = (SUPERSEDED, *outcome.problems)
    return replace(outcome, disposition="skipped", problems=problems, resources=())


def _body(standing: _Standing) -> bytes:
    with standing.part.open("rb") as stream:
        stream.seek(standing.written.start)
        return stream.read(standing.written.size)
