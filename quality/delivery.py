"""Delivery figures of a hospital, as operations messages: what arrived, what became of it, what did not come.

Counted from manifest, ledger and quarantine; ``contracts.operations`` makes the figures coarse.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from contracts.operations import Delivery, Gap, Held, figure, percent
from contracts.region import Schedule, Site
from contracts.zone import SiteZone
from lake.reader import read_arrow

_COUNTS = ("records_in", "mapped", "quarantined", "skipped", "superseded", "erased")
_MEGABYTE = 1_000_000


def deliveries(zone: SiteZone) -> list[Delivery]:
    """One message a source and day, by day.

    Raises:
        UsageError: nothing was ingested yet.
    """
    ledger = {
        (row["delivery_date"], row["file_name"]): row
        for row in read_arrow(zone.table("ledger__file"), ["delivery_date", "file_name", *_COUNTS]).to_pylist()
    }
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entry in _manifest(zone):
        count = sums[entry["delivery_date"], entry["source"] or ""]
        row = ledger.get((entry["delivery_date"], entry["file_name"]), {})
        count.update(files=1, refused=entry["status"] == "refused", repeated=entry["is_duplicate"])
        count.update(bytes=entry["bytes"], **{name: row.get(name, 0) for name in _COUNTS})
    return [_delivery(zone.site, day, source, count) for (day, source), count in sorted(sums.items())]


def held(zone: SiteZone) -> list[Held]:
    """One message a source and rule of the quarantine, most records first."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in read_arrow(zone.table("quarantine__record"), ["source", "rules"]).to_pylist():
        counts.update({(row["source"] or "", rule["rule"]) for rule in row["rules"]})
    return [
        Held(site=zone.site, source=source or None, rule=_name(rule), records=figure(records))
        for (source, rule), records in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def gaps(zone: SiteZone, site: Site, until: str) -> list[Gap]:
    """One message a scheduled source that misses deliveries, from the site's first day of delivery to ``until``."""
    days: dict[str, set[str]] = defaultdict(set)
    for entry in _manifest(zone):
        if entry["source"] and entry["status"] == "accepted":
            days[entry["source"]].add(entry["delivery_date"])
    everything = set().union(*days.values())
    if not everything:
        return []
    found = []
    for source, schedule in sorted(site.schedule.items()):
        missed = missed_days(schedule, days[source], min(days[source] or everything), until)
        if missed:
            found.append(Gap(site=zone.site, source=source, schedule=schedule, days=missed))
    return found


def missed_days(schedule: Schedule, delivered: Iterable[str], first: str, until: str) -> tuple[str, ...]:
    """Days, weeks (by their Monday) or months (by their first day) without a delivery, from ``first`` to ``until``.

    A week or month counts only when all of it lies in that span.

    >>> missed_days("weekdays", ["2026-03-06"], "2026-03-06", "2026-03-10")
    ('2026-03-09', '2026-03-10')
    >>> missed_days("weekly", ["2026-03-04"], "2026-03-02", "2026-03-17")
    ('2026-03-09',)
    """
    start, end = date.fromisoformat(first), date.fromisoformat(until)
    there = {_period(schedule, date.fromisoformat(day)) for day in delivered}
    span = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    whole = Counter(_period(schedule, day) for day in span)
    return tuple(
        period.isoformat()
        for period, count in sorted(whole.items())
        if period not in there and count == _length(schedule, period) and not _is_free(schedule, period)
    )


def latest_day(zone: SiteZone) -> str | None:
    """The last day of delivery; None where nothing was ingested."""
    if not (zone.table("manifest__file") / "_delta_log").is_dir():
        return None
    return max((entry["delivery_date"] for entry in _manifest(zone)), default=None)


def _delivery(site: str, day: str, source: str, count: Counter[str]) -> Delivery:
    records = count["records_in"]
    return Delivery(
        site=site,
        source=source or None,
        day=day,
        files=count["files"],
        refused_files=count["refused"],
        repeated_files=count["repeated"],
        megabytes=round(count["bytes"] / _MEGABYTE),
        records=figure(records),
        mapped=figure(count["mapped"]),
        quarantined=figure(count["quarantined"]),
        skipped=figure(count["skipped"]),
        superseded=figure(count["superseded"]),
        erased=figure(count["erased"]),
        mapped_percent=percent(count["mapped"], records),
        quarantined_percent=percent(count["quarantined"], records),
    )


def _name(rule: str) -> str:
    """A rule's name without what a message has no room for."""
    head, colon, rest = rule.partition(":")
    return head + colon + "".join(c if c.isascii() and (c.isalnum() or c in "_.[]") else "_" for c in rest)


def _manifest(zone: SiteZone) -> list[dict[str, Any]]:
    columns = ["delivery_date", "source", "file_name", "status", "is_duplicate", "bytes"]
    rows: list[dict[str, Any]] = read_arrow(zone.table("manifest__file"), columns).to_pylist()
    return rows


def _period(schedule: Schedule, day: date) -> date:
    if schedule == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if schedule == "monthly" else day


def _length(schedule: Schedule, period: date) -> int:
    if schedule == "weekly":
        return 7
    if schedule == "monthly":
        return ((period + timedelta(days=31)).replace(day=1) - period).days
    return 1


def _is_free(schedule: Schedule, day: date) -> bool:
    return schedule == "weekdays" and day.weekday() >= 5
