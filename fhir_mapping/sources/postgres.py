"""Rows of a PostgreSQL database as JSON lines, exactly as the server writes them, batch by batch through Arrow.

The server makes each line (``row_to_json``): a numeric keeps its digits (``5.60``, or four hundred of them), times are
ISO 8601 in the region's zone, booleans are ``true`` and ``false``, a NULL is ``null``, JSON stands as JSON. So nothing
is read through a float or a local clock, and a line is the same bytes whenever it is read.

All sources of a connection are read in one transaction, repeatable read and read only: rows of two tables belong
together. Identifiers are quoted here; the one value that is written into a query (the last watermark, which the server
itself gave) must be of a closed set of types and characters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi

from contracts.errors import CloisterError, CredentialError, SourceContractError, SpecError, UsageError
from contracts.region import Database, Source

BATCH_BYTES = 4 << 20
"""About how much of a result is in memory at a time."""

_TIMES = ("timestamp without time zone", "timestamp with time zone", "date")
_NUMBERS = ("smallint", "integer", "bigint", "numeric")
_MARK = re.compile(r"[0-9A-Za-z:+. -]{1,64}")
_KEYWORD = re.compile(
    r"""\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*|))(?=\s|$)""", re.S | re.A
)
_KEYWORDS = re.compile(rf"(?:{_KEYWORD.pattern})*\s*", re.S | re.A)
_TLS_FAULTS = {
    "certificate verify failed": "its certificate is not of the authority in sslrootcert, or not valid today",
    "does not match host name": "its certificate is for another host name",
    "could not get server's host name from server certificate": "its certificate names no host",
    "server does not support SSL": "the server does not offer TLS",
    "root certificate file": "sslrootcert names no certificate file",
    "SSL error": "TLS failed",
}
_SQLSTATES = {"42P01": "no such table", "42703": "no such column", "42501": "no right to read it", "42601": "syntax"}


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes:
        text: JSON object of the source's columns, without line end.
        identity: key and watermark as text.
        is_recent: a later pull will look at it again: its watermark is within the overlap, or there is none.
    """

    text: str
    identity: str
    is_recent: bool


@dataclass(frozen=True)
class Window:
    """What a pull reads.

    Attributes:
        since: watermark from which on; None: all rows.
        until: highest watermark in the snapshot, at least ``since``; None: no watermark column, or no row yet.
        kind: type of the watermark column.
    """

    since: str | None = None
    until: str | None = None
    kind: str | None = None


@contextmanager
def open_snapshot(connection: str, zone: str, tls: str = "required") -> Iterator[dbapi.Connection]:
    """One read-only repeatable-read transaction; ``connection`` is libpq's string, its TLS options included.

    Raises:
        UsageError: the server cannot be reached or refuses.
        CredentialError: the connection goes over a network, and is not asked to prove who the server is, or the server
            does not prove it; or it is not encrypted.
    """
    if tls == "required":
        require_verification(connection, os.environ)
    try:
        opened = dbapi.connect(connection)
    except AdbcError as error:
        raise _no_connection(error) from None
    try:
        _run(opened, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _run(opened, f"SET LOCAL TimeZone TO {_literal(zone)}")
        _run(opened, "SET LOCAL DateStyle TO 'ISO'")
        _run(opened, "SET LOCAL IntervalStyle TO 'iso_8601'")
        require_privacy(*_peer(opened), tls)
        yield opened
    finally:
        opened.rollback()
        opened.close()


def require_verification(connection: str, environment: Mapping[str, str]) -> None:
    """Refuse a remote server that need not prove who it is, before a password is sent to it.

    Args:
        environment: libpq's own variables (``PGHOST``, ``PGSSLMODE`` ...) stand in for what the string leaves out; what
            a service file says counts before them, so beside one ``sslmode`` must be in the string itself.

    Raises:
        CredentialError: a host is remote, or a service file names it, and ``sslmode`` is not ``verify-full``.
    """
    told = connection_options(connection)
    hosts = {
        host
        for name in ("host", "hostaddr")
        for host in (told.get(name) or environment.get(f"PG{name.upper()}", "")).split(",")
    }
    has_service = "service" in told or "PGSERVICE" in environment
    if not has_service and all(_is_local(host) for host in hosts):
        return
    if told.get("sslmode", None if has_service else environment.get("PGSSLMODE")) != "verify-full":
        raise CredentialError(
            "the database is on another host and the connection string does not say sslmode=verify-full. Add it, with "
            'sslrootcert=..., or say tls = "off" in [postgres] where the network is trusted.'
        )


def connection_options(connection: str) -> dict[str, str]:
    """The options of libpq's connection string, in either of its forms; of an option told twice the last.

    Raises:
        CredentialError: it is in neither form.

    Source:
        https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
    """
    if not connection.startswith(("postgresql://", "postgres://")):
        if not _KEYWORDS.fullmatch(connection):
            raise CredentialError("the connection string is not libpq's: neither postgresql://... nor name=value ...")
        pairs = _KEYWORD.findall(connection)
        return {name: re.sub(r"\\(.)", r"\1", quoted or plain) for name, quoted, plain in pairs}
    path, _, query = re.sub(r"^[a-z]+://(?:[^@/]*@)?", "", connection).partition("?")
    places = path.partition("/")[0].split(",")
    hosts = [place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0] for place in places]
    asked = [(unquote(name), unquote(value)) for name, _, value in (pair.partition("=") for pair in query.split("&"))]
    told = [("sslmode", "require") if pair == ("ssl", "true") else pair for pair in asked]
    return {"host": unquote(",".join(hosts)), **dict(told)}


