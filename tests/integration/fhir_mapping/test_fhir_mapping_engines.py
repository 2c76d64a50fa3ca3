"""Both engines make the same tables of the same files: every way of reading a text, every rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_equality import assert_tables_equal, run_on
from small_site import DEPARTMENT, PATIENT, VITALS, deliver, new_zone, run, write_region

from fhir_mapping.tables import LEDGER_COUNTS
from lake.reader import read_arrow

ENCOUNTER = """
source = "his__visit"
resource = "Encounter"
key = ["visit_no", { column = "ref", extract = "^Patient/(.+)$" }]
order_by = { datetime = "updated_at" }
skip_when = { any = [{ column = "cancelled", in = ["1", "是"] }, { column = "cancelled", matches = "[xX]+" }] }

[[check]]
rule = "range"
column = "temp"
min = 30
max = 45
[[check]]
rule = "not_future"
column = "visit_time"

[elements]
"status" = { column = "state", on_error = "null", required = true }
"class" = { lookup = "encounter_class", column = "visit_type", on_missing = "keep_local", local_system = "urn:l" }
"subject" = { reference = "Patient", key = ["patient_no"] }
"period.start" = { datetime = "visit_time" }
"period.end" = { datetime = "updated_at", zone = "Europe/Berlin", on_error = "null" }
"serviceType" = { lookup = "department", column = "dept", split = "|", on_missing = "null", text = "dept" }
"type[0].text" = { concat = ["dept", "complaint"], separator = ": " }
"type[1].text" = { first_of = [{ column = "complaint" }, { const = "none" }] }
"reasonCode[0].text" = { column = "complaint" }
"""

LAB = """
source = "his__visit"
resource = "Observation"
key = ["visit_no"]
when = { present = "result" }
[elements]
"status" = { const = "final" }
"code" = { code = "1", system = "urn:lab" }
"valueQuantity" = { quantity = "result", unit = "unit", on_missing = "keep_local" }
"component[0].code" = { code = "C", system = "@icd10_cn_clinical_2" }
"component[1].code.coding[0].code" = { column = "ref", normalise = "icd10_cn" }
"component[1].valueString" = { column = "complaint", mask_names = ["dept", "sex"] }
"component[2].code.coding[0].code" = { column = "id_card", normalise = "id_card" }
"component[2].valueCodeableConcept.coding[0].code" = { column = "result", normalise = "department" }
"issued" = { datetime = "updated_at", on_error = { default = "2026-01-01T00:00:00Z" } }

[elements."component[0].valueQuantity"]
quantity = "pulse"
unit_const = "g/L"
convert_to = "umol/L"
analyte = "14682-9"
"""

COLUMNS = (
    *("visit_no", "ref", "patient_no", "visit_type", "visit_time", "dept", "complaint", "cancelled", "updated_at"),
    *("state", "temp", "pulse", "result", "unit", "id_card", "birthday", "sex"),
)
TIMES = (
    *(
        "2026-03-01 08:05:07",
        "2026年3月1日 8时5分",
        "2026/3/1 8:05",
        "20260301080507",
        "1988-07-01 10:00",
        "2026-02-30",
    ),
    *("2026-03-01T08:05:07.25+01:00", "2099-01-01", "2026-03-29 02:30:00", "２０２６．３．１", "later", ""),
)
RESULTS = ("5.60", "065.80", "<0.5", "≤ 3", ".5", "-0.5", "1e3", "1.5E-2", "１２", "1,234", "阳性", "0.0000005")
UNITS = ("mg/L", "℃", "10^9/L", "furlong", "", "×10⁹/L", "%", "µmol/L", "mm Hg", "次/分", "g/L", "U/L")


def build(session, folder: Path) -> None:
    # Compiling these wide plans to Java takes Spark longer than so few rows are worth.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    maps = {"department": DEPARTMENT}
    specs = {"encounter": ENCOUNTER, "patient": PATIENT.replace('order_by = "updated_at"\n', ""), "lab": LAB}
    region = write_region(folder / "region", {**specs, "vitals": VITALS}, COLUMNS, maps)
    zone = new_zone(folder / "zone")
    for day in (2, 3):
        lines = [",".join(COLUMNS)]
        for n, (time, result, unit) in enumerate(zip(TIMES, RESULTS, UNITS, strict=True)):
            cells = [f"V{n % 9}", f"Patient/p{n % 3}", f"P{n % 4}" if n % 5 else "", ("门诊", "E", "别的")[n % 3], time]
            cells += [("内科|外科|内科", "皮肤科", "木工科", "")[n % 4], ("咳嗽 13812345678", "无", "发热３天")[n % 3]]
            cells += ["x" if n == 7 else "", f"2026-03-0{day} 10:{n:02d}", ("final", "finished")[n > 1]]
            cells += [
                ("37.5", "３８", "99", "")[n % 4],
                str(60 + n),
                result.replace(",", "，") if n % 6 else f'"{result}"',
            ]
            cells += [unit, "11010519491231002X" if n % 4 else "1", TIMES[(n + 3) % 12][:10], ("男", "2", "?")[n % 3]]
            lines.append(",".join(cells))
        deliver(zone, f"2026-03-0{day}", "visit.csv", "\n".join([*lines, 'V1,"open']) + "\n")
    run(session, zone, region)


@pytest.mark.needs_spark
def test_both_engines_make_the_same_tables(spark, tmp_path: Path) -> None:
    build(spark, tmp_path / "sail")
    run_on("spark", __file__, "build", tmp_path / "spark", timeout=600)
    lake = tmp_path / "sail" / "zone" / "lake"
    for path in sorted(lake.iterdir()):
        assert_tables_equal(path, tmp_path / "spark" / "zone" / "lake" / path.name)
    totals = read_arrow(lake / "ledger__file", [*LEDGER_COUNTS]).to_pandas().sum()
    assert (totals[["mapped", "quarantined", "skipped", "superseded", "pending"]] > 0).all()
