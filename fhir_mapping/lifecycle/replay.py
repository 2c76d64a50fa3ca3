"""The quarantine, looked at and emptied: what each rule holds back, and what passes after something was mended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from contracts.errors import DataError, UsageError
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping import bronze
from fhir_mapping.bronze import ingest_day
from fhir_mapping.landing import landing_days
from fhir_mapping.ledger import SiteReport
from fhir_mapping.manifest import read_manifest
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.tables import WHOLE_FILE, ledger_table, quarantine_table
from lake.reader import column_names, partition_values, read_arrow
from lake.tables import drop, exists

_FILE = ("_delivery_date", "source", "file_name")

RecordKey = tuple[str, str, str, int]
"""Day of delivery, source, file name, record number."""


@dataclass(frozen=True)
class Held:
    """Records held back by one rule at one path.

    Attributes:
        source: empty: of no source.
        path: FHIR path or column; empty where the record as a whole is meant.
        records: records; of a refused file, 1.
        files: how many files they are from.
        first_day, last_day: of delivery.
    """

    source: str
    rule: str
    path: str
    records: int
    files: int
    first_day: str
    last_day: str


@dataclass(frozen=True)
class Replayed:
    """What became of the records that one rule of a source held back; a record with several rules counts at each.

    Attributes:
        drained: are mapped, skipped or superseded now.
        remain: are still held back, by this rule or others.
        new: were not held back before.
    """

    source: str
    rule: str
    before: int
    drained: int
    remain: int
    new: int


def list_quarantine(zone: SiteZone) -> list[Held]:
    """What is held back, by source, rule and path; most records first. Never a value.

    Raises:
        UsageError: nothing was mapped yet.
    """
    found: dict[tuple[str, str, str], list[tuple[str, str, int]]] = defaultdict(list)
    for row in _entries(zone):
        for rule, path in dict.fromkeys((entry["rule"], entry["path"]) for entry in row["rules"]):
            place = (row["_delivery_date"], row["file_name"], row["record_no"])
            found[row["source"] or "", rule, path or ""].append(place)
    held = [
        Held(*key, len(set(at)), len({place[:2] for place in at}), min(at)[0], max(at)[0]) for key, at in found.items()
    ]
    return sorted(held, key=lambda one: (-one.records, one.source, one.rule, one.path))


def show_quarantine(
    zone: SiteZone, rule: str, source: str | None = None, *, with_raw: bool = False
) -> Iterator[dict[str, Any]]:
    """The records that a rule holds back, in the order of delivery.

    Yields:
        ``delivery_date``, ``source``, ``file``, ``record`` (None: the whole file), ``rules`` (``rule``, ``path`` each),
        ``spec_digest`` of the mapping that held it back, and, asked for, ``raw``: the record's text.
    """
    digests = {
        (row["delivery_date"], row["file_name"]): row["spec_digest"]
        for row in read_arrow(ledger_table(zone).path, ["delivery_date", "file_name", "spec_digest"]).to_pylist()
    }
    for row in _entries(zone, with_raw):
        if rule not in {entry["rule"] for entry in row["rules"]} or source not in (None, row["source"]):
            continue
        shown = {
            "delivery_date": row["_delivery_date"],
            "source": row["source"],
            "file": row["file_name"],
            "record": None if row["record_no"] == WHOLE_FILE else row["record_no"],
            "rules": row["rules"],
            "spec_digest": digests.get((row["_delivery_date"], row["file_name"])),
        }
        yield {**shown, "raw": row["raw"]} if with_raw else shown


def replay_quarantine(
    spark: SparkSession, zone: SiteZone, region: Region, site: Site
) -> tuple[list[Replayed], SiteReport]:
    """Read and map again the days that have records in quarantine, by the present files, sources, specs and maps.

    A record that passes now leaves the quarantine; nothing else changes but what other mended specs change anyway.

    Raises:
        UsageError: nothing was mapped yet.
        DataError: a source has other columns now, and landing lacks days that were read with the old ones.
        SpecError, PrivacyError: as ``map_day``, ``ingest_day``.
    """
    before = _by_rule(zone)
    there = set(landing_days(zone))
    days = {day for records in before.values() for day, *_ in records} | _reshaped(zone, site, there)
    for day in sorted(days & there):
        ingest_day(zone, site, day)
    map_day(spark, zone, region, site, sorted(days))
    report = build_silver(spark, zone, region, site)
    return _compare(before, _by_rule(zone)), report


def _compare(
    before: dict[tuple[str, str], set[RecordKey]], after: dict[tuple[str, str], set[RecordKey]]
) -> list[Replayed]:
    held, was_held = _all(after), _all(before)
    return [
        Replayed(
            *key,
            before=len(before.get(key, ())),
            drained=len(before.get(key, set()) - held),
            remain=len(before.get(key, set()) & held),
            new=len(after.get(key, set()) - was_held),
        )
        for key in sorted(before.keys() | after.keys())
    ]


def _all(by_rule: dict[tuple[str, str], set[RecordKey]]) -> set[RecordKey]:
    return {record for records in by_rule.values() for record in records}


def _by_rule(zone: SiteZone) -> dict[tuple[str, str], set[RecordKey]]:
    found: dict[tuple[str, str], set[RecordKey]] = defaultdict(set)
    for row in _entries(zone):
        for entry in row["rules"]:
            key = (row["_delivery_date"], row["source"] or "", row["file_name"], row["record_no"])
            found[row["source"] or "", entry["rule"]].add(key)
    return dict(found)


def _entries(zone: SiteZone, with_raw: bool = False) -> Sequence[dict[str, Any]]:
    table = quarantine_table(zone)
    if not exists(table):
        raise UsageError(f"site '{zone.site}' has no quarantine yet: run its job first")
    columns = [*_FILE, "record_no", "rules", *(["raw"] if with_raw else [])]
    rows: list[dict[str, Any]] = read_arrow(table.path, columns).to_pylist()
    return sorted(
        rows, key=lambda row: (row["_delivery_date"], row["source"] or "", row["file_name"], row["record_no"])
    )


def _reshaped(zone: SiteZone, site: Site, there: set[str]) -> set[str]:
    """Days to read again because a source's columns were mended: its bronze table is dropped, all of it is stale."""
    days: set[str] = set()
    for source in site.sources:
        target = bronze.table(zone, source)
        if not exists(target) or column_names(target.path) == target.schema.names:
            continue
        read = set(partition_values(target.path, "_delivery_date"))
        if read - there:
            raise DataError(
                f"source '{source.name}' has other columns now, and landing lacks {len(read - there)} of the days that "
                "were read with the old ones. Bring their files back, or keep the old columns."
            )
        drop(target)
        days |= {entry.delivery_date for entry in read_manifest(zone)} & there
    return days
