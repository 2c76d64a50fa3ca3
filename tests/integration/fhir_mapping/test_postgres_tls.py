"""Pulls over TLS: a real handshake and libpq's own verification, before a real PostgreSQL; all faults fail closed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from adbc_driver_postgresql import dbapi
from postgres_server import programs, serve_postgres
from small_site import ENCOUNTER, new_zone, write_region
from tls_front import Authority, serve_tls

from contracts.errors import CloisterError, CredentialError, UsageError
from contracts.region import Region, load_region
from contracts.zone import SiteZone
from fhir_mapping.pull import pull_site
from fhir_mapping.sources.postgres import connection_options, require_verification

HOST = "db.hospital.example"
PASSWORD = "geheim-4711"
SOURCE = """
system = "his"
entity = "visit"
format = "postgres"
[postgres]
connection = "HIS"
table = "visit"
{more}
[[column]]
name = "visit_no"
"""

needs_server = pytest.mark.skipif(
    programs() is None, reason="needs a PostgreSQL server: the wheel of the tests' extras"
)


@pytest.fixture(scope="module")
def database() -> Iterator[Path]:
    """The local socket of a server with one visit."""
    with serve_postgres() as connection:
        with dbapi.connect(connection, autocommit=True) as opened, opened.cursor() as cursor:
            cursor.execute("CREATE TABLE visit AS SELECT 'V1' AS visit_no")
        yield Path(connection.partition("host=")[2]) / ".s.PGSQL.5432"


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


def hospital(folder: Path, more: str = "") -> tuple[Region, SiteZone]:
    write_region(folder / "region", {"encounter": ENCOUNTER}, ["visit_no"])
    source = folder / "region" / "sites" / "north" / "sources" / "visit.toml"
    source.write_text(SOURCE.format(more=more), encoding="utf-8")
    return load_region(folder / "region"), new_zone(folder / "zone")


def dsn(port: int, options: str, host: str = HOST) -> str:
    return f"postgresql://postgres:{PASSWORD}@{host}:{port}/postgres?hostaddr=127.0.0.1&{options}"


def verified(root: Path) -> str:
    return f"sslmode=verify-full&sslrootcert={root}"


def refused(folder: Path, connection: str, more: str = "") -> CloisterError:
    """The error of a pull, of which nothing is left."""
    region, zone = hospital(folder, more)
    with pytest.raises(CloisterError) as caught:
        pull_site(zone, region, region.site("north"), {"HIS": connection})
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert not list(zone.landing.rglob("*.ndjson"))
    assert PASSWORD not in str(caught.value) and not holds_password(folder)
    return caught.value


def holds_password(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


@needs_server
def test_a_server_that_proves_who_it_is_is_pulled(database: Path, ours: Authority, tmp_path: Path) -> None:
    region, zone = hospital(tmp_path)
    with serve_tls(database, ours.context(HOST)) as (port, clear):
        (found,) = pull_site(zone, region, region.site("north"), {"HIS": dsn(port, verified(ours.root))})
    assert found.rows == 1 and clear == []
    assert holds_password(tmp_path) == []


@needs_server
def test_a_server_that_does_not_is_refused_with_the_reason(database: Path, ours: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    with serve_tls(database, ours.context(HOST)) as (port, _):
        foreign = refused(tmp_path, dsn(port, verified(other.root)))
        unnamed = refused(tmp_path, dsn(port, verified(ours.root), "another.example"))
        rootless = refused(tmp_path, dsn(port, verified(tmp_path / "none.crt")))
    assert "not of the authority in sslrootcert" in str(foreign)
    assert "for another host name" in str(unnamed)
    assert "names no certificate file" in str(rootless)
    assert {type(one) for one in (foreign, unnamed, rootless)} == {CredentialError}


@needs_server
def test_a_server_without_tls_gets_nothing(database: Path, ours: Authority, tmp_path: Path) -> None:
    with serve_tls(database, None) as (port, clear):
        assert "does not offer TLS" in str(refused(tmp_path, dsn(port, verified(ours.root))))
        assert "sslmode=verify-full" in str(refused(tmp_path, dsn(port, "sslmode=prefer")))
        assert not any(clear)
        region, zone = hospital(tmp_path, 'tls = "off"')
        assert pull_site(zone, region, region.site("north"), {"HIS": dsn(port, "sslmode=disable")})[0].rows == 1
        assert any(clear)


@needs_server
def test_a_server_that_speaks_an_old_tls_is_refused(database: Path, ours: Authority, tmp_path: Path) -> None:
    context = ours.context(HOST)
    context.set_ciphers("AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serve_tls(database, context) as (port, _):
        found = refused(tmp_path, dsn(port, verified(ours.root) + "&ssl_min_protocol_version=TLSv1.3"))
    assert isinstance(found, CredentialError | UsageError)


@pytest.mark.parametrize(
    "connection",
    [
        "",
        "dbname=his user=reader",
        "host=/var/run/postgresql password='a host=far.example'",
        "postgresql:///his",
        "postgresql://reader:secret%40db.example@localhost:5432/his",
        "postgresql://[::1]/his",
        "host=127.0.0.1,localhost",
        "host=db.example sslmode = 'verify-full' sslrootcert=ca.crt",
        "postgres://reader@db.example/his?sslmode=verify-full",
    ],
)
def test_a_local_server_and_one_that_is_verified_may_be_asked(connection: str) -> None:
    require_verification(connection, {})


@pytest.mark.parametrize(
    "connection",
    [
        "host=db.example",
        "host=db.example sslmode=require",
        "host=db.example sslmode=verify-full sslmode=prefer",
        "hostaddr=10.0.0.1",
        "host=localhost hostaddr=10.0.0.1",
        "host=localhost,db.example",
        r"host=d\b.example",
        "service=his",
        "postgresql://reader@db.example/his",
        "postgresql://reader@db.example/his?ssl=true",
        "postgresql://reader@/his?host=db.example",
        "postgresql://localhost,db.example:5433/his",
        "postgresql://[2001:db8::1]/his?sslmode=verify-ca",
        "postgresql://localhost?x@db.example/his",
        "postgresql://db.example/his?sslmode=verify-full&ssl=true",
        "postgresql:///his?h%6Fst=db.example",
        "postgresql://db.example/his?sslmode=verify-full&sslmod%65=disable",
        "host=db.example password=a\u3000sslmode=verify-full",
        "nonsense",
        "host='db.example",
    ],
)
def test_another_host_that_need_not_prove_who_it_is_is_refused(connection: str) -> None:
    with pytest.raises(CredentialError) as caught:
        require_verification(connection, {})
    assert "example" not in str(caught.value)


def test_what_the_string_leaves_out_libpq_takes_from_its_variables() -> None:
    for name in ("PGHOST", "PGHOSTADDR"):
        with pytest.raises(CredentialError):
            require_verification("dbname=his", {name: "10.0.0.1"})
        require_verification("dbname=his", {name: "10.0.0.1", "PGSSLMODE": "verify-full"})
    with pytest.raises(CredentialError):
        require_verification("", {"PGSERVICE": "his"})


def test_a_service_file_goes_before_libpqs_variables() -> None:
    for connection, service in (("service=his", {}), ("", {"PGSERVICE": "his"})):
        with pytest.raises(CredentialError):
            require_verification(connection, {**service, "PGSSLMODE": "verify-full"})
        require_verification(f"{connection} sslmode=verify-full", service)


def test_options_are_read_as_libpq_reads_them() -> None:
    assert connection_options(r"password = 'it\'s' host=a\ b") == {"password": "it's", "host": "a b"}
    assert connection_options("postgresql://u:p%2F@h%31.example:1/d?sslmode=verify%2Dfull") == {
        "host": "h1.example",
        "sslmode": "verify-full",
    }
