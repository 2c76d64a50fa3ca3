"""A whole conversion: inputs, tasks, workers, bundles, reports; everything is written aside and then renamed."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from contracts.errors import UsageError
from fhir_mapping.convert.assemble import assemble
from fhir_mapping.convert.inputs import InputFile, Inputs, find_inputs
from fhir_mapping.convert.options import TABULAR, Options
from fhir_mapping.convert.pool import run_tasks
from fhir_mapping.convert.reports import (
    LEDGER,
    NAMES,
    QUARANTINE,
    FileEntry,
    Tally,
    ledger,
    names,
    quarantine_lines,
)
from fhir_mapping.convert.stretches import Stretch, stretches
from fhir_mapping.convert.task import Converter, Task, TaskResult
from governance.files import PRIVATE_MODE, write_durable

Progress = Callable[[int, int], None]
"""``progress(done, all)`` files."""


@dataclass(frozen=True)
class Report:
    """What a conversion ended with."""

    files: int
    totals: Tally
    others: tuple[str, ...]
    quarantine: Path
    ledger: Path


def convert(
    given: Sequence[Path], out: Path, options: Options, processes: int, progress: Progress = lambda done, all: None
) -> Report:
    """Convert files and folders into ``out``.

    Args:
        processes: worker processes, at least 1.

    Raises:
        UsageError: an input does not exist, output names collide, ``out`` cannot be written, or holds output with names
            where this one is to have none; nothing is written then.
    """
    inputs = find_inputs(options.format, given, out)
    if options.key is not None:
        _require_no_names(out)
        inputs = inputs.under_pseudonyms(options.key)
    with _workshop(out) as shop:
        if options.key is not None:
            write_durable(shop / "out" / NAMES, names(inputs, options.key), PRIVATE_MODE)
        if options.format in TABULAR:
            entries = _convert_tables(inputs, given, shop, options, processes, progress)
        else:
            entries = _convert_documents(inputs, shop, options, processes, progress)
        _publish(shop, out, entries)
    totals = Tally()
    for entry in entries:
        totals.add(entry.tally)
    return Report(len(entries), totals, inputs.others, out / QUARANTINE, out / LEDGER)


def _convert_documents(
    inputs: Inputs, shop: Path, options: Options, processes: int, progress: Progress
) -> list[FileEntry]:
    if options.key is not None:
        importlib.import_module("fhir_mapping.convert.pseudonyms")  # once here, not in every worker
    if options.format == "hl7v2" and options.spec is not None:
        from fhir_mapping.hl7v2.tables import Tables

        Tables.load(options.spec)  # what is wrong in it is told before anything is read
    with (shop / "out" / QUARANTINE).open("wb") as quarantine:
        run = _Run(inputs, shop, options, quarantine)
        for result in run_tasks(Converter(options), run.tasks(), processes):
            run.take(result)
            progress(len(run.entries), len(inputs.files))
    (shop / "out" / LEDGER).write_bytes(ledger(options, run.entries, inputs.others))
    return run.entries


def _convert_tables(
    inputs: Inputs, given: Sequence[Path], shop: Path, options: Options, processes: int, progress: Progress
) -> list[FileEntry]:
    from fhir_mapping.convert.tables import read_specs
    from fhir_mapping.convert.tables_run import TableRun
    from lake.engine import EngineSettings, open_engine

    if options.spec is None:
        raise UsageError(f"--format {options.format} needs --spec DIR: a folder with sources/*.toml and specs/*.toml.")
    run = TableRun(inputs, read_specs(options.spec, options.zone), options, shop / "parts", given)
    with open_engine(EngineSettings()) as spark:
        run.run(spark, processes, progress)
    entries = run.write(lambda name: (shop / "out" / name).open("xb"))
    with (shop / "out" / QUARANTINE).open("wb") as stream:
        for file, record, outcome in run.quarantined():
            stream.writelines(quarantine_lines(file, record, outcome))
    (shop / "out" / LEDGER).write_bytes(ledger(options, entries, inputs.others))
    return entries


def _publish(shop: Path, out: Path, entries: Sequence[FileEntry]) -> None:
    """Rename every output into its place, the reports last: a ledger vouches for what is there."""
    made = shop / "out"
    _remove_former(out, made, entries)
    paths = sorted(path for path in made.rglob("*") if path.is_file())
    for path in sorted(paths, key=lambda path: path.name in (LEDGER, NAMES, QUARANTINE) and path.parent == made):
        target = out / path.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A folder beside the outputs in which they are made; gone afterwards, whatever happened."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        shop = Path(tempfile.mkdtemp(prefix=".converting-", dir=out))
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}). Name a folder with --out.") from error
    try:
        (shop / "out").mkdir()
        (shop / "parts").mkdir()
        yield shop
    finally:
        shutil.rmtree(shop, ignore_errors=True)


@dataclass
class _Pending:
    """A file whose tasks are not all done."""

    stretches: int | None = None
    digest: str = ""
    results: list[TaskResult] = field(default_factory=list)


class _Run:
    def __init__(self, inputs: Inputs, shop: Path, options: Options, quarantine: BinaryIO) -> None:
        self._inputs, self._shop, self._options, self._quarantine = inputs, shop, options, quarantine
        self._pending: dict[int, _Pending] = {}
        self.entries: list[FileEntry] = []

    def tasks(self) -> Iterator[Task]:
        """Tasks of all files, in order; a file's number of tasks is known when its last one is given out."""
        number = 0
        for index, file in enumerate(self._inputs.files):
            pending = self._pending.setdefault(index, _Pending())
            count = 0
            for stretch in stretches(self._options.format, file.path):
                number, count = number + 1, count + 1
                if stretch.is_last:
                    pending.stretches, pending.digest = count, stretch.digest
                yield self._task(index, file, number, stretch)

    def _task(self, index: int, file: InputFile, number: int, stretch: Stretch) -> Task:
        part = self._shop / "parts" / str(number)
        return Task(index, file.path, part, stretch.data, stretch.first, stretch.error)

    def take(self, result: TaskResult) -> None:
        """A task's result, in order; with a file's last one its bundles are written."""
        index = result.task.file
        pending = self._pending[index]
        pending.results.append(result)
        if len(pending.results) == pending.stretches:
            self._complete(self._inputs.files[index], self._pending.pop(index))

    def _complete(self, file: InputFile, pending: _Pending) -> None:
        parts = [(result.task.part, result.records) for result in pending.results]
        made = assemble(file.called, file.stem, parts, self._open)
        for part, _ in parts:
            part.unlink(missing_ok=True)
        tally = Tally(resources=made.resources)
        for number, outcome in enumerate(made.records, 1):
            tally.add_record(outcome)
            self._quarantine.writelines(quarantine_lines(file.called, number, outcome))
        self.entries.append(FileEntry(file.called, pending.digest, tally, made.outputs))

    def _open(self, name: str) -> BinaryIO:
        path = self._shop / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return path.open("xb")
        except FileExistsError:
            raise UsageError(f"two inputs would become {name}. Convert them into two folders.") from None


def _report(path: Path) -> dict[str, Any]:
    """A report of a run, empty where there is none that can be read."""
    from contracts.fhir.json_text import loads

    try:
        found = loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _require_no_names(out: Path) -> None:
    """Pseudonymous bundles have other names than those with names, and would stand beside them."""
    if _report(out / LEDGER).get("pseudonymous") is False:
        raise UsageError(f"{out} holds an earlier conversion with names and identifiers. Give another --out.")


def _remove_former(out: Path, made: Path, entries: Sequence[FileEntry]) -> None:
    """Bundles that an earlier run made of the same input and this one does not (``X.3.json``) are no longer true.

    Under another key the same input has another pseudonym: inputs are compared by their names.
    """
    try:
        were, are = (_report(folder / NAMES).get("files", {}) for folder in (out, made))
        former = {were.get(entry["file"], entry["file"]): entry["outputs"] for entry in _report(out / LEDGER)["files"]}
    except (KeyError, TypeError, AttributeError):
        return
    for entry in entries:
        for name in former.get(are.get(entry.file, entry.file), ()):
            path = out / str(name)
            if name not in entry.outputs and path.suffix == ".json" and out.resolve() in path.resolve().parents:
                path.unlink(missing_ok=True)
