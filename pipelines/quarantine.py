"""Look into a hospital's quarantine, and replay it after something was mended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import UsageError
from contracts.region import load_region
from contracts.zone import SiteZone
from governance.files import PRIVATE_MODE, write_durable
from pipelines import zone_work
from pipelines.run import locked
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
    with locked(settings.work), zone_work.alone(zone):
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
    yield f"{'source':<22}{'rule':<34}{'path':<34}{'records':>9}{'files':>7}  days"
    for one in rows:
        days = one.first_day if one.first_day == one.last_day else f"{one.first_day} to {one.last_day}"
        yield f"{one.source or '-':<22}{one.rule:<34}{one.path or '-':<34}{one.records:>9,}{one.files:>7,}  {days}"


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
    yield f"{'source':<22}{'rule':<34}{'before':>9}{'drained':>9}{'remain':>9}{'new':>9}"
    for one in found:
        counts = "".join(f"{count:>9,}" for count in (one.before, one.drained, one.remain, one.new))
        yield f"{one.source or '-':<22}{one.rule:<34}{counts}"
    yield f"quarantined now: {report.quarantined:,} of {report.records_in:,} records"


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """Rows (dataclasses or mappings) as NDJSON, mode 0600; how many."""
    lines = [json.dumps(row if isinstance(row, dict) else asdict(row), ensure_ascii=False) for row in rows]
    write_durable(path, "".join(line + "\n" for line in lines).encode(), PRIVATE_MODE)
    return len(lines)
