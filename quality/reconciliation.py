"""The proof that nothing was lost: what the tables hold, file by file, against what manifest and ledger say.

For every delivered file
    records in = mapped + quarantined + skipped + superseded + erased
    lines = header + blank lines + lines of the records (erased ones excepted)
    resources emitted = resources in silver + resources replaced
and each of the terms is counted here from bronze, mapped, silver and quarantine tables (``recount``), by other code
than the ledger's. Rows of a file that the manifest does not know are a difference too: a run died before its last
commit.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts.errors import ReconciliationError
from contracts.zone import SiteZone
from lake.reader import read_arrow
from quality.recount import FileCount, FileKey, recount

DISPOSITIONS = ("mapped", "quarantined", "skipped", "superseded", "erased")

_NAMED = 5


@dataclass(frozen=True)
class Difference:
    """One count that does not agree: ``found`` in the tables, ``expected`` by manifest or ledger."""

    delivery_date: str
    file_name: str
    what: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.delivery_date}/{self.file_name}: {self.what}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Reconciliation:
    """Totals of a site's tables and every difference.

    Attributes:
        resources_out: resources in silver by table (``patient``, ``encounter``).
    """

    files: int
    records_in: int
    dispositions: dict[str, int]
    resources_out: dict[str, int]
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> int:
        """Sum of all differences; 0 when every record is accounted for exactly once."""
        return sum(abs(difference.expected - difference.found) for difference in self.differences)

    def raise_if_unexplained(self) -> None:
        """Raise ReconciliationError, naming files and counts, unless all agrees."""
        if not self.differences:
            return
        named = "; ".join(str(difference) for difference in self.differences[:_NAMED])
        more = len(self.differences) - _NAMED
        raise ReconciliationError(
            f"{len(self.differences)} counts in the tables do not agree with manifest and ledger: {named}"
            f"{f'; and {more} more' if more > 0 else ''}. Run the site's job again; if they stay, keep the tables."
        )


def reconcile(zone: SiteZone) -> Reconciliation:
    """Recount a site's tables.

    Raises:
        UsageError: there is no manifest or no ledger yet.
    """
    manifest = {_key(row): row for row in read_arrow(zone.table("manifest__file")).to_pylist()}
    ledger = {_key(row): row for row in read_arrow(zone.table("ledger__file")).to_pylist()}
    counts = recount(zone, sorted({day for day, _ in manifest} | _bronze_days(zone)))
    differences = [
        Difference(*key, what, expected, found)
        for key in sorted(manifest.keys() | ledger.keys() | counts.keys())
        for what, expected, found in _compare(manifest.get(key), ledger.get(key), counts.get(key, FileCount()))
        if expected != found
    ]
    resources: Counter[str] = Counter()
    for count in counts.values():
        resources.update(count.resources)
    return Reconciliation(
        files=len(manifest),
        records_in=sum(row["records"] for row in manifest.values()),
        dispositions={name: sum(row[name] for row in ledger.values()) for name in DISPOSITIONS},
        resources_out=dict(sorted(resources.items())),
        differences=tuple(differences),
    )


def _compare(
    entry: dict[str, Any] | None, ledger: dict[str, Any] | None, count: FileCount
) -> Iterator[tuple[str, int, int]]:
    """(what, expected, found) of one file."""
    if entry is None:
        yield (
            "rows of a file that is not in the manifest",
            0,
            count.bronze + count.mapped_rows + sum(count.resources.values()),
        )
        yield "ledger rows of a file that is not in the manifest", 0, int(ledger is not None)
        return
    yield "entries in quarantine for a refused file", int(entry["status"] == "refused"), count.refused
    if ledger is None:
        yield "ledger rows", 1, 0
        return
    yield "records in", entry["records"], ledger["records_in"]
    yield "sum of dispositions", ledger["records_in"], sum(ledger[name] for name in DISPOSITIONS)
    yield "erased", ledger["erased"], count.erased
    yield "bronze rows", entry["records"] - ledger["erased"], count.bronze
    yield "mapped rows", count.bronze, count.mapped_rows
    if not ledger["erased"]:
        breaks = {"CR": count.carriage_returns, "LF": count.line_feeds, None: 0}[entry["line_end"]]
        yield "lines", entry["lines"], entry["header_lines"] + entry["blank_lines"] + count.bronze + breaks
    yield from _compare_resources(ledger, count, bool(entry["is_duplicate"]))


def _compare_resources(ledger: dict[str, Any], count: FileCount, is_duplicate: bool) -> Iterator[tuple[str, int, int]]:
    """A file delivered twice takes no part in silver and quarantine: all its records are superseded."""
    superseded = count.bronze if is_duplicate else count.emitting - count.standing
    yield "superseded", ledger["superseded"], superseded
    yield "mapped", ledger["mapped"], count.standing
    yield "quarantined", ledger["quarantined"], 0 if is_duplicate else count.quarantined
    yield "records in quarantine", ledger["quarantined"], count.quarantine
    yield "skipped", ledger["skipped"], 0 if is_duplicate else count.skipped
    yield "records in silver that emitted nothing", 0, count.strays
    yield "pending", ledger["pending"], count.pending
    in_silver = sum(count.resources.values())
    yield "resources emitted", 0 if is_duplicate else count.emitted, in_silver + count.replaced
    out = {name.lower(): number for name, number in json.loads(ledger["resources_out"] or "{}").items()}
    for name in sorted(out.keys() | count.resources.keys()):
        yield f"{name} resources", out.get(name, 0), count.resources[name]


def _key(row: dict[str, Any]) -> FileKey:
    return row["delivery_date"], row["file_name"]


def _bronze_days(zone: SiteZone) -> set[str]:
    """Days in bronze, also those a run that died left without a manifest row."""
    days: set[str] = set()
    for path in zone.lake.glob("bronze_*"):
        if (path / "_delta_log").is_dir():
            days |= set(read_arrow(path, ["_delivery_date"])["_delivery_date"].unique().to_pylist())
    return days
