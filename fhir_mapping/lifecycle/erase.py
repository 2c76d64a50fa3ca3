"""Erasing a person: onto the suppression list, out of landing, out of every table.

Steps that each can be repeated, so that an erasure that died goes on from what is there: name the person (hashes on
the list), follow what is theirs, cut landing, make bronze, mapped, silver again. Forgetting old versions of tables,
features and logs are the caller's last steps (``pipelines.erasure``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from contracts.errors import DataError, UsageError
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping import bronze
from fhir_mapping.bronze import ingest_day
from fhir_mapping.identity.ids import resource_id
from fhir_mapping.landing import Delivered, delivered_files, landing_days
from fhir_mapping.ledger import SiteReport
from fhir_mapping.lifecycle.enforcement import (
    bronze_rows,
    cut_files,
    follow_links,
    landing_rows,
    safe_name,
    site_links,
)
from fhir_mapping.lifecycle.erased import Erasure, as_delivered, read_erasures, record_erasures
from fhir_mapping.lifecycle.feed import cut_feed
from fhir_mapping.lifecycle.links import KeyUse, SourceLinks, find_listed, person_hashes
from fhir_mapping.manifest import FileEntry, read_manifest, record_day
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from fhir_mapping.spec.text import fold
from fhir_mapping.tables import mapped_paths
from governance.suppression import Suppression, add_suppressed, load_suppression, open_suppression
from lake.reader import read_arrow
from lake.tables import exists, write_arrow

SEPARATOR = "|"
"""Between the parts of a person's key, where it has several."""


@dataclass(frozen=True)
class Person:
    """A person as a site's sources know them.

    Attributes:
        uses: the ways in which the sources write the key.
        values: the key's parts.
    """

    uses: tuple[KeyUse, ...]
    values: tuple[str, ...]

    def ids(self, key: bytes, site: str) -> set[str]:
        """The person's pseudonymous ids."""
        prepared = [fold(value) for value in self.values]
        return {resource_id(key, site, use.resource, use.identity, prepared) for use in self.uses}


@dataclass(frozen=True)
class Cut:
    """What was taken out, in all erasures of the site so far.

    Attributes:
        files, records: so many records of so many files.
        days: days of delivery whose records have to be mapped again.
    """

    files: int
    records: int
    days: tuple[str, ...]


def find_people(site: Site, names: Iterable[str], identity: str | None = None) -> list[Person]:
    """People by their key values, nothing looked up yet.

    Args:
        names: a value of the Patient's business key each; parts joined by ``|``.
        identity: which of the site's Patient keys it is: the specs' ``identity``, or a column of the key. May be left
            out where the site has one.

    Raises:
        UsageError: the site knows no such key, or several and none was chosen, or a value does not fit it.
        SpecError: a spec is wrong.
    """
    uses = list(dict.fromkeys(use for links in site_links(site).values() for use in links.people))
    known = sorted({use.identity for use in uses})
    wanted = {use.identity for use in uses if identity is None or identity == use.identity or identity in _columns(use)}
    chosen = [use for use in uses if use.identity in wanted]
    if len(wanted) != 1:
        words = f"knows people by {', '.join(known) or 'no key'}"
        none = f"; '{identity}' is none of these" if identity else ""
        raise UsageError(f"site '{site.name}' {words}{none}: give --identity, one of them or a column of its key")
    widths = {len(use.parts) for use in chosen}
    people = [Person(tuple(chosen), tuple(name.split(SEPARATOR) if widths != {1} else [name])) for name in names]
    wrong = sum(len(person.values) not in widths or not all(map(fold, person.values)) for person in people)
    if wrong:
        raise UsageError(
            f"{wrong} of {len(people)} values are no key of a person at site '{site.name}': expected "
            f"{' or '.join(map(str, sorted(widths)))} parts, joined by '{SEPARATOR}', none of them empty"
        )
    return people


def name_people(zone: SiteZone, people: Iterable[Person]) -> None:
    """Put people on the suppression list, durably."""
    suppression = open_suppression(zone)
    hashes = [person_hashes(person.uses, suppression, person.values) for person in people]
    add_suppressed(zone, set().union(*hashes))


def cut_listed(zone: SiteZone, site: Site) -> Cut:
    """Take the records of all people on the list out of landing and bronze. Safe to repeat.

    Raises:
        UsageError: a listener runs.
        DataError: a file cannot be cut, or there is a bronze table of a source that the site no longer has.
    """
    _require_known_tables(zone, site)
    links, days = site_links(site), landing_days(zone)
    files = [delivered for day in days for delivered in _files(zone, site, day)]
    suppression = follow_links(zone, load_suppression(zone), lambda: _all_rows(zone, files, links))
    cut_feed(zone, suppression)
    changed = {delivered.entry.delivery_date for delivered in cut_files(zone, site, files, links, suppression)}
    for day in sorted(_listed_days(zone, links, suppression) | changed):
        if day in days:
            ingest_day(zone, site, day)
        else:
            _cut_bronze(zone, site, links, suppression, day)
    counts = read_erasures(zone).counts()
    return Cut(len(counts), sum(counts.values()), tuple(sorted(_stale_days(zone, site))))


