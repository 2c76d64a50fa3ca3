"""The connection report: hospitals' operations messages, collected and put into words for the commission.

Each hospital makes its messages from its own tables and signs them (pipelines.bulletins); whoever reads them sees
nothing else. On one machine they are made and read in one go; in a region each hospital sends the file that ``--out``
writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import UsageError
from contracts.operations import (
    OWN_SYSTEMS,
    STEP,
    UNDER_TEN,
    Coverage,
    Delivery,
    Gap,
    Held,
    OperationsMessage,
    Suspicion,
    SuspicionCode,
    figure,
    percent,
)
from contracts.region import Region, Site, load_region
from contracts.wire import digest
from contracts.zone import SiteZone, WorkArea
from pipelines import zone_work
from pipelines.bulletins import Accepted, Refused, Signed, accept, receive, sign_messages
from pipelines.locks import locked
from pipelines.rosters import read_region_roster

if TYPE_CHECKING:
    from fhir_mapping.coverage import CodeCoverage

MOST = 3
"""Rules a hospital that are told; the quarantine itself has all."""

MAIN_CODES = (".code", ".medicationCodeableConcept", ".vaccineCode")
"""Ends of the elements whose coverage is told in words; the messages have all."""

WORDS = {
    SuspicionCode.SAME_FILE_AGAIN: "a file came that had been delivered before",
    SuspicionCode.CONSTANT_COLUMN: "column {column} has one and the same value in every record",
    SuspicionCode.EQUAL_BIRTH_DATES: "all patients have the same date of birth",
    SuspicionCode.ONE_SEX: "all patients are of one sex",
    SuspicionCode.FUTURE_DATES: "dates lie after the day of delivery",
    SuspicionCode.VOLUME_LOW: "far fewer records than usual",
    SuspicionCode.VOLUME_HIGH: "far more records than usual",
}


@dataclass(frozen=True)
class Heard:
    """What hospitals told: the messages that count, the bulletins they stand in, and those that do not count."""

    messages: tuple[OperationsMessage, ...]
    bulletins: tuple[Signed, ...]
    refused: tuple[Refused, ...] = ()


def collect(region: Region, area: WorkArea, sites: Sequence[str], until: str | None = None) -> Heard:
    """The messages of these hospitals, each as it would arrive: signed and written, checked and read again.

    Args:
        until: last day on which deliveries were due; default: the latest day of any of the hospitals.

    Raises:
        UsageError: none of them has ingested anything, or there is no roster.
        CredentialError: a hospital has no identity to sign with.
    """
    from quality.delivery import latest_day

    chosen = [region.site(name) for name in sites] or list(region.sites)
    latest = {site.name: latest_day(area.site(site.name)) for site in chosen}
    end = until or max((day for day in latest.values() if day), default=None)
    if end is None:
        raise UsageError(
            f"no hospital of region '{region.name}' has delivered anything to {area.root}: run its jobs first"
        )
    sent = []
    for site in chosen:
        if latest[site.name] is not None:
            zone = area.site(site.name)
            messages = site_messages(zone, site, end)
            sent.append(sign_messages(zone, region.name, messages))
            zone_work.note(zone, "operations", {"messages": len(messages), "digest": digest(sent[-1].data)})
    return _heard(*accept(sent, read_region_roster(area), {}))


def site_messages(zone: SiteZone, site: Site, until: str) -> list[OperationsMessage]:
    """All that a hospital says about its deliveries."""
    from fhir_mapping.spec.model import load_emits
    from fhir_mapping.spec.varying import varying_columns
    from quality import delivery
    from quality.suspicion import suspicions

    emits = load_emits(site.folder.parents[1], site.folder, {source.name for source in site.sources})
    return [
        *delivery.deliveries(zone),
        *delivery.held(zone),
        *_coverage(zone),
        *delivery.gaps(zone, site, until),
        *suspicions(zone, site, varying_columns(emits)),
    ]


def _coverage(zone: SiteZone) -> Iterator[Coverage]:
    from fhir_mapping.coverage import code_coverage

    return tell_coverage(zone.site, code_coverage(zone))


def tell_coverage(site: str, found: Sequence[CodeCoverage]) -> Iterator[Coverage]:
    """Coverage as messages. A system can come out of a record, so only a shared one of ten codings and more is named;
    the rest is told as the site's own, together."""
    sums: Counter[str] = Counter()
    told: Counter[tuple[str, str | None, bool]] = Counter()
    for one in found:
        is_named = one.is_shared and one.codings >= STEP
        system = (one.system if is_named else OWN_SYSTEMS) if one.system else None
        sums[one.element] += one.codings
        told[one.element, system, is_named] += one.codings
    for (element, system, is_shared), codings in told.items():
        yield Coverage(
            site=site,
            element=element,
            system=system,
            codings=figure(codings),
            percent=percent(codings, sums[element]),
            is_shared=is_shared,
        )


