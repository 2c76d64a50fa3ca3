"""Pulls from a real PostgreSQL: exact values, increments without loss, one snapshot, bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi
from postgres_server import programs, serve_postgres
from pyspark.sql import SparkSession
from small_site import ENCOUNTER, new_zone, resources, run, write_region

from contracts.errors import CredentialError, SourceContractError, SpecError, UsageError
from contracts.region import Region, Source, load_region
from contracts.zone import SiteZone
from fhir_mapping.pull import Pulled, pull_site
from fhir_mapping.sources.postgres import open_snapshot, read_lines, require_privacy, window_of

pytestmark = pytest.mark.skipif(programs() is None, reason="needs a PostgreSQL server: the wheel of the tests' extras")

DAY = "2026-03-02"
TABLE_OF_TYPES = """
CREATE TABLE "odd ""table" (
  "病人编号" text, n numeric, small smallint, big bigint, f8 float8, at timestamp, zoned timestamptz, d date, b boolean,
  j json, jb jsonb, raw bytea, list int[], span interval, nothing text, words text
)
"""
ROWS_OF_TYPES = """
INSERT INTO "odd ""table" VALUES (
  'P1', 5.60, -3, 9223372036854775807, 0.1, '2024-03-01 08:05:00.120', '2024-03-01 08:05:00+00', '2024-02-29', true,
  '{"a": 1.0}', '{"a":  1.0}', '\\xff00', '{1,2}', '1 day 2 hours', NULL, E'line\\nbreak "quoted" \\\\ 中文'
), ('P2', 1e400, 0, 0, 'NaN', 'infinity', '0044-03-15 00:00:00+00 BC', '-infinity', false, 'null',
  'null', '', '{}', '0', '', '')
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_postgres() as connection:
        yield connection


@pytest.fixture
def execute(server: str) -> Iterator[Callable[[str], None]]:
    """Run SQL and commit; the schema ``public`` is empty at first."""
    with dbapi.connect(server, autocommit=True) as connection:

        def run_sql(sql: str) -> None:
            with connection.cursor() as cursor:
                cursor.execute(sql)

        run_sql("DROP SCHEMA public CASCADE")
        run_sql("CREATE SCHEMA public")
        yield run_sql


def source(columns: list[dict[str, Any]] | list[str], **postgres: Any) -> Source:
    declared = [column if isinstance(column, dict) else {"name": column} for column in columns]
    body = {"connection": "HIS", "table": "visit", **postgres}
    return Source.model_validate(
        {"system": "his", "entity": "visit", "format": "postgres", "column": declared, "postgres": body}
    )


def lines(server: str, one: Source, zone: str = "Asia/Shanghai") -> list[dict[str, Any]]:
    with open_snapshot(server, zone) as snapshot:
        window = window_of(snapshot, one, None)
        return [json.loads(line.text, parse_float=str, parse_int=str) for line in read_lines(snapshot, one, window)]


SOURCE = """
system = "his"
entity = "visit"
format = "postgres"
[postgres]
connection = "HIS"
table = "visit"
key = ["visit_no"]
watermark = "updated_at"
"""
VISIT = (
    "CREATE TABLE visit (visit_no text, patient_no text, visit_type text, visit_time timestamp, dept text, "
    "complaint text, cancelled text, updated_at timestamp)"
)


def hospital(folder: Path, more: str = "") -> tuple[Region, SiteZone]:
    columns = ("visit_no", "patient_no", "visit_type", "visit_time", "dept", "complaint", "cancelled", "updated_at")
    write_region(folder / "region", {"encounter": ENCOUNTER}, columns)
    declared = "".join(f'[[column]]\nname = "{name}"\n' for name in columns)
    path = folder / "region" / "sites" / "north" / "sources" / "visit.toml"
    path.write_text(SOURCE + more + declared, encoding="utf-8")
    return load_region(folder / "region"), new_zone(folder / "zone")


