"""A task of a worker: a file or a stretch of one as records, each converted, checked and put into a part file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from contracts.fhir.json_text import dumps
from fhir_mapping.convert.finish import finish
from fhir_mapping.convert.options import Options
from fhir_mapping.convert.outcome import RecordOutcome, Written
from fhir_mapping.convert.pool import CRASHED
from fhir_mapping.document import Converted, Problem, RecordError
from fhir_mapping.sources.limits import RECORD_TOO_LARGE


@dataclass(frozen=True)
class Task:
    """What one worker does at a time.

    Attributes:
        file: number of the input file.
        path: of the file, for readers that open it themselves.
        part: file to put the resources into.
        data: the stretch of the file to convert; None when it cannot be read, which ``error`` tells.
        first: number of the stretch's first line in the file.
    """

    file: int
    path: Path
    part: Path
    data: bytes | None = None
    first: int = 1
    error: str | None = None


@dataclass(frozen=True)
class TaskResult:
    """Outcomes of a task's records, in their order."""

    task: Task
    records: tuple[RecordOutcome, ...]


@dataclass(frozen=True)
class Item:
    """One record as read, before it is converted.

    Attributes:
        convert: gives the resources; raises RecordError.
        error: why it is no record at all.
        skip: why there is nothing in it to map.
        place, document: see ``RecordOutcome``.
        is_foreign: the resources came as FHIR, so references to what is not here are the source's own.
        recorded: tells the record's own time, asked only once it was converted.
    """

    convert: Callable[[], Converted] = lambda: Converted(())
    error: Problem | None = None
    skip: Problem | None = None
    place: str = ""
    document: str | None = None
    is_foreign: bool = False
    recorded: Callable[[], str | None] = lambda: None


Reader = Callable[[bytes, int, Options], Iterator[Item]]
"""``read(data, first, options)``: the records of a file or stretch of one whose first line has this number."""


def reader_of(options: Options) -> Reader:
    """The reader of a format; imports only what that format needs."""
    if options.format == "hl7v2":
        from fhir_mapping.convert.hl7v2_files import read_messages

        return read_messages
    if options.format == "cda":
        from fhir_mapping.convert.cda_files import read_document

        return read_document
    from fhir_mapping.convert.fhir_files import read_fhir

    return read_fhir


@dataclass(frozen=True)
class Converter:
    """The work of a worker; picklable.

    Attributes:
        read: of the tasks' data; None = that of the format.
    """

    options: Options
    read: Reader | None = None

    def __call__(self, task: Task, left_out: Mapping[int, str], tick: Callable[[int], None]) -> TaskResult:
        if -1 in left_out:
            return TaskResult(task, (_failed(left_out[-1]),))
        if task.data is None:
            place = f"line {task.first}" if task.error == RECORD_TOO_LARGE else ""
            return TaskResult(task, (_failed(task.error or "unreadable_file", place=place),))
        outcomes: list[RecordOutcome] = []
        with task.part.open("wb") as part:
            try:
                for number, item in enumerate(
                    (self.read or _reader(self.options))(task.data, task.first, self.options)
                ):
                    tick(number)
                    rule = left_out.get(number)
                    outcomes.append(_failed(rule, place=item.place) if rule else self._convert(item, part))
            except RecordError as error:
                outcomes.append(_failed(error.rule, error.path))
            except Exception:
                # a reader's bug costs the rest of the file, not the run
                outcomes.append(_failed(CRASHED))
        if not outcomes and task.first == 1:
            outcomes.append(_failed("empty_file"))
        return TaskResult(replace(task, data=None), tuple(outcomes))

    def _convert(self, item: Item, part: BinaryIO) -> RecordOutcome:
        """One record. Whatever a converter raises beyond its contract is a fault of that record only."""
        base = RecordOutcome("quarantined", item.place, item.document)
        if item.error is not None:
            return replace(base, faults=(item.error,))
        if item.skip is not None:
            return replace(base, disposition="skipped", problems=(item.skip,))
        try:
            converted = item.convert()
            finished = finish(converted.resources, self.options, is_foreign=item.is_foreign)
            bodies = [(str(body["resourceType"]), str(body["id"]), dumps(body), body) for body in finished.resources]
            recorded = item.recorded()
        except RecordError as error:
            return replace(base, faults=(Problem(error.rule, error.path),))
        except Exception:
            # a converter's bug: the message may quote a value, so only the rule is kept
            return replace(base, faults=(Problem(CRASHED, ""),))
        problems = (*converted.problems, *finished.problems)
        if not bodies and self.options.key is not None and not finished.faults:
            # it told only what silver has no table for: nothing is wrong with it
            return replace(base, disposition="skipped", problems=(Problem("nothing_to_map", ""), *problems))
        if not bodies:
            faults = tuple(finished.faults) or (Problem("nothing_to_map", ""),)
            return replace(base, faults=faults, problems=problems)
        written = tuple(_write(part, type, id, body, _updated(whole)) for type, id, body, whole in bodies)
        return RecordOutcome(
            "mapped",
            item.place,
            item.document,
            tuple(finished.faults),
            problems,
            written,
            recorded,
        )


def _updated(resource: dict[str, object]) -> str:
    meta = resource.get("meta")
    return str(meta.get("lastUpdated", "")) if isinstance(meta, dict) else ""


def _write(part: BinaryIO, type: str, id: str, body: bytes, updated: str) -> Written:
    start = part.tell()
    part.write(body)
    return Written(type, id, start, len(body), hashlib.sha256(body).digest()[:16], updated)


def _failed(rule: str, path: str = "", place: str = "") -> RecordOutcome:
    return RecordOutcome("quarantined", place, faults=(Problem(rule, path),))


@cache
def _reader(options: Options) -> Reader:
    return reader_of(options)