def make_report(
    region_folder: Path, work: Path | None, sites: Sequence[str], until: str | None, files: Sequence[Path]
) -> tuple[Region, Heard]:
    """The region and what its hospitals told: in files that they sent, or made from the work directory.

    Raises:
        UsageError: no work directory, or it has no roster, or nothing to report from.
        BusyError: a run or job is at work in the work directory.
    """
    region = load_region(region_folder)
    if work is None:
        raise UsageError(
            "give --work DIR: it holds the roster that messages are checked by, and the tables to make them of"
        )
    with locked(work):
        if files:
            return region, _heard(*receive(WorkArea(work), files))
        return region, collect(region, WorkArea(work), sites, until)


def _heard(accepted: Sequence[Accepted], refused: Sequence[Refused]) -> Heard:
    messages = tuple(message for one in accepted for message in one.messages)
    return Heard(messages, tuple(one.signed for one in accepted), tuple(refused))


def report_lines(region: Region, heard: Heard) -> Iterator[str]:
    """The report for people: a table of hospitals, what is missing, what looks wrong, why records are held back."""
    messages, doubted = heard.messages, {one.site for one in heard.refused}
    titles = {site.name: site.title for site in region.sites}
    yield f"Connection report of {region.title}"
    yield ""
    yield f"{'hospital':<14}{'days':>5}  {'last day':<11}{'files':>7}{'refused':>9}{'repeated':>9}{'records':>11}" + (
        f"{'mapped':>8}{'held back':>11}"
    )
    names = sorted({message.site for message in messages})
    for name in names:
        yield _row(name, [m for m in messages if isinstance(m, Delivery) and m.site == name])
    for site in region.sites:
        if site.name not in names:
            why = "no messages that count: see below" if site.name in doubted else "nothing was delivered"
            yield f"{site.name:<14}{0:>5}  {why}"
    yield from _section(
        "Messages that do not count, and whose numbers are not used",
        (f"{one.site or 'unknown':<14}{one.place}: {one.reason}" for one in heard.refused),
    )
    yield from _section("Deliveries that were due and did not come", (_gap(m) for m in messages if isinstance(m, Gap)))
    yield from _section("To be looked at", (_suspicion(m) for m in messages if isinstance(m, Suspicion)))
    yield from _section("Why records are held back", _held(messages))
    yield from _section(
        "Codes that resources carry",
        (_codes(m) for m in messages if isinstance(m, Coverage) and m.element.endswith(MAIN_CODES)),
    )
    yield ""
    yield "Numbers of records are rounded to tens; fewer than ten are not told. " + ", ".join(
        f"{name}: {titles.get(name, name)}" for name in names
    )


def _row(name: str, deliveries: Sequence[Delivery]) -> str:
    days = sorted({one.day for one in deliveries})
    records = sum(_known(one.records) for one in deliveries)
    shares = [_share([getattr(one, what) for one in deliveries], records) for what in ("mapped", "quarantined")]
    files = [sum(getattr(one, what) for one in deliveries) for what in ("files", "refused_files", "repeated_files")]
    last = days[-1] if days else "-"
    counts = f"{files[0]:>7,}{files[1]:>9,}{files[2]:>9,}{records:>11,}"
    return f"{name:<14}{len(days):>5}  {last:<11}{counts}{shares[0]:>8}{shares[1]:>11}"


def _share(figures: Sequence[int | str], records: int) -> str:
    count = sum(map(_known, figures))
    if not count and UNDER_TEN in figures:
        return "few"
    return f"{round(100 * count / records)} %" if records else "-"


def _known(figure: int | str) -> int:
    return 0 if isinstance(figure, str) else figure


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield ""
    yield f"{title}: {'none' if not found else ''}".rstrip()
    yield from (f"  {line}" for line in found)


def _gap(gap: Gap) -> str:
    return f"{gap.site:<12}{gap.source:<22}{gap.schedule:<10}{_days(gap.days)}"


def _days(days: Sequence[str], most: int = 6) -> str:
    return ", ".join(days[:most]) + (f" and {len(days) - most} more" if len(days) > most else "")


def _suspicion(found: Suspicion) -> str:
    words = WORDS[found.code].format(column=found.column)
    share = f" ({found.percent} % of {'the usual' if 'volume' in found.code else 'them'})" if found.percent else ""
    return f"{found.site:<12}{found.source or 'no source':<22}{found.day}  {words}{share}"


def _held(messages: Sequence[OperationsMessage]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for message in messages:
        if isinstance(message, Held) and counts.setdefault(message.site, 0) < MOST:
            counts[message.site] += 1
            records = "fewer than ten" if message.records == UNDER_TEN else f"{message.records:,}"
            yield f"{message.site:<12}{message.source or 'no source':<22}{message.rule:<36}{records}"


def _codes(found: Coverage) -> str:
    share = "-" if found.percent is None else f"{found.percent} %"
    system = "codes of its own" if found.system == OWN_SYSTEMS else found.system or "no code"
    return f"{found.site:<12}{found.element:<42}{share:>6}  {system}"