def pull(server: str, region: Region, zone: SiteZone, day: str = DAY) -> Pulled:
    (found,) = pull_site(zone, region, region.site("north"), {"HIS": server}, day)
    return found


def landed(zone: SiteZone) -> list[str]:
    """Visit numbers in landing, by file and line."""
    files = sorted(zone.landing.rglob("*.ndjson"))
    return [json.loads(line)["visit_no"] for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def visit(number: str, updated: str | None, complaint: str = "") -> str:
    at = "NULL" if updated is None else f"'{updated}'"
    return f"INSERT INTO visit VALUES ('{number}', 'P1', '门诊', '2024-03-01 08:05', NULL, '{complaint}', NULL, {at})"


def test_values_keep_their_exact_text(server: str, execute: Callable[[str], None]) -> None:
    execute(TABLE_OF_TYPES)
    execute(ROWS_OF_TYPES)
    names = ["n", "small", "big", "f8", "at", "zoned", "d", "b", "j", "jb", "raw", "list", "span", "nothing", "words"]
    declared = [{"name": "patient", "header": "病人编号"}, *({"name": name} for name in names)]
    odd = source(declared, table=None, query='SELECT * FROM "odd ""table" ORDER BY 1;')
    first, second = lines(server, odd)
    assert first == {
        "patient": "P1", "n": "5.60", "small": "-3", "big": "9223372036854775807", "f8": "0.1",
        "at": "2024-03-01T08:05:00.12", "zoned": "2024-03-01T16:05:00+08:00", "d": "2024-02-29", "b": True,
        "j": {"a": "1.0"}, "jb": {"a": "1.0"}, "raw": "\\xff00", "list": ["1", "2"], "span": "P1DT2H",
        "nothing": None, "words": 'line\nbreak "quoted" \\ 中文',
    }  # fmt: skip
    assert second["n"] == "1" + "0" * 400 and second["f8"] == "NaN" and second["at"] == "infinity"
    assert second["zoned"].endswith("BC") and second["d"] == "-infinity" and second["j"] is None


def test_names_are_quoted_whatever_stands_in_them(server: str, execute: Callable[[str], None]) -> None:
    execute('CREATE TABLE "drop; --" ("a"" FROM x" int, "select" int)')
    execute('INSERT INTO "drop; --" VALUES (1, 2)')
    declared = [{"name": "a", "header": 'a" FROM x'}, {"name": "b", "header": "select"}]
    assert lines(server, source(declared, table="public.drop; --", key=["select"])) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"table": "nowhere"}, "42P01"),
        ({"table": None, "query": "SELECT 1; DROP TABLE visit"}, "42601"),
        ({"table": None, "query": "SELECT 1 AS ward"}, "no column 'visit_no'"),
        ({"watermark": "complaint"}, "type text"),
        ({"key": ["ward"]}, "'ward' is no column"),
    ],
)
def test_a_table_that_is_not_as_declared_is_named(
    server: str, execute: Callable[[str], None], changed: dict[str, Any], words: str
) -> None:
    execute(VISIT)
    with pytest.raises(SourceContractError, match=words):
        lines(server, source(["visit_no"], **changed))


def test_increments_take_what_is_new_or_changed_and_late_rows_of_the_same_moment(
    server: str, execute: Callable[[str], None], tmp_path: Path
) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT)
    assert pull(server, region, zone).file is None
    execute(visit("V1", "2024-03-01 09:00"))
    execute(visit("V2", "2024-03-01 10:00"))
    execute(visit("V0", None))
    first = pull(server, region, zone)
    assert (first.rows, first.file) == (3, f"{DAY}/his__visit.000001.ndjson")
    assert pull(server, region, zone) == Pulled("his__visit", 0, 2, None)
    execute(visit("V3", "2024-03-01 10:00"))  # committed late, at the watermark's own moment
    execute(visit("V4", None))
    execute("UPDATE visit SET complaint = '咳嗽', updated_at = '2024-03-01 11:00' WHERE visit_no = 'V1'")
    second = pull(server, region, zone, "2026-03-03")
    assert (second.rows, second.file) == (3, "2026-03-03/his__visit.000002.ndjson")
    assert landed(zone) == ["V0", "V1", "V2", "V4", "V3", "V1"]
    execute(visit("V9", "2024-03-01 08:00"))  # before the watermark, outside the overlap of none
    assert pull(server, region, zone).rows == 0


