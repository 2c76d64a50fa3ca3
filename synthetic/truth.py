"""The truth about a generated city: for each file what must become of its records, for each site what was planted.

Lies beside the sites' zones (``WORK/truth.json``), so that no site's process can read it; tests hold it against the
ledger.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from synthetic.sheets import Entry, Layout


@dataclass(frozen=True)
class FileTruth:
    """One file: records in, and their dispositions.

    Attributes:
        quarantined: records by the rule that must be named.
        skipped: records by the rule that must be named.
        pending: resources that refer to a patient or visit that never arrives.
    """

    source: str
    day: str
    name: str
    records: int
    mapped: int = 0
    superseded: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    pending: int = 0

    @staticmethod
    def count(layout: Layout, day: str, name: str, entries: list[Entry]) -> FileTruth:
        def rules(outcome: str) -> dict[str, int]:
            return dict(sorted(Counter(str(e.rule) for e in entries if e.outcome == outcome).items()))

        return FileTruth(
            source=layout.source,
            day=day,
            name=name,
            records=len(entries),
            mapped=sum(e.outcome == "mapped" for e in entries),
            superseded=sum(e.outcome == "superseded" for e in entries),
            quarantined=rules("quarantined"),
            skipped=rules("skipped"),
            pending=sum(len(list(layout.resources(e.row))) for e in entries if e.pending),
        )


@dataclass(frozen=True)
class SiteTruth:
    """One hospital: its files, the sums over them, planted defects (``source/defect``) and resources by FHIR type."""

    records: int
    mapped: int
    superseded: int
    quarantined: dict[str, int]
    skipped: dict[str, int]
    pending: int
    planted: dict[str, int]
    resources: dict[str, int]
    files: tuple[FileTruth, ...]

    @staticmethod
    def count(files: list[FileTruth], planted: dict[str, int], resource_types: Iterable[str]) -> SiteTruth:
        quarantined: Counter[str] = Counter()
        skipped: Counter[str] = Counter()
        for file in files:
            quarantined.update(file.quarantined)
            skipped.update(file.skipped)
        return SiteTruth(
            records=sum(file.records for file in files),
            mapped=sum(file.mapped for file in files),
            superseded=sum(file.superseded for file in files),
            quarantined=dict(sorted(quarantined.items())),
            skipped=dict(sorted(skipped.items())),
            pending=sum(file.pending for file in files),
            planted=dict(sorted(planted.items())),
            resources=dict(sorted(Counter(resource_types).items())),
            files=tuple(files),
        )


@dataclass(frozen=True)
class Truth:
    """The whole city."""

    seed: int
    patients: int
    sites: dict[str, SiteTruth]


def write_truth(truth: Truth, path: Path) -> None:
    """Write the truth as JSON, keys sorted, so that equal cities give equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(truth), ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
