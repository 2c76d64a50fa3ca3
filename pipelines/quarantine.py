"""Look into a hospital's quarantine, and replay it after something was mended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import UsageError
from contracts.region import load_region
from contracts.zone import SiteZone
from governance.files import PRIVATE_MODE, write_durable
from pipelines import zone_work
from pipelines.locks import alone, locked
from pipelines.settings import Settings

if TYPE_CHECKING:
    from fhir_mapping.ledger import SiteReport
    from fhir_mapping.lifecycle.replay import Held, Replayed


def zone_of(settings: Settings, site: str) -> SiteZone:
    """The zone of a site that has run before. Raises UsageError when there is none."""
    load_region(settings.region).site(site)
    zone = settings.area.site(site)
    if not zone.lake.is_dir():
        raise UsageError(f"site '{site}' has no tables in {settings.work}: give the work directory of its runs")
    return zone


def replay(settings: Settings, site_name: str) -> tuple[list[Replayed], SiteReport]:
    """Replay the quarantine alone in the zone; features are made again too, and the ledger is recounted."""
    from fhir_mapping.lifecycle.marker import require_finished
    from fhir_mapping.lifecycle.replay import replay_quarantine
    from quality.reconciliation import reconcile

    region, zone = load_region(settings.region), zone_of(settings, site_name)
    with locked(settings.work), alone(zone):
        require_finished(zone)
        with zone_work.engine(settings) as spark:
            found, report = replay_quarantine(spark, zone, region, region.site(site_name))
            reconcile(zone).raise_if_unexplained()
            zone_work.remake_features(spark, zone, region)
    return found, report


def list_lines(held: Iterable[Held]) -> Iterator[str]:
    """The quarantine as a table."""
    rows = list(held)
    if not rows:
        yield "the quarantine is empty"
        return
    yield from table_lines(
        ("source", "rule", "path", "records", "files", "days"),
        [
            (
                *(one.source or "-", one.rule, one.path or "-", f"{one.records:,}", f"{one.files:,}"),
                one.first_day if one.first_day == one.last_day else f"{one.first_day} to {one.last_day}",
            )
            for one in rows
        ],
        numbers=(3, 4),
    )


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> Iterator[str]:
    """Columns as wide as their longest cell; those of ``numbers`` to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    for row in cells:
        shown = [cell.rjust(widths[at]) if at in numbers else cell.ljust(widths[at]) for at, cell in enumerate(row)]
        yield "  ".join(shown).rstrip()


def show_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Records as lines; their text, where it is there, indented below."""
    for row in rows:
        record = "whole file" if row["record"] is None else f"record {row['record']}"
        rules = "; ".join(f"{e['rule']} ({e['path']})" if e["path"] else e["rule"] for e in row["rules"])
        yield f"{row['delivery_date']}  {row['file']}  {record}  {rules}  mapping {(row['spec_digest'] or '-')[:12]}"
        if row.get("raw") is not None:
            yield from (f"    {line}" for line in row["raw"].splitlines())


def replay_lines(found: Iterable[Replayed], report: SiteReport) -> Iterator[str]:
    """What a replay did, rule by rule."""
    counts = [(one.source or "-", one.rule, one.before, one.drained, one.remain, one.new) for one in found]
    rows = [tuple(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) for row in counts]
    yield from table_lines(("source", "rule", "before", "drained", "remain", "new"), rows, numbers=(2, 3, 4, 5))
    yield f"quarantined now: {report.quarantined:,} of {report.records_in:,} records"


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """Rows (dataclasses or mappings) as NDJSON, mode 0600; how many."""
    lines = [json.dumps(row if isinstance(row, dict) else asdict(row), ensure_ascii=False) for row in rows]
    write_durable(path, "".join(line + "\n" for line in lines).encode(), PRIVATE_MODE)
    return len(lines)
