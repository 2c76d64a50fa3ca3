"""A real hospital's export as GB18030 CSV and as xlsx: carried-forward ids, typed cells, the same FHIR from both."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import small_site
from small_site import deliver, new_zone, rules

from contracts.region import load_region
from fhir_mapping.tables import silver_table
from lake.reader import read_arrow

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DATA = Path(os.environ.get("CLOISTER_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
FOLDER = DATA / "tongji-covid19-labs"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the public data set tongji-covid19-labs")

SOURCE = """
system = "lis"
entity = "draw"
files = ["time_series*"]
column = [
  { name = "pid", header = "PATIENT_ID", carry_forward = true },
  { name = "drawn_at", header = "RE_DATE" },
  { name = "sex", header = "性别" },
  { name = "ldh", header = "乳酸脱氢酶" },
  { name = "lymphocytes", header = "淋巴细胞（%）", aliases = ["淋巴细胞(%)"] },
  { name = "crp", header = "超敏C反应蛋白" },
  { name = "ncov", header = "2019-nCoV核酸检测" },
]
"""
KEY = "{ column = \"pid\", extract = '([0-9]+)([.]0)?' }"
PATIENT = f"""
source = "lis__draw"
resource = "Patient"
key = [{KEY}]

[elements]
"gender" = {{ lookup = "administrative_gender", column = "sex" }}
"""
LABS = f"""
source = "lis__draw"
resource = "Observation"
key = [{KEY}, "drawn_at"]
when = {{ present = "$column" }}
repeat = [
  {{ item = "ldh", column = "ldh", code = "14804-9", unit = "U/L" }},
  {{ item = "lymphocytes", column = "lymphocytes", code = "736-9", unit = "%" }},
  {{ item = "crp", column = "crp", code = "30522-7", unit = "mg/L" }},
  {{ item = "ncov", column = "ncov", code = "94500-6", unit = "1" }},
]

[elements]
"status" = {{ const = "final" }}
"code" = {{ code = "$code", system = "http://loinc.org" }}
"subject" = {{ reference = "Patient", key = [{KEY}] }}
"effectiveDateTime" = {{ datetime = "drawn_at" }}
"valueQuantity" = {{ quantity = "$column", unit_const = "$unit", null_values = ["-1", "-1.0"] }}
"""


def _silver(spark: SparkSession, folder: Path, form: str, name: str, data: bytes) -> tuple[list[Any], list[Any]]:
    """Patients and results of an export, without the ids that hang on how a time is written."""
    site = folder / "sites" / "north"
    for part in ("sources", "specs"):
        (site / part).mkdir(parents=True)
    (folder / "region.toml").write_text('name = "small"\ntitle = "Small"\n', encoding="utf-8")
    (site / "site.toml").write_text('name = "north"\ntitle = "North"\n', encoding="utf-8")
    (site / "sources" / "draw.toml").write_text(f"{form}\n{SOURCE}", encoding="utf-8")
    (site / "specs" / "patient.toml").write_text(PATIENT, encoding="utf-8")
    (site / "specs" / "labs.toml").write_text(LABS, encoding="utf-8")
    zone = new_zone(folder / "zone")
    deliver(zone, "2024-03-01", name, data)
    report = small_site.run(spark, zone, load_region(folder))
    assert report.records_in == 6120
    patients = read_arrow(silver_table(zone, "Patient").path, ["id", "gender"]).to_pylist()
    results = read_arrow(silver_table(zone, "Observation").path).to_pylist()
    found = [
        (
            row["subject"]["reference"],
            row["code"]["coding"][0]["code"],
            row["effectiveDateTime"],
            row["valueQuantity"] and row["valueQuantity"]["value"],
        )
        for row in results
    ]
    broken = {rule for named in rules(zone).values() for rule in named}
    assert broken <= {"missing_key"}, "some draws have no time"
    return sorted(map(tuple, (row.values() for row in patients))), sorted(found, key=str)


def test_csv_and_workbook_of_one_table_are_the_same_fhir(spark: SparkSession, tmp_path: Path) -> None:
    packed = gzip.decompress((FOLDER / "time_series_375_zh.gb18030.csv.gz").read_bytes())
    csv = _silver(spark, tmp_path / "csv", 'format = "csv"\nencoding = "gbk"', "time_series.csv", packed)
    book = (FOLDER / "time_series_375_zh.xlsx").read_bytes()
    xlsx = _silver(spark, tmp_path / "xlsx", 'format = "xlsx"', "time_series.xlsx", book)
    assert csv == xlsx
    patients, results = csv
    assert len(patients) == 375
    assert len(results) > 1000
    assert not any(value is not None and value < 0 for *_, value in results)
