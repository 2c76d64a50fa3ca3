"""A site's tables reconcile exactly; take one row away anywhere, and the recount names the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from contracts.errors import ReconciliationError, UsageError
from contracts.region import load_region
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from lake.reader import read_arrow
from quality.bronze_gate import bronze_gate
from quality.reconciliation import reconcile
from quality.silver_gate import silver_gate

DAYS = ["2026-11-20", "2026-11-21"]
SECRET = "不可外泄"
REGION = {
    "region.toml": 'name = "small"\ntitle = "Small"\n',
    "maps/sex.csv": "source,target_system,target_code,target_display\n男,,male,\n女,,female,\n",
    "sites/north/site.toml": 'name = "north"\ntitle = "North"\n',
    "sites/north/sources/visit.toml": """
system = "his"
entity = "visit"
files = ["visit*.csv"]
format = "csv"
column = [{ name = "visit_no" }, { name = "patient_no" }, { name = "sex" }, { name = "complaint" }]
""",
    "sites/north/specs/patient.toml": """
source = "his__visit"
resource = "Patient"
key = ["patient_no"]
[elements]
"gender" = { lookup = "sex", column = "sex" }
""",
    "sites/north/specs/encounter.toml": """
source = "his__visit"
resource = "Encounter"
key = ["visit_no"]
skip_when = { column = "complaint", in = ["作废"] }
[elements]
"status" = { const = "finished" }
"class" = { code = "AMB", system = "http://terminology.hl7.org/CodeSystem/v3-ActCode" }
"subject" = { reference = "Patient", key = ["patient_no"] }
"reasonCode[0].text" = { column = "complaint" }
""",
}
FIRST = f"""visit_no,patient_no,sex,complaint
V1,P1,男,"{SECRET}
第二行"

V2,P1,男,发热
V3,P2,不详,头痛
V4,P3,女,"未闭合
V5,P4,女,作废
V6,P5,女,胸痛
"""
SECOND = "visit_no,patient_no,sex,complaint\r\nV2,P1,男,发热三天\r\nV6,P5,女,胸痛\r\n"


@pytest.fixture(scope="module")
def site(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SiteZone:
    root = tmp_path_factory.mktemp("reconcile")
    for name, text in REGION.items():
        path = root / "region" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    region = load_region(root / "region")
    zone = SiteZone(root / "zone", "north")
    files = {f"{DAYS[0]}/visit1.csv": FIRST, f"{DAYS[1]}/visit1.csv": SECOND, f"{DAYS[1]}/visit9.csv": FIRST}
    for name, text in {**files, f"{DAYS[1]}/visit2.csv": ""}.items():
        path = zone.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    zone.secrets.mkdir()
    (zone.secrets / "pseudonym.key").write_bytes(b"k" * 32)
    (zone.secrets / "pseudonym.key").chmod(0o600)
    for day in DAYS:
        ingest_day(zone, region.sites[0], day)
    map_day(spark, zone, region, region.sites[0], DAYS)
    build_silver(spark, zone, region, region.sites[0])
    return zone


@pytest.fixture
def copy(site: SiteZone, tmp_path: Path) -> SiteZone:
    shutil.copytree(site.root, tmp_path / "zone")
    return SiteZone(tmp_path / "zone", "north")


def test_every_record_of_every_file_is_accounted_for_once(site: SiteZone) -> None:
    found = reconcile(site)
    found.raise_if_unexplained()
    assert (found.unexplained, found.differences) == (0, ())
    assert (found.files, found.records_in) == (4, 14)
    # V2 and V6 (with P1, P5) come again on the second day; V1 keeps its visit although its patient came again
    assert found.dispositions == {"mapped": 3, "quarantined": 2, "skipped": 1, "superseded": 8, "erased": 0}
    assert found.resources_out["encounter"] == 3
    assert found.resources_out["patient"] == 2


def _without_a_row(rows: pa.Table) -> pa.Table:
    # not slice: delta-rs aborts the process on a sliced struct column
    return rows.take(list(range(1, rows.num_rows)))


def _without_rows(rows: pa.Table) -> pa.Table:
    return rows.schema.empty_table()


def _one_more(column: str) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        position = rows.schema.get_field_index(column)
        return rows.set_column(position, column, pc.add(rows[column], 1))

    return change


@pytest.mark.parametrize(
    ("table", "change", "what"),
    [
        ("bronze_his__visit", _without_a_row, "bronze rows"),
        ("mapped_his__visit", _without_a_row, "mapped rows"),
        ("silver_fhir__encounter", _without_a_row, "encounter resources"),
        ("silver_fhir__encounter", _one_more("_record_no"), "records in silver that emitted nothing"),
        ("superseded__resource", _without_a_row, "resources emitted"),
        ("quarantine__record", lambda rows: rows.filter(pc.less(rows["record_no"], 0)), "records in quarantine"),
        ("quarantine__record", _without_rows, "entries in quarantine for a refused file"),
        ("ledger__file", _one_more("skipped"), "sum of dispositions"),
        ("ledger__file", _without_a_row, "ledger rows"),
        ("manifest__file", _one_more("blank_lines"), "lines"),
        ("manifest__file", _without_rows, "rows of a file that is not in the manifest"),
    ],
)
def test_any_table_that_lost_or_gained_something_is_found_out(
    copy: SiteZone, table: str, change: Callable[[pa.Table], pa.Table], what: str
) -> None:
    _rewrite(copy, table, change)
    found = reconcile(copy)
    assert found.unexplained > 0
    assert what in {difference.what for difference in found.differences}
    with pytest.raises(ReconciliationError, match=r"2026-11-2[01]/visit[0-9]\.csv: ") as caught:
        found.raise_if_unexplained()
    assert SECRET not in str(caught.value)


def test_a_site_that_was_never_mapped_has_nothing_to_reconcile(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="manifest__file"):
        reconcile(SiteZone(tmp_path, "north"))


def test_gates_pass_and_hold_no_value_of_a_record(site: SiteZone) -> None:
    (source,) = load_region(site.root.parent / "region").sites[0].sources
    results = [bronze_gate(site, source), silver_gate(site, "Patient"), silver_gate(site, "Encounter")]
    assert all(result.success for result in results)
    text = repr(results)
    ids = read_arrow(site.table("silver_fhir__patient"), ["id"])["id"].to_pylist()
    assert not [value for value in (SECRET, "V1", "P1", "男", "female", "visit1.csv", *ids) if value in text]


def test_gates_fail_on_doubled_keys_missing_elements_and_foreign_codes(site: SiteZone, copy: SiteZone) -> None:
    (source,) = load_region(site.root.parent / "region").sites[0].sources
    _rewrite(copy, "bronze_his__visit", lambda rows: pa.concat_tables([rows, rows]))
    assert [check.name for check in bronze_gate(copy, source).failed] == ["key"]
    _rewrite(copy, "silver_fhir__encounter", _with_text("status", [None, "bogus", "finished"]))
    assert {check.name for check in silver_gate(copy, "Encounter").failed} >= {"required:status", "code:status"}


def _with_text(column: str, values: list[str | None]) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        return rows.set_column(rows.schema.get_field_index(column), column, pa.array(values, rows[column].type))

    return change


def _rewrite(zone: SiteZone, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    rows = change(read_arrow(zone.table(table)))
    write_deltalake(str(zone.table(table)), rows, mode="overwrite")