def test_rows_committed_late_are_found_within_the_overlap(
    server: str, execute: Callable[[str], None], tmp_path: Path
) -> None:
    region, zone = hospital(tmp_path, "overlap = 3600\n")
    execute(VISIT)
    execute(visit("V1", "2024-03-01 09:00"))
    execute(visit("V2", "2024-03-01 10:00"))
    assert pull(server, region, zone).rows == 2
    execute(visit("V3", "2024-03-01 09:30"))
    assert pull(server, region, zone) == Pulled("his__visit", 1, 2, f"{DAY}/his__visit.000002.ndjson")
    execute(visit("V3", "2024-03-01 09:30"))  # the same row once more is a second row
    assert pull(server, region, zone).rows == 1
    assert landed(zone) == ["V1", "V2", "V3", "V3"]


@pytest.mark.parametrize("kind", ["date", "timestamptz", "bigint", "numeric"])
def test_a_watermark_may_be_a_date_a_time_or_a_number(
    server: str, execute: Callable[[str], None], tmp_path: Path, kind: str
) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT.replace("updated_at timestamp", f"updated_at {kind}"))
    low, high = ("2024-03-01", "2024-03-02") if kind in ("date", "timestamptz") else ("9", "10")
    odd = {"date": "infinity", "timestamptz": "-infinity", "numeric": "NaN"}.get(kind, "8")
    for number, mark in (("V1", low), ("V2", high), ("V3", odd)):
        execute(visit(number, mark))
    assert pull(server, region, zone).rows == 3
    execute(visit("V4", high))
    assert pull(server, region, zone).rows == 1


def test_a_table_without_a_watermark_is_pulled_whole_when_it_changed(
    server: str, execute: Callable[[str], None], tmp_path: Path
) -> None:
    region, zone = hospital(tmp_path)
    path = tmp_path / "region/sites/north/sources/visit.toml"
    path.write_text(path.read_text().replace('watermark = "updated_at"\n', ""))
    region = load_region(tmp_path / "region")
    execute(VISIT)
    execute(visit("V1", None))
    assert [pull(server, region, zone).rows for _ in range(2)] == [1, 0]
    execute(visit("V2", None))
    assert pull(server, region, zone).rows == 2
    assert landed(zone) == ["V1", "V1", "V2"]


def test_a_pull_that_died_is_taken_up_where_it_stopped(
    server: str, execute: Callable[[str], None], tmp_path: Path
) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT)
    execute(visit("V1", "2024-03-01 09:00"))
    pull(server, region, zone)
    state = zone.root / "pulls" / "his__visit.json"
    waiting = state.with_name("his__visit.next.json")
    state.rename(waiting)  # died between the file and its state
    assert pull(server, region, zone).rows == 0
    state.rename(waiting)
    (zone.landing / DAY / "his__visit.000001.ndjson").unlink()  # died before the file was there
    assert pull(server, region, zone).rows == 1
    assert landed(zone) == ["V1"] and not waiting.exists()


def test_two_tables_are_read_in_one_snapshot(server: str, execute: Callable[[str], None]) -> None:
    execute("CREATE TABLE visit (visit_no text)")
    one = source(["visit_no"])
    with open_snapshot(server, "UTC") as snapshot:
        assert list(read_lines(snapshot, one, window_of(snapshot, one, None))) == []
        execute("INSERT INTO visit VALUES ('V1')")
        assert list(read_lines(snapshot, one, window_of(snapshot, one, None))) == []
    assert len(lines(server, one)) == 1


