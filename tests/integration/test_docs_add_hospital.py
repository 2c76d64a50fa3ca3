"""The pages' examples are run: the hospital of docs/how-to/add-a-hospital.md maps a record as the page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.region import load_region
from contracts.zone import WorkArea
from fhir_mapping.bronze import ingest_day
from fhir_mapping.mapping import map_day
from fhir_mapping.silver import build_silver
from lake.reader import read_arrow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-hospital.md"
DAY = "2026-03-06"
EXPORT = """门诊号,患者ID,就诊时间,科室,主诉,备注
A1,P1,2026-03-05 09:30:00,发热门诊,发烧三天,-
A2,P1,2026年3月5日 10时05分,妇科,复诊,-
"""


def test_the_hospital_of_the_page_maps_its_known_department_and_quarantines_the_other(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = tmp_path / "regions" / "demo"
    shutil.copytree(ROOT / "regions" / "demo", folder)
    for path, body in re.findall(r"^`(regions/\S+)`\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(body, encoding="utf-8")
    region = load_region(folder)
    zone = WorkArea(tmp_path / "work").site("harbor")
    zone.secrets.mkdir(parents=True)
    (zone.secrets / "pseudonym.key").write_bytes(b"\x01" * 32)
    (zone.secrets / "pseudonym.key").chmod(0o600)
    (zone.landing / DAY).mkdir(parents=True)
    (zone.landing / DAY / "门诊_1.csv").write_bytes(EXPORT.encode("gb18030"))
    ingest_day(zone, region.site("harbor"), DAY)
    map_day(spark, zone, region, region.site("harbor"), [DAY])
    report = build_silver(spark, zone, region, region.site("harbor"))
    assert (report.records_in, report.mapped, report.quarantined, report.pending) == (2, 1, 1, 1)
    visit = read_arrow(zone.table("silver_fhir__encounter")).to_pylist()[0]
    assert visit["serviceType"]["coding"][0]["code"] == "16.02"
    rules = read_arrow(zone.table("quarantine__record")).to_pylist()[0]["rules"]
    assert [rule["rule"] for rule in rules] == ["unmapped_code:department"]
