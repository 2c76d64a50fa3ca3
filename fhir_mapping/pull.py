"""Pulls: new rows of a site's databases become immutable files in landing; from there on they are files like others.

``landing/<day>/<system>__<entity>.<number>.ndjson``, one JSON object a line. What was pulled is remembered in
``pulls/<system>__<entity>.json`` of the zone: the highest watermark, and keyed hashes of the rows at it and within the
overlap, so that a row that was committed late or shares the watermark is landed once and not lost.

A pull that dies leaves either no file or the file and its remembered state: the new state is written beside first, and
the next pull takes it over when the file it names is there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from contracts.errors import UsageError
from contracts.region import Region, Site, Source
from contracts.zone import SiteZone
from fhir_mapping.identity.key import load_key
from fhir_mapping.sources import postgres
from governance.files import PRIVATE_MODE, make_private, sync_folder, write_private

FOLDER = "pulls"


@dataclass(frozen=True)
class Pulled:
    """What one pull of one source did.

    Attributes:
        rows: new rows; 0 leaves no file.
        seen: rows read that an earlier pull had landed.
        file: path below landing, or None.
    """

    source: str
    rows: int
    seen: int
    file: str | None


@dataclass(frozen=True)
class _State:
    """What is remembered of a source.

    Attributes:
        number: of the last file.
        mark: highest watermark pulled.
        recent: how often each row (hash) within the overlap was landed.
        content: digest of the last file of a source without a watermark, which is pulled whole each time.
        file: the last file, path below landing.
    """

    number: int = 0
    mark: str | None = None
    recent: Mapping[str, int] = field(default_factory=dict)
    content: str | None = None
    file: str | None = None


def database_sources(site: Site) -> list[Source]:
    """The sources of a site that are pulled."""
    return [source for source in site.sources if source.postgres is not None]


def pull_site(
    zone: SiteZone, region: Region, site: Site, environment: Mapping[str, str], day: str | None = None
) -> list[Pulled]:
    """Pull all database sources of a site into landing; sources of one connection in one snapshot.

    Args:
        environment: holds the connection strings.
        day: the day of delivery; default today in the region's zone.

    Raises:
        UsageError: a variable is not set, or a server cannot be reached.
        CredentialError: a connection is not encrypted, or the site has no pseudonym key.
        SourceContractError: a table is not as its source declares.
    """
    day = day or datetime.now(ZoneInfo(region.timezone)).date().isoformat()
    by_connection: dict[tuple[str, str], list[Source]] = {}
    for source in database_sources(site):
        assert source.postgres is not None
        by_connection.setdefault((source.postgres.connection, source.postgres.tls), []).append(source)
    found = []
    for (variable, tls), sources in sorted(by_connection.items()):
        with postgres.open_snapshot(_connection(site, variable, environment), region.timezone, tls) as snapshot:
            found += [_pull(zone, snapshot, source, day) for source in sources]
    return found


def _connection(site: Site, variable: str, environment: Mapping[str, str]) -> str:
    if not environment.get(variable):
        raise UsageError(
            f"site '{site.name}' is pulled from a database, but {variable} is not set: put libpq's connection string "
            "there, such as postgresql://reader@db.example/his?sslmode=verify-full"
        )
    return environment[variable]


def _pull(zone: SiteZone, snapshot: postgres.dbapi.Connection, source: Source, day: str) -> Pulled:
    state = _load(zone, source)
    window = postgres.window_of(snapshot, source, state.mark)
    folder = zone.landing / day
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{source.name}.{state.number + 1:06d}.ndjson"
    part = folder / f".{name}.part"
    writer = _Writer(load_key(zone), Counter(state.recent))
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, PRIVATE_MODE), "wb") as stream:
            for line in postgres.read_lines(snapshot, source, window):
                if writer.is_new(line):
                    stream.write(line.text.encode() + b"\n")
                    writer.content.update(line.text.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        new = replace(state, mark=window.until, recent=dict(writer.recent))
        content = writer.content.hexdigest()
        is_same = window.kind is None and content == state.content
        if writer.rows == 0 or is_same:
            _save(_file(zone, source), new if window.kind else state)
            return Pulled(source.name, 0, writer.seen + (writer.rows if is_same else 0), None)
        placed = replace(new, number=state.number + 1, content=content, file=f"{day}/{name}")
        _place(zone, source, placed, part)
    finally:
        part.unlink(missing_ok=True)
    return Pulled(source.name, writer.rows, writer.seen, placed.file)


class _Writer:
    """Tells new rows from those landed before; keeps the hashes that the next pull needs."""

    def __init__(self, key: bytes, landed: Counter[str]) -> None:
        self.recent: Counter[str] = Counter()
        self.content = hashlib.sha256()
        self.rows = self.seen = 0
        self._key = key
        self._landed = landed

    def is_new(self, line: postgres.Line) -> bool:
        told = f"{line.identity}\x1e{line.text}".encode()
        name = hashlib.blake2b(told, key=self._key, digest_size=16).hexdigest()
        if line.is_recent:
            self.recent[name] += 1
        if self._landed[name] > 0:
            self._landed[name] -= 1
            self.seen += 1
            return False
        self.rows += 1
        return True


def _place(zone: SiteZone, source: Source, state: _State, part: Path) -> None:
    """The file and its state, so that a death between the two is found out."""
    target = zone.landing / (state.file or "")
    waiting = _waiting(zone, source)
    _save(waiting, state)
    os.replace(part, target)
    sync_folder(target.parent)
    os.replace(waiting, _file(zone, source))
    sync_folder(waiting.parent)


def _load(zone: SiteZone, source: Source) -> _State:
    waiting, kept = _waiting(zone, source), _file(zone, source)
    if waiting.is_file():
        told = _read(waiting)
        if told.file is not None and (zone.landing / told.file).is_file():
            os.replace(waiting, kept)
        else:
            waiting.unlink()
    return _read(kept) if kept.is_file() else _State()


def _read(path: Path) -> _State:
    try:
        return _State(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is no state of pulls: restore it from a backup, or remove it to pull all") from error


def _save(path: Path, state: _State) -> None:
    make_private(path.parent)
    write_private(path, json.dumps(state.__dict__, sort_keys=True).encode())


def _file(zone: SiteZone, source: Source) -> Path:
    return zone.root / FOLDER / f"{source.name}.json"


def _waiting(zone: SiteZone, source: Source) -> Path:
    return zone.root / FOLDER / f"{source.name}.next.json"