FILL = (
    "INSERT INTO visit SELECT 'V' || n, 'P' || n % 1000, '门诊', '2024-03-01 08:05', NULL, repeat('咳', {length}), "
    "NULL, timestamp '2024-03-01' + n * interval '1 second' FROM generate_series(1, {rows}) n"
)


def test_a_hundred_thousand_rows_are_pulled_once(server: str, execute: Callable[[str], None], tmp_path: Path) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT)
    execute(FILL.format(length=20, rows=100_000))
    assert pull(server, region, zone).rows == 100_000
    assert pull(server, region, zone) == Pulled("his__visit", 0, 1, None)


def test_memory_does_not_grow_with_the_table(server: str, execute: Callable[[str], None], tmp_path: Path) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT)
    execute(FILL.format(length=2000, rows=12_000))
    tracemalloc.start()
    assert pull(server, region, zone).rows == 12_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    landed_bytes = sum(path.stat().st_size for path in zone.landing.rglob("*.ndjson"))
    assert landed_bytes > 70e6 and peak < 40e6


def test_pulled_rows_become_silver_and_a_change_supersedes(
    spark: SparkSession, server: str, execute: Callable[[str], None], tmp_path: Path
) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT)
    execute(visit("V1", "2024-03-01 09:00", "咳嗽"))
    execute(visit("V2", "2024-03-01 09:00", "发热"))
    pull(server, region, zone)
    execute("UPDATE visit SET complaint = '咳血', updated_at = '2024-03-01 11:00' WHERE visit_no = 'V1'")
    pull(server, region, zone, "2026-03-03")
    report = run(spark, zone, region)
    assert (report.records_in, report.mapped, report.superseded, report.quarantined) == (3, 2, 1, 0)
    found = resources(zone, "Encounter")
    assert sorted(one["reasonCode"][0]["text"] for one in found) == ["发热", "咳血"]
    assert {one["period"]["start"] for one in found} == {"2024-03-01T08:05:00+08:00"}


def test_rows_do_not_cross_a_network_in_the_clear() -> None:
    for is_encrypted, address, tls in ((True, "10.0.0.1", "required"), (False, None, "required")):
        require_privacy(is_encrypted, address, tls)
    require_privacy(False, "127.0.0.1/32", "required")
    require_privacy(False, "10.0.0.1", "off")
    with pytest.raises(CredentialError, match="sslmode"):
        require_privacy(False, "10.0.0.1", "required")


def test_wrong_use_is_named_and_no_secret_is_told(server: str, tmp_path: Path) -> None:
    region, zone = hospital(tmp_path)
    with pytest.raises(UsageError, match="HIS is not set"):
        pull_site(zone, region, region.site("north"), {}, DAY)
    with pytest.raises(UsageError) as caught:
        pull_site(zone, region, region.site("north"), {"HIS": f"{server}&password=geheim&port=1"}, DAY)
    assert "geheim" not in str(caught.value) and "SQLSTATE" in str(caught.value)
    with pytest.raises(SpecError, match="no PostgreSQL"):
        plain = source(["a"]).model_copy(update={"postgres": None})
        with open_snapshot(server, "UTC") as snapshot:
            window_of(snapshot, plain, None)


def test_a_state_that_was_altered_is_refused(server: str, execute: Callable[[str], None], tmp_path: Path) -> None:
    region, zone = hospital(tmp_path)
    execute(VISIT)
    execute(visit("V1", "2024-03-01 09:00"))
    pull(server, region, zone)
    state = zone.root / "pulls" / "his__visit.json"
    assert state.stat().st_mode & 0o077 == 0 and "V1" not in state.read_text()
    told = json.loads(state.read_text())
    state.write_text(json.dumps({**told, "mark": "2024'; DROP TABLE visit; --"}))
    with pytest.raises(UsageError, match="altered"):
        pull(server, region, zone)