def _is_local(host: str) -> bool:
    """A local socket (libpq's default) or this machine itself."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_privacy(is_encrypted: bool, address: str | None, tls: str) -> None:
    """Raise CredentialError when rows would cross a network in the clear; ``address`` None is a local socket."""
    if is_encrypted or tls == "off" or address is None or ip_address(address.split("/")[0]).is_loopback:
        return
    raise CredentialError(
        "the connection to the database goes over a network and is not encrypted. Add sslmode=verify-full and "
        'sslrootcert=... to the connection string, or say tls = "off" in [postgres] where the network is trusted.'
    )


def window_of(snapshot: dbapi.Connection, source: Source, since: str | None) -> Window:
    """Where this pull of a source begins and ends.

    Raises:
        SourceContractError: the table, or the watermark column, is not there or of a type that does not order rows.
    """
    place = _database(source)
    if place.watermark is None:
        return Window()
    mark, inner = _name(place.watermark), _inner(place)
    kind = _cell(snapshot, source, f"SELECT pg_typeof((SELECT q.{mark} FROM ({inner}) q LIMIT 1))::text")
    if kind not in (*_TIMES, *_NUMBERS):
        raise SourceContractError(
            f"source '{source.name}': watermark {place.watermark!r} is of type {kind}; expected a timestamp, date, "
            "integer or numeric that grows with every change"
        )
    finite = f"isfinite(q.{mark})" if kind in _TIMES else f"q.{mark}::text ~ '^-?[0-9.]+$'"
    highest = f"SELECT max(q.{mark}) FROM ({inner}) q WHERE {finite}"
    known = f"{_mark(since)}::{kind}" if since is not None else f"NULL::{kind}"
    return Window(since, _cell(snapshot, source, f"SELECT greatest(({highest}), {known})::text"), kind)


def read_lines(snapshot: dbapi.Connection, source: Source, window: Window) -> Iterator[Line]:
    """The rows of a window, by watermark and key; those without a watermark come first.

    Raises:
        SourceContractError: the table or a required column is not there.
    """
    query = _query(snapshot, source, window)
    with snapshot.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
        try:
            cursor.execute(query)
            for batch in cursor.fetch_record_batch():
                columns = (batch.column(number).to_pylist() for number in range(3))
                for text, identity, is_recent in zip(*columns, strict=True):
                    yield Line(text, identity, bool(is_recent))
        except AdbcError as error:
            raise _fault(source, error) from None


def _query(snapshot: dbapi.Connection, source: Source, window: Window) -> str:
    place = _database(source)
    known = _columns(snapshot, source)
    chosen = {}
    for column in source.column:
        key = re.split(r"[.\[]", column.path or column.name)[0]
        name = column.header or key
        if name in known:
            chosen[key] = name
        elif column.required:
            raise SourceContractError(
                f"source '{source.name}': {place.table or 'the query'} has no column {name!r}; it has {known}"
            )
    for name in (*place.key, *([place.watermark] if place.watermark else ())):
        if name not in known:
            raise SourceContractError(f"source '{source.name}': key or watermark {name!r} is no column of it")
    fields = ", ".join(f"q.{_name(name)} AS {_name(key)}" for key, name in chosen.items())
    ordered = [*([place.watermark] if place.watermark else ()), *place.key]
    identity = ", ".join(f"q.{_name(name)}::text" for name in ordered) or "''"
    recent, where = _bounds(place, window)
    order = ", ".join(f"q.{_name(name)} NULLS FIRST" for name in ordered)
    return (
        f"SELECT row_to_json((SELECT r FROM (SELECT {fields}) r))::text, concat_ws(E'\\x1f', {identity}), {recent} "
        f"FROM ({_inner(place)}) q WHERE {where}" + (f" ORDER BY {order}" if order else "")
    )


def _bounds(place: Database, window: Window) -> tuple[str, str]:
    """Conditions: the next pull looks at the row again; this pull reads it. What no watermark orders is always read."""
    if place.watermark is None or window.kind is None:
        return "false", "true"
    mark, kind = f"q.{_name(place.watermark)}", window.kind
    unordered = f"{mark} IS NULL"
    if kind in (*_TIMES, "numeric"):
        unordered += f" OR {mark} = '-infinity'::{kind}"
    back = f" - make_interval(secs => {place.overlap})" if kind in _TIMES else f" - {place.overlap}"

    def reaches(text: str | None, otherwise: str) -> str:
        return otherwise if text is None else f"{unordered} OR {mark} >= {_mark(text)}::{kind}{back}"

    return reaches(window.until, unordered), reaches(window.since, "true")


def _columns(snapshot: dbapi.Connection, source: Source) -> list[str]:
    with snapshot.cursor() as cursor:
        try:
            cursor.execute(f"SELECT q.* FROM ({_inner(_database(source))}) q LIMIT 0")
        except AdbcError as error:
            raise _fault(source, error) from None
        names = [str(column[0]) for column in cursor.description or ()]
        cursor.fetchall()
        return names


def _database(source: Source) -> Database:
    if source.postgres is None:
        raise SpecError(f"source '{source.name}' is no PostgreSQL source")
    return source.postgres


def _inner(place: Database) -> str:
    if place.table is not None:
        return "SELECT * FROM " + ".".join(_name(part) for part in place.table.split("."))
    return (place.query or "").strip().removesuffix(";")


def _name(name: str) -> str:
    """An identifier, quoted. Raises SpecError: it cannot be one."""
    if not name or "\x00" in name:
        raise SpecError(f"{name!r} is no name of a table or column")
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _mark(text: str) -> str:
    """A watermark as the server gave it, as a literal. Raises UsageError: the kept state was altered."""
    if not _MARK.fullmatch(text):
        raise UsageError("the kept watermark is none: the state of pulls was altered. Restore it from a backup.")
    return _literal(text)


def _peer(snapshot: dbapi.Connection) -> tuple[bool, str | None]:
    with snapshot.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), "
            "host(inet_server_addr())"
        )
        is_encrypted, address = cursor.fetchone()
        return bool(is_encrypted), address


def _run(snapshot: dbapi.Connection, statement: str) -> None:
    with snapshot.cursor() as cursor:
        cursor.execute(statement)


def _cell(snapshot: dbapi.Connection, source: Source, query: str) -> Any:
    with snapshot.cursor() as cursor:
        try:
            cursor.execute(query)
            return cursor.fetchone()[0]
        except AdbcError as error:
            raise _fault(source, error) from None


def _fault(source: Source, error: AdbcError) -> CloisterError:
    """The server's own words may quote a row: only the state is told."""
    state = _state(error)
    return SourceContractError(
        f"source '{source.name}': the database refused ({state}). Check table or query, columns, key and watermark in "
        "its source file, and the rights of the user."
    )


def _no_connection(error: AdbcError) -> CloisterError:
    """Of libpq's words, which may quote the connection string, only what they mean."""
    for words, meaning in _TLS_FAULTS.items():
        if words in str(error):
            return CredentialError(
                f"no connection to the database: {meaning}. Nothing was sent to it; check sslmode and sslrootcert in "
                "the environment variable, and the server's certificate."
            )
    return UsageError(
        f"no connection to the database ({_state(error)}). Check host, database, user, password and TLS options "
        "in the environment variable; the server's own log says more."
    )


def _state(error: AdbcError) -> str:
    code = error.sqlstate or ""
    return f"SQLSTATE {code}: {_SQLSTATES[code]}" if code in _SQLSTATES else f"SQLSTATE {code or 'none'}"
