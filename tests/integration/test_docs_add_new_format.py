"""docs/how-to/add-a-new-format.md followed literally: its files, its commands and what they print, then silver."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook

from contracts.region import load_region
from contracts.zone import SiteZone, WorkArea
from fhir_mapping.bronze import ingest_day
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from lake.reader import read_arrow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "add-a-new-format.md").read_text(encoding="utf-8")
FILES = re.findall(r"^`(regions/\S+)`\n```\w+\n(.*?)```", PAGE, re.M | re.S)
COMMANDS = re.findall(r"```sh\n(cloister [^\n]*)\n```\n\n```\n(.*?)```", PAGE, re.S)
DAY = "2026-03-06"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout's regions with the hospital of the page, and a day of its files in ``sample``."""
    shutil.copytree(ROOT / "regions" / "demo", tmp_path / "regions" / "demo")
    for path, body in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(body, encoding="utf-8")
    (tmp_path / "sample").mkdir()
    message = re.search(r"```hl7\n(.*?)```", PAGE, re.S)
    assert message is not None
    (tmp_path / "sample" / "oru.hl7").write_bytes(message[1].replace("\n", "\r").encode("gb18030"))
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["门诊登记表"])
    for line in re.findall(r"^\|(.*)\|$", PAGE, re.M):
        if "---" not in line:
            sheet.append([cell.strip() or None for cell in line.split("|")])
    book.save(tmp_path / "sample" / "登记表_0305.xlsx")
    return tmp_path


def test_the_hospital_is_data_of_fewer_than_100_lines() -> None:
    assert {Path(path).suffix for path, _ in FILES} == {".toml", ".csv"}
    assert sum(len(body.splitlines()) for _, body in FILES) < 100


@pytest.mark.parametrize(("command", "printed"), COMMANDS)
def test_the_commands_print_what_the_page_shows(command: str, printed: str, folder: Path) -> None:
    program = Path(sys.executable).parent / "cloister"
    done = subprocess.run(
        [program, *command.split()[1:]], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


def test_its_records_reach_silver_or_the_quarantine(spark: SparkSession, folder: Path) -> None:
    region = load_region(folder / "regions" / "demo")
    zone = WorkArea(folder / "work").site("haven")
    zone.secrets.mkdir(parents=True)
    (zone.secrets / "pseudonym.key").write_bytes(b"\x01" * 32)
    (zone.secrets / "pseudonym.key").chmod(0o600)
    shutil.copytree(folder / "sample", zone.landing / DAY)
    ingest_day(zone, region.site("haven"), DAY)
    map_day(spark, zone, region, region.site("haven"), [DAY])
    report = build_silver(spark, zone, region, region.site("haven"))
    assert (report.records_in, report.mapped, report.quarantined) == (5, 4, 1)
    counts = {"Patient": 1, "DiagnosticReport": 1, "Encounter": 2, "Observation": 5}
    assert report.resources_out == counts
    rules = _rows(zone, "quarantine__record")[0]["rules"]
    assert [rule["rule"] for rule in rules] == ["unmapped_code:department"]
    by_code = {row["code"]["coding"][-1]["code"]: row for row in _rows(zone, "silver_fhir__observation")}
    white, protein = by_code["6690-2"], by_code["1988-5"]
    assert white["code"]["coding"][0] | {"system": "urn:haven:lis-item", "code": "X1012"} == white["code"]["coding"][0]
    assert (float(white["valueQuantity"]["value"]), white["valueQuantity"]["code"]) == (12.3, "10*9/L")
    assert protein["valueQuantity"]["comparator"] == "<"
    visits = _rows(zone, "silver_fhir__encounter")
    patient = _rows(zone, "silver_fhir__patient")[0]["id"]
    assert {visit["subject"]["reference"] for visit in visits} == {f"Patient/{patient}"}
    assert white["encounter"]["reference"] in {f"Encounter/{visit['id']}" for visit in visits}


def _rows(zone: SiteZone, table: str) -> list[dict]:
    return read_arrow(zone.table(table)).to_pylist()
