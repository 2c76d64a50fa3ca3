"""What must hold of any input: it ends mapped or quarantined, counted, and the bytes of the file are all there."""

from __future__ import annotations

import io
import traceback
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from benchmarks.fuzz_conservation import assert_conserved
from benchmarks.fuzz_seeds import COLUMNS, HEADER
from contracts.fhir.json_text import loads
from contracts.region import Column, Source, with_template
from fhir_mapping.convert.assemble import Assembled, assemble
from fhir_mapping.convert.fhir_files import is_ndjson
from fhir_mapping.convert.finish import finish
from fhir_mapping.convert.options import Format, Options, Version
from fhir_mapping.convert.pool import CRASHED
from fhir_mapping.convert.reports import FileEntry, Tally, ledger, quarantine_lines
from fhir_mapping.convert.stretches import stretches
from fhir_mapping.convert.task import Converter, Task, reader_of
from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2 import split_messages
from fhir_mapping.sources.reader import SourceFile, inspect
from fhir_mapping.sources.record import RECORD_ERRORS, Refusal

_BLOCK_BYTES = (64, *[1 << 20] * 6)
"""A seventh of the files is read in tiny blocks. JSON lines never: other processes would read those."""


class NotConservedError(Exception):
    """A property does not hold; says which, never a value of the input."""


@dataclass(frozen=True)
class Ended:
    """What became of one input's records; a reader's records count as mapped when they could be read."""

    mapped: int
    quarantined: int
    skipped: int = 0


class _Kept(io.BytesIO):
    """An output that can still be read when its writer has closed it."""

    def close(self) -> None:
        self.seek(0)


def check_converted(form: str, data: bytes, folder: Path, version: Version = "R4") -> Ended:
    """One file through everything ``cloister map convert`` does with it.

    Args:
        folder: an empty place for the file and its parts.

    Raises:
        NotConservedError: an exception beyond RecordError, or a record that is not accounted for.
    """
    options = Options(cast(Format, form), version)
    path = folder / "input"
    path.write_bytes(data)
    work, parts = Converter(options), []
    for number, stretch in enumerate(stretches(options.format, path)):
        task = Task(0, path, folder / f"part{number}", stretch.data, stretch.first, stretch.error)
        parts.append((task.part, work(task, {}, lambda record: None).records))
    outputs: dict[str, _Kept] = {}
    made = assemble("input", "input", parts, lambda name: outputs.setdefault(name, _Kept()))
    if any(fault.rule == CRASHED for outcome in made.records for fault in outcome.faults):
        raise NotConservedError(f"{CRASHED}: {_where(data, options)}")
    tally = _counted(made, options)
    _check_outputs(made, outputs)
    _require(data.startswith(b"\x1f\x8b") or _expected(form, data, made), "records are not those of the file")
    return Ended(tally.records["mapped"], tally.records["quarantined"], tally.records["skipped"])


def _counted(made: Assembled, options: Options) -> Tally:
    """Ledger and quarantine as they are written; records in are records mapped, quarantined and skipped."""
    tally = Tally(resources=made.resources)
    for number, outcome in enumerate(made.records, 1):
        tally.add_record(outcome)
        lines = list(quarantine_lines("input", number, outcome))
        _require(outcome.disposition != "quarantined" or len(lines) > 0, "quarantined without a line that says why")
    entry = FileEntry("input", "", tally, made.outputs)
    totals = loads(ledger(options, [entry], ()))["totals"]
    counts = sum(int(totals[name]) for name in ("mapped", "quarantined", "skipped"))
    _require(int(totals["records"]) == len(made.records) == counts, "the ledger does not add up")
    _require(len(made.records) > 0, "a file without any record")
    return tally


def _check_outputs(made: Assembled, outputs: dict[str, _Kept]) -> None:
    mapped = {number for number, outcome in enumerate(made.records, 1) if outcome.disposition == "mapped"}
    written = {number for numbers in made.outputs.values() for number in numbers}
    _require(mapped <= written, "a mapped record is in no output")
    found: Counter[str] = Counter()
    for stream in outputs.values():
        entries = loads(stream.getvalue())["entry"]
        names = [(entry["resource"]["resourceType"], entry["resource"]["id"]) for entry in entries]
        _require(len(names) == len(set(names)), "a resource twice in a bundle")
        found.update(kind for kind, _ in names)
    _require(found == made.resources, "outputs hold other resources than the ledger counts")


