"""The suppression list put into force where files come in: what an erased person's records are cut out of landing.

Everything works from the list's hashes, so it can be repeated, after a crash too, by who does not know the person.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.errors import DataError
from contracts.region import Site
from contracts.zone import SiteZone
from fhir_mapping.file_names import name_text
from fhir_mapping.landing import Delivered, claim, delivered_files, landing_days
from fhir_mapping.lifecycle import marker
from fhir_mapping.lifecycle.erased import (
    Erasure,
    as_delivered,
    numbers_as_delivered,
    read_erasures,
    record_erasures,
)
from fhir_mapping.lifecycle.links import SourceLinks, find_listed, mentions, source_links, token_hashes
from fhir_mapping.lifecycle.scrub import cut_records
from fhir_mapping.manifest import read_manifest
from fhir_mapping.sources.record import Block
from fhir_mapping.spec.model import load_emits
from governance.files import write_durable
from governance.suppression import LINK, PERSON, Suppression, add_suppressed, load_suppression
from lake.reader import column_names, partition_values, read_arrow

ERASED = "erased"
_NAME_PART = re.compile(r"[^_.\-/\s]+")
_TOO_MANY = 3
"""A visit that records give to so many people is none (a filler such as 0): it leads from one to no other."""

_LINEAGE = ("_delivery_date", "_file_id", "_file_name", "_record_no", "_raw", "_error")

Rows = Iterator[tuple[SourceLinks, pa.RecordBatch]]


def site_links(site: Site) -> dict[str, SourceLinks]:
    """The keys each source of a site names, by its specs.

    Raises:
        SpecError: a spec is wrong.
    """
    emits = load_emits(site.folder.parents[1], site.folder, {source.name for source in site.sources})
    return {source.name: source_links(source, emits) for source in site.sources}


def enforce_on_day(zone: SiteZone, site: Site, day: str) -> None:
    """Cut the records of people on the list out of a day's files.

    Raises:
        UsageError: landing has no such day.
        PrivacyError: what the day's files tell makes records of other days an erased person's; run the erasure again.
        DataError: a file cannot be cut.
    """
    suppression = load_suppression(zone)
    if not suppression:
        return
    links = site_links(site)
    found = _as_delivered(zone, delivered_files(zone, site, day))
    grown = follow_links(zone, suppression, lambda: landing_rows(found, links))
    if grown != suppression and _stands_elsewhere(zone, site, day, links, grown):
        marker.begin(zone, "erasure")
        marker.require_finished(zone)
    cut_files(zone, site, found, links, grown)


def follow_links(zone: SiteZone, suppression: Suppression, rows: Callable[[], Rows]) -> Suppression:
    """Put on the list what listed records name, until no record adds any; gives the list.

    That is visits and the like, and other numbers of the same person.

    Args:
        rows: gives the records to look at, anew at each call.
    """
    fillers: set[str] = set()
    while True:
        people: dict[str, tuple[str, ...]] = {}
        new: dict[str, tuple[str, ...]] = {}
        for links, batch in rows():
            found = find_listed(links, batch, suppression)
            people |= found.new_people(suppression)
            new |= found.new_links(suppression)
        new = {link: values for link, values in new.items() if link not in fillers}
        fillers |= _fillers(frozenset(new), suppression, rows()) if new else set()
        add = {(PERSON, person) for person in people} | {(LINK, link) for link in new if link not in fillers}
        if not add:
            return suppression
        for key, values in (people | new).items():
            add |= token_hashes(suppression, values) if key not in fillers else set()
        suppression = add_suppressed(zone, add)


def _fillers(links: frozenset[str], suppression: Suppression, rows: Rows) -> set[str]:
    """Links that records give to so many people that they are nobody's."""
    people: dict[str, set[str]] = {}
    for found, batch in rows:
        for link, named in find_listed(found, batch, suppression).people_of(links).items():
            people.setdefault(link, set()).update(named)
    return {link for link, named in people.items() if len(named) >= _TOO_MANY}