def remake(spark: SparkSession, zone: SiteZone, region: Region, site: Site, days: Sequence[str]) -> SiteReport | None:
    """Mapped tables of these days, then silver, quarantine and ledger; None where nothing was ingested yet."""
    if not read_manifest(zone):
        return None
    map_day(spark, zone, region, site, days)
    return build_silver(spark, zone, region, site)


def _columns(use: KeyUse) -> set[str]:
    return {part.column for part in use.parts}


def _files(zone: SiteZone, site: Site, day: str) -> list[Delivered]:
    erasures = read_erasures(zone)
    return [as_delivered(delivered, erasures) for delivered in delivered_files(zone, site, day)]


def _all_rows(
    zone: SiteZone, files: Sequence[Delivered], links: dict[str, SourceLinks]
) -> Iterator[tuple[SourceLinks, pa.RecordBatch]]:
    yield from landing_rows(files, links)
    yield from bronze_rows(zone, links)


def _listed_days(zone: SiteZone, links: dict[str, SourceLinks], suppression: Suppression) -> set[str]:
    """Days with records in bronze that the list names, or with a file whose name tells of a person on it."""
    days = {e.delivery_date for e in read_manifest(zone) if safe_name(e.file_name, suppression) != e.file_name}
    for found, batch in bronze_rows(zone, links):
        listed = pa.array(find_listed(found, batch, suppression).is_listed)
        days |= set(batch.column("_delivery_date").filter(listed).unique().to_pylist())
    return days


def _stale_days(zone: SiteZone, site: Site) -> set[str]:
    """Days whose mapped rows are not those of bronze any more, told by the rows of each file."""
    days: set[str] = set()
    for source in site.sources:
        bronze_files = _rows_by_file([zone.table(f"bronze_{source.name}")])
        mapped_files = _rows_by_file(mapped_paths(zone, source.name))
        days |= {day for (day, _), _ in bronze_files.items() ^ mapped_files.items()}
    return days


def _rows_by_file(paths: Iterable[Path]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for path in paths:
        if (path / "_delta_log").is_dir():
            rows = read_arrow(path, ["_delivery_date", "_file_name"])
            for row in rows.group_by(["_delivery_date", "_file_name"]).aggregate([([], "count_all")]).to_pylist():
                counts[row["_delivery_date"], row["_file_name"]] += row["count_all"]
    return counts


def _cut_bronze(zone: SiteZone, site: Site, links: dict[str, SourceLinks], suppression: Suppression, day: str) -> None:
    """What ``cut_files`` and an ingest do, for a day whose files are no longer in landing."""
    entries = {entry.file_name: entry for entry in read_manifest(zone) if entry.delivery_date == day}
    names = {name: safe_name(name, suppression) for name in entries}
    for source in site.sources:
        target = bronze.table(zone, source)
        if not exists(target):
            continue
        rows = read_arrow(target.path, None, {"_delivery_date": [day]})
        listed = [find_listed(links[source.name], batch, suppression).is_listed for batch in rows.to_batches()]
        is_listed = pa.array(np.concatenate(listed) if listed else np.zeros(0, dtype=bool))
        record_erasures(zone, _erasures(zone, entries, rows.filter(is_listed), names))
        left = rows.filter(pc.invert(is_listed))
        renamed = pa.array([names.get(name, name) for name in left["_file_name"].to_pylist()], pa.string())
        left = left.set_column(left.column_names.index("_file_name"), "_file_name", renamed)
        if left != rows:
            write_arrow(left, target, where={"_delivery_date": [day]})
    record_day(zone, day, [entry._replace(file_name=names[name]) for name, entry in entries.items()])


def _erasures(
    zone: SiteZone, entries: dict[str, FileEntry], gone: pa.Table, names: dict[str, str]
) -> Iterator[Erasure]:
    known = read_erasures(zone)
    for row in gone.group_by("_file_name").aggregate([("_record_no", "list")]).to_pylist():
        entry = entries[row["_file_name"]]
        before = known.of_file(entry.delivery_date, entry.file_name, entry.file_id)
        numbers = {*row["_record_no_list"], *(before.record_nos if before else ())}
        yield Erasure(
            delivery_date=entry.delivery_date,
            file_name=names[entry.file_name],
            source=entry.source,
            file_id=entry.file_id,
            sha256_before=entry.sha256,
            bytes_before=entry.bytes,
            sha256_after=None,
            record_nos=tuple(sorted(numbers)),
        )


def _require_known_tables(zone: SiteZone, site: Site) -> None:
    """Nobody can say whose records a table holds whose source and specs are gone."""
    known = {f"bronze_{source.name}" for source in site.sources}
    known |= {path.name for source in site.sources for path in mapped_paths(zone, source.name)}
    tables = {path.name for layer in ("bronze_*", "mapped_*") for path in zone.lake.glob(layer) if path.is_dir()}
    if strange := sorted(tables - known):
        raise DataError(
            f"site '{site.name}' has tables of sources that its folder no longer names: {', '.join(strange)}. "
            "Remove these tables, or bring their sources back, then erase again."
        )