def _expected(form: str, data: bytes, made: Assembled) -> bool:
    """Whether there are as many records as the file has, counted another way."""
    if form == "hl7v2":
        items = list(split_messages(data))
        ends = [item.offset + item.size for item in items]
        is_gapless = [item.offset for item in items] == [0, *ends][: len(items)]
        return is_gapless and (ends or [0])[-1] == len(data) and len(made.records) == max(len(items), 1)
    if form == "cda":
        return len(made.records) == 1
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not is_ndjson(data):
        return True
    lines = {f"line {number}" for number, line in enumerate(data.split(b"\n"), 1) if line.strip()}
    return {outcome.place.partition(",")[0] for outcome in made.records} == lines


def _where(data: bytes, options: Options) -> str:
    """Type and place of the exception behind ``converter_failed``."""
    try:
        for item in reader_of(options)(data, 1, options):
            if item.error is None and item.skip is None:
                try:
                    finish(item.convert().resources, options, is_foreign=item.is_foreign)
                    item.recorded()
                except RecordError:
                    continue
    except RecordError:
        return "not seen again"
    except Exception as error:
        return place_of(error)
    return "not seen again"


def place_of(error: Exception) -> str:
    """``ValueError at fhir_mapping/x.py:12``: an exception's words may quote a value."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{type(error).__name__} at {own[-1].filename.rpartition('/main/')[2]}:{own[-1].lineno}"


def check_read(form: str, data: bytes, variant: int) -> Ended:
    """One file through the reader of a region's source; ``variant`` chooses among sources and sizes of blocks.

    Raises:
        NotConservedError: the file's bytes are not its header, records and blank lines.
    """
    source = _sources(form)[variant % len(_sources(form))]
    file = inspect(source, io.BytesIO(data))
    if isinstance(file, Refusal):
        return Ended(0, 1)
    block_bytes = _BLOCK_BYTES[-1 if form == "ndjson" else variant % len(_BLOCK_BYTES)]
    blocks = list(file.blocks(io.BytesIO(data), block_bytes))
    for block in blocks:
        columns = (block.raw, block.error, *block.values.values())
        _require(all(len(column) == len(block) for column in columns), "columns of unequal length")
        _require(set(block.values) == {column.name for column in source.column}, "other columns than declared")
    if isinstance(file, SourceFile):
        assert_conserved(data, file, blocks)
    errors = [error for block in blocks for error in block.error.to_pylist() if error is not None]
    _require(set(errors) <= set(RECORD_ERRORS), "an error without a name")
    _require(form != "hl7v2" or _raw_is_whole(data, blocks, source), "messages are missing among the rows")
    return Ended(sum(map(len, blocks)) - len(errors), len(errors))


def _raw_is_whole(data: bytes, blocks: list[Any], source: Source) -> bool:
    """Every message of the file is the raw text of a row."""
    raw = Counter(text for block in blocks for text in block.raw.to_pylist())
    return not Counter(item.text for item in split_messages(data)) - raw


@cache
def _sources(form: str) -> tuple[Source, ...]:
    base: dict[str, Any] = {"system": "his", "entity": "visit", "files": ("*",), "format": form}
    if form == "hl7v2":
        shipped = (with_template(Path(form), {**base, "template": f"hl7v2/{name}"}) for name in ("oru_r01", "adt"))
        return tuple(Source.model_validate(body) for body in shipped)
    if form == "cda":
        columns = (Column(name="no", path="/id/@extension"), Column(name="value", path="value/@value | value"))
        return (Source.model_validate({**base, "rows": "//observation", "column": columns}),)
    if form == "ndjson":
        return (Source.model_validate({**base, "column": (Column(name="id"), Column(name="status"))}),)
    named = tuple(
        Column(name=name, header=header, required=number < 2, carry_forward=number == 1)
        for number, (name, header) in enumerate(zip(COLUMNS, HEADER, strict=True))
    )
    variants: tuple[dict[str, Any], ...] = ({}, {"encoding": "gb18030"}, {"encoding": "utf-16"}, {"skip_rows": 1})
    return tuple(Source.model_validate({**base, "column": named, **one}) for one in variants)


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise NotConservedError(words)