def landing_rows(files: Iterable[Delivered], links: Mapping[str, SourceLinks]) -> Rows:
    """The records of delivered files, block by block, as bronze rows."""
    for delivered in files:
        if delivered.file is None or delivered.entry.source is None:
            continue
        first = 0
        with delivered.path.open("rb") as stream:
            for block in delivered.file.blocks(stream):
                if len(block):
                    yield links[delivered.entry.source], _bronze_batch(delivered, block, first)
                first += len(block)


def bronze_rows(zone: SiteZone, links: Mapping[str, SourceLinks], days: Iterable[str] | None = None) -> Rows:
    """The records in bronze, day by day; those columns only that say whose they are."""
    for name, found in links.items():
        path = zone.table(f"bronze_{name}")
        if not (path / "_delta_log").is_dir():
            continue
        there = set(column_names(path))
        wanted = [column for column in (*_LINEAGE, *found.columns) if column in there]
        absent = [column for column in found.columns if column not in there]
        for day in partition_values(path, "_delivery_date") if days is None else days:
            for batch in read_arrow(path, list(dict.fromkeys(wanted)), {"_delivery_date": [day]}).to_batches():
                for column in absent:
                    batch = batch.append_column(column, pa.nulls(batch.num_rows, pa.string()))
                yield found, batch


def cut_files(
    zone: SiteZone, site: Site, files: Iterable[Delivered], links: Mapping[str, SourceLinks], suppression: Suppression
) -> list[Delivered]:
    """Cut what the list names out of files in landing; those that were changed, as they were."""
    return [delivered for delivered in files if _cut_file(zone, site, delivered, links, suppression)]


def _cut_file(
    zone: SiteZone, site: Site, delivered: Delivered, links: Mapping[str, SourceLinks], suppression: Suppression
) -> bool:
    entry = delivered.entry
    source = site.source(entry.source) if entry.source is not None and delivered.file is not None else None
    numbers: list[int] = []
    first = 0
    for found, batch in landing_rows([delivered], links):
        listed = np.flatnonzero(find_listed(found, batch, suppression).is_listed)
        numbers += [first + int(number) for number in listed]
        first += batch.num_rows
    content = delivered.path.read_bytes()
    left = content
    if source and numbers:
        left, numbers = cut_records(source, content, numbers)
        _require_silence(left, source.name, suppression)
    if delivered.file is None and content:
        left = cut_unread(content, entry.source is not None, suppression)
    if left == content:
        return False
    gone = set(delivered.erased).union(n for at in numbers for n in numbers_as_delivered(delivered.erased, at, 1))
    target = _target(delivered, site, suppression)
    is_renamed = target != delivered.path
    name = (
        name_text(target.relative_to(zone.landing / entry.delivery_date).as_posix()) if is_renamed else entry.file_name
    )
    # The table first: until the file is replaced its old digest finds no entry, and the cut is made again.
    record_erasures(
        zone,
        [
            Erasure(
                delivery_date=entry.delivery_date,
                file_name=name,
                source=entry.source,
                file_id=entry.file_id,
                sha256_before=entry.sha256,
                bytes_before=entry.bytes,
                sha256_after=hashlib.sha256(left).hexdigest(),
                record_nos=tuple(sorted(int(number) for number in gone)),
            )
        ],
    )
    write_durable(target, left, delivered.path.stat().st_mode & 0o777)
    if is_renamed:
        delivered.path.unlink()
    return True


def _require_silence(content: bytes, source: str, suppression: Suppression) -> None:
    """A workbook has other sheets, comments and caches, in which nobody can tell whose a row is."""
    if content.startswith(b"PK") and any(mentions(text, suppression) for text in _texts(content)):
        raise DataError(
            f"a workbook of source '{source}' tells of the person outside its sheet of records. Take that out, or the "
            "file out of landing, then erase again."
        )


