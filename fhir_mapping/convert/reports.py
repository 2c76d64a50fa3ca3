"""``ledger.json`` and ``quarantine.ndjson``: every record accounted for, by rules and paths, never a value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from contracts.fhir.json_text import dumps
from fhir_mapping.convert.inputs import Inputs, pseudonym
from fhir_mapping.convert.options import Options
from fhir_mapping.convert.outcome import RecordOutcome
from fhir_mapping.document import Problem

LEDGER = "ledger.json"
QUARANTINE = "quarantine.ndjson"
NAMES = "input-names.json"
_ABOUT_NAMES = (
    "How the input files are really called, by what output, ledger and quarantine call them. "
    "A name may be a patient's: this file stays where the input is."
)
_INDEX = re.compile(r"\[\d+\]")
_DISPOSITIONS = ("mapped", "quarantined", "skipped")
_LONGEST_PATH = 300


@dataclass
class Tally:
    """Counts of one file, or of all."""

    records: Counter[str] = field(default_factory=Counter)
    resources: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped_by: Counter[str] = field(default_factory=Counter)

    def add_record(self, outcome: RecordOutcome) -> None:
        self.records[outcome.disposition] += 1
        if outcome.disposition == "skipped":
            self.skipped_by[outcome.problems[0].rule] += 1
            return
        if outcome.disposition == "mapped":
            self.left_out += len(outcome.faults)
        for problem in (*outcome.faults, *outcome.problems):
            self.problems[problem.rule, _INDEX.sub("", printable(problem.path))] += 1

    def add(self, other: Tally) -> None:
        self.records.update(other.records)
        self.resources.update(other.resources)
        self.left_out += other.left_out
        self.problems.update(other.problems)
        self.skipped_by.update(other.skipped_by)

    def as_json(self) -> dict[str, Any]:
        problems: dict[str, dict[str, int]] = {}
        for (rule, path), count in sorted(self.problems.items()):
            problems.setdefault(rule, {})[path] = count
        return {
            "records": sum(self.records.values()),
            **{name: self.records[name] for name in _DISPOSITIONS},
            "resources": dict(sorted(self.resources.items())),
            "resources_left_out": self.left_out,
            "problems": problems,
            "skipped_by_rule": dict(sorted(self.skipped_by.items())),
        }


@dataclass(frozen=True)
class FileEntry:
    """The ledger's entry of one file.

    Attributes:
        file: how output and reports call it.
        outputs: numbers of the records in each bundle.
    """

    file: str
    sha256: str
    tally: Tally
    outputs: dict[str, list[int]]

    def as_json(self) -> dict[str, Any]:
        is_told = len(self.outputs) > 1
        outputs = {name: _spans(records) if is_told and records else "all" for name, records in self.outputs.items()}
        return {"file": self.file, "sha256": self.sha256, **self.tally.as_json(), "outputs": outputs}


def _spans(records: list[int]) -> str:
    """``1-3,7``."""
    spans: list[list[int]] = []
    for record in records:
        if spans and spans[-1][1] == record - 1:
            spans[-1][1] = record
        else:
            spans.append([record, record])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def ledger(options: Options, files: list[FileEntry], others: tuple[str, ...]) -> bytes:
    """The whole ledger; the same for the same inputs and options. ``others``: names of files that were not read."""
    totals = Tally()
    for file in files:
        totals.add(file.tally)
    whole = {
        "format": options.format,
        "fhir": options.fhir,
        "pseudonymous": options.key is not None,
        "profile": options.profile,
        "totals": {"files": len(files), **totals.as_json()},
        "files": [file.as_json() for file in files],
        "skipped_files": [
            {"file": name if options.key is None else pseudonym(name, options.key), "rule": "other_extension"}
            for name in others
        ],
    }
    return dumps(whole, indent=True) + b"\n"


def names(inputs: Inputs, key: bytes) -> bytes:
    """Names of all files of a pseudonymous conversion, by their pseudonyms; no other output tells them."""
    found = [*(file.name for file in inputs.files), *inputs.others]
    files = {pseudonym(name, key): printable(name) for name in sorted(found)}
    return dumps({"about": _ABOUT_NAMES, "files": files}, indent=True) + b"\n"


def printable(path: str) -> str:
    """A path as reports may hold it: names in it are the sender's own, of any length and with half characters."""
    return path[:_LONGEST_PATH].encode("utf-8", "backslashreplace").decode()


def quarantine_lines(file: str, record: int, outcome: RecordOutcome) -> Iterator[bytes]:
    """A line for each record that is not there, or resource of a record that is not."""
    what = "record" if outcome.disposition == "quarantined" else "resource"
    for fault in outcome.faults:
        yield _line(file, record, outcome.place, what, fault)


def _line(file: str, record: int, place: str, what: str, fault: Problem) -> bytes:
    body = {
        "file": file,
        "record": record,
        "place": place,
        "what": what,
        "rule": fault.rule,
        "path": printable(fault.path),
    }
    return dumps({name: value for name, value in body.items() if name != "place" or value}) + b"\n"
