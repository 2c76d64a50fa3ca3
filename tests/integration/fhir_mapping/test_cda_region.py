"""CDA documents inside a region: a file each, rows of their entries, bad ones quarantined, all counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import small_site
from small_site import deliver, ledger, new_zone, resources, rules

from contracts.region import load_region
from quality.reconciliation import reconcile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCE = """
system = "emr"
entity = "lab"
files = ["*.xml"]
format = "cda"
rows = "section[30954-2]//observation"
column = [
  { name = "document_no", path = "/id/@extension" },
  { name = "row_no" },
  { name = "first", path = "first_in_document" },
  { name = "patient_no", path = "/recordTarget/patientRole/id/@extension" },
  { name = "sex", path = "/recordTarget/patientRole/patient/administrativeGenderCode/@code" },
  { name = "item", path = "code/@displayName" },
  { name = "value", path = "value/@value" },
  { name = "unit", path = "value/@unit" },
  { name = "at", path = "time(effectiveTime/@value | /effectiveTime/@value)" },
]
"""
PATIENT = """
source = "emr__lab"
resource = "Patient"
key = ["patient_no"]
when = { column = "first", in = ["true"] }

[elements]
"gender" = { lookup = "administrative_gender", column = "sex" }
"""
LAB = """
source = "emr__lab"
resource = "Observation"
key = ["document_no", "row_no"]
when = { present = "item" }

[elements]
"status" = { const = "final" }
"code.text" = { column = "item" }
"subject" = { reference = "Patient", key = ["patient_no"] }
"effectiveDateTime" = { datetime = "at" }
"valueQuantity" = { quantity = "value", unit = "unit" }
"""


def document(number: int, *items: tuple[str, str]) -> str:
    entries = "".join(
        f'<entry><observation><code displayName="{name}"/><value value="{value}" unit="mmol/L"/></observation></entry>'
        for name, value in items
    )
    return (
        f'<ClinicalDocument xmlns="urn:hl7-org:v3"><id extension="D{number}"/>'
        '<effectiveTime value="202403010805+0800"/>'
        f'<recordTarget><patientRole><id extension="P{number}"/><patient><administrativeGenderCode code="2"/></patient>'
        f'</patientRole></recordTarget><component><section><code code="30954-2"/>{entries}</section></component>'
        "</ClinicalDocument>"
    )


def test_documents_of_many_files_become_silver_and_every_one_is_counted(spark: SparkSession, tmp_path: Path) -> None:
    site = tmp_path / "region" / "sites" / "north"
    for part in ("sources", "specs"):
        (site / part).mkdir(parents=True)
    (tmp_path / "region" / "region.toml").write_text('name = "small"\ntitle = "Small"\n', encoding="utf-8")
    (site / "site.toml").write_text('name = "north"\ntitle = "North"\n', encoding="utf-8")
    (site / "sources" / "lab.toml").write_text(SOURCE, encoding="utf-8")
    (site / "specs" / "patient.toml").write_text(PATIENT, encoding="utf-8")
    (site / "specs" / "lab.toml").write_text(LAB, encoding="utf-8")
    zone = new_zone(tmp_path / "zone")
    for number in range(20):
        deliver(zone, "2024-03-01", f"{number:02d}.xml", document(number, ("血糖", "5.60"), ("钾", f"4.{number}")))
    deliver(zone, "2024-03-01", "20.xml", document(20))
    deliver(zone, "2024-03-01", "21.xml", "<ClinicalDocument><id></ClinicalDocument>")
    deliver(zone, "2024-03-01", "22.xml", '<!DOCTYPE a [<!ENTITY b "c">]><ClinicalDocument/>')
    deliver(zone, "2024-03-01", "23.xml", "")
    report = small_site.run(spark, zone, load_region(tmp_path / "region"))
    assert (report.records_in, report.mapped, report.quarantined) == (43, 41, 2)
    assert rules(zone) == {("21.xml", 0): ["bad_xml"], ("22.xml", 0): ["unsafe_xml"], ("23.xml", -1): ["empty_file"]}
    assert len(resources(zone, "Patient")) == 21
    found = resources(zone, "Observation")
    assert len(found) == 40
    assert {o["effectiveDateTime"] for o in found} == {"2024-03-01T08:05:00+08:00"}
    assert ledger(zone)["2024-03-01/07.xml"]["resources_out"] == {"Patient": 1, "Observation": 2}
    reconcile(zone).raise_if_unexplained()