def cut_unread(content: bytes, has_lines: bool, suppression: Suppression) -> bytes:
    """A file that no reader takes: as it is, unless it mentions a person on the list.

    Then it loses the lines that do where it is a source's file of lines, which was refused; else all of it: what else a
    letter or a packed file says of the person nobody can tell.
    """
    if not any(mentions(text, suppression) for text in _texts(content)):
        return content
    if not has_lines or b"\0" in content or content.startswith((b"\x1f\x8b", b"PK")):
        return b""
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if not any(mentions(text, suppression) for text in _texts(line)))


def safe_name(name: str, suppression: Suppression) -> str:
    """A file's name without the key values of people on the list that stand in it."""
    return _NAME_PART.sub(lambda part: ERASED if mentions(part.group(), suppression) else part.group(), name)


def _target(delivered: Delivered, site: Site, suppression: Suppression) -> Path:
    """Where the file goes: its own place, or another where its name tells of the person, of the same source."""
    told = name_text(delivered.path.name)
    name = safe_name(told, suppression)
    if name == told:
        return delivered.path
    folder = Path(delivered.entry.file_name).parent
    mark = delivered.entry.sha256[:12]
    source = site.source(delivered.entry.source) if delivered.entry.source else None
    patterns = [pattern.replace("*", f"{ERASED}-{mark}") for pattern in source.files] if source else []
    for candidate in (f"{Path(name).stem}-{mark}{Path(name).suffix}", *patterns):
        if source is None or claim(site, (folder / candidate).as_posix()) == source:
            return delivered.path.with_name(Path(candidate).name)
    raise DataError(
        f"the name of a file of source '{source.name if source else ''}' tells of the person, and no other name would "
        "be that source's. Rename it, then erase again."
    )


def _stands_elsewhere(
    zone: SiteZone, site: Site, day: str, links: Mapping[str, SourceLinks], suppression: Suppression
) -> bool:
    """Whether another day has records of people on the list."""
    for other in landing_days(zone):
        files = _as_delivered(zone, delivered_files(zone, site, other)) if other != day else []
        if any(find_listed(found, batch, suppression).is_listed.any() for found, batch in landing_rows(files, links)):
            return True
    ingested = [entry.delivery_date for entry in read_manifest(zone) if entry.delivery_date != day]
    rows = bronze_rows(zone, links, sorted(set(ingested)))
    return any(find_listed(found, batch, suppression).is_listed.any() for found, batch in rows)


def _as_delivered(zone: SiteZone, files: Iterable[Delivered]) -> list[Delivered]:
    erasures = read_erasures(zone)
    return [as_delivered(delivered, erasures) for delivered in files]


def _bronze_batch(delivered: Delivered, block: Block, first: int) -> pa.RecordBatch:
    entry, count = delivered.entry, len(block)
    columns = {
        "_delivery_date": pa.repeat(entry.delivery_date, count),
        "_file_id": pa.repeat(entry.file_id, count),
        "_file_name": pa.repeat(entry.file_name, count),
        "_record_no": pa.array(numbers_as_delivered(delivered.erased, first, count)),
        "_raw": block.raw,
        "_error": block.error,
        **block.values,
    }
    return pa.RecordBatch.from_pydict(columns)


def _texts(content: bytes) -> Iterator[str]:
    """What the bytes may say: as text in the encodings that sources use, unpacked where they are packed."""
    if content.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):
            content = gzip.decompress(content)
    elif content.startswith(b"PK"):
        with (
            suppress(zipfile.BadZipFile, OSError, zlib.error, RuntimeError),
            zipfile.ZipFile(io.BytesIO(content)) as packed,
        ):
            content = b"\n".join(packed.read(name) for name in packed.namelist())
    for codec in ("utf-8", "gb18030", *(("utf-16-le", "utf-16-be") if b"\0" in content else ())):
        yield content.decode(codec, "replace")
