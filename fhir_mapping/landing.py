"""What lies in landing: days of delivery, the files of a day, and what each is before its records are read."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import translate
from functools import cache, partial
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from contracts.errors import UsageError
from contracts.region import Site, Source
from contracts.zone import SiteZone
from fhir_mapping.file_names import byte_text, name_text
from fhir_mapping.manifest import ACCEPTED, REFUSED, FileEntry
from fhir_mapping.sources.parallel import in_threads
from fhir_mapping.sources.reader import inspect
from fhir_mapping.sources.record import RecordFile, Refusal

NO_SOURCE = "no_source"
SEVERAL_SOURCES = "several_sources"
COMPRESSED_FILE = "compressed_file"

_SMALL = 1 << 18
"""Bytes up to which a file is held whole while it is looked at."""

_LINE_ENDS = {"\n": "LF", "\r": "CR", None: None}


@dataclass(frozen=True)
class Listed:
    """A file in landing that nobody opened yet.

    Attributes:
        name: path below the day's folder, as the manifest has it.
        source: the one that claims it, or why none does.
    """

    path: str
    name: str
    bytes: int
    source: Source | str


@dataclass(frozen=True)
class Delivered:
    """A file in landing.

    Attributes:
        entry: its manifest row; the counts are still 0.
        file: how to read it; None when refused, or when erasure left nothing of it.
        erased: numbers of the records that erasure took out of it since it came, ascending.
    """

    path: Path
    entry: FileEntry
    file: RecordFile | None
    erased: tuple[int, ...] = ()


def landing_days(zone: SiteZone) -> list[str]:
    """Days of delivery (``YYYY-MM-DD``) that have a folder in landing, ascending."""
    if not zone.landing.is_dir():
        return []
    return sorted(path.name for path in zone.landing.iterdir() if path.is_dir() and _is_day(path.name))


def delivered_files(zone: SiteZone, site: Site, day: str) -> list[Delivered]:
    """All files of a day, by name, those in sub-folders too. Names that begin with a dot are still being delivered.

    Raises:
        UsageError: landing has no such day.
    """
    return look_at(site, day, listed_files(zone, site, day))


def listed_files(zone: SiteZone, site: Site, day: str) -> list[Listed]:
    """What ``delivered_files`` looks at, by name, and raises."""
    folder = zone.landing / day
    if not _is_day(day) or not folder.is_dir():
        raise UsageError(
            f"site '{site.name}': no day of delivery '{day}' in {zone.landing}; expected a folder named YYYY-MM-DD. "
            f"There are {len(landing_days(zone))}."
        )
    start = len(str(folder)) + 1
    found = [(path, name_text(path[start:]), size) for path, size in _files(folder)]
    alike = Counter(name for _, name, _ in found)
    # One name may have been delivered in two encodings: a name stands for one file of a day.
    listed = (
        Listed(path, name if alike[name] == 1 else byte_text(path[start:]), size, claim(site, name))
        for path, name, size in found
    )
    return sorted(listed, key=attrgetter("name"))


def look_at(site: Site, day: str, files: Sequence[Listed]) -> list[Delivered]:
    """What files of a day are, by name."""
    small = [file for file in files if file.bytes <= _SMALL]
    large = [file for file in files if file.bytes > _SMALL]
    # Threads that look at one small file each would only wait for one another.
    found = [look_into(site, day, file, read_whole(file.path)) for file in small]
    found += in_threads(partial(_look, site, day), large)
    return sorted(found, key=lambda delivered: delivered.entry.file_name)


def look_into(site: Site, day: str, listed: Listed, content: bytes | BinaryIO) -> Delivered:
    """What a file of a day with these bytes is."""
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    source = listed.source
    found = Refusal(source) if isinstance(source, str) else inspect(source, stream)
    sha256, size = _sha256_and_size(content)
    entry = _entry(site, day, listed.name, None if isinstance(source, str) else source, found, sha256, size)
    return Delivered(Path(listed.path), entry, None if isinstance(found, Refusal) else found)


def read_whole(path: str) -> bytes:
    """The bytes of a file, by as few calls as may be."""
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def claim(site: Site, file_name: str) -> Source | str:
    """The one source whose patterns match a file name, or why there is none."""
    claims = [source for source in site.sources if _matches(source, file_name)]
    if len(claims) == 1:
        return claims[0]
    if claims:
        return SEVERAL_SOURCES
    stem = file_name.removesuffix(".gz")
    return COMPRESSED_FILE if stem != file_name and isinstance(claim(site, stem), Source) else NO_SOURCE


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and size of each file to look at, in any order; a link that leads to no file is none."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            try:
                about = os.stat(path)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP):
                    raise
            else:
                if stat.S_ISREG(about.st_mode) and not name.startswith("."):
                    yield path, about.st_size


def _look(site: Site, day: str, file: Listed) -> Delivered:
    with open(file.path, "rb") as stream:
        return look_into(site, day, file, stream)


def _entry(
    site: Site, day: str, name: str, source: Source | None, found: RecordFile | Refusal, sha256: str, size: int
) -> FileEntry:
    identity = "|".join((site.name, source.name if source else "", sha256))
    return FileEntry(
        delivery_date=day,
        site=site.name,
        source=source.name if source else None,
        file_name=name,
        file_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        sha256=sha256,
        bytes=size,
        declared_encoding=source.encoding if source else None,
        detected_encoding=found.encoding.label if found.encoding else None,
        records=0,
        lines=0,
        header_lines=0,
        blank_lines=0,
        is_duplicate=False,
        status=REFUSED if isinstance(found, Refusal) else ACCEPTED,
        reason=found.reason if isinstance(found, Refusal) else None,
        line_end=None if isinstance(found, Refusal) else _LINE_ENDS[found.newline],
    )


def _sha256_and_size(content: bytes | BinaryIO) -> tuple[str, int]:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest(), len(content)
    content.seek(0)
    digest, size = hashlib.sha256(), 0
    while part := content.read(_SMALL):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


def _matches(source: Source, file_name: str) -> bool:
    return _pattern(tuple(source.files)).match(file_name) is not None


@cache
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """What matches a name that one of the shell patterns matches."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False
