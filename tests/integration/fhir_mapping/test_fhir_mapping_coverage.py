"""Coverage by code system, and the way from a resource back to its record."""

from __future__ import annotations

from pathlib import Path

from fhir.resources.R4B.provenance import Provenance
from small_site import deliver, new_zone, run, write_region

from fhir_mapping.coverage import code_coverage
from fhir_mapping.provenance import provenance
from fhir_mapping.tables import silver_table
from lake.reader import read_arrow

SPEC = """
source = "his__visit"
resource = "Observation"
key = ["no"]
[elements]
"status" = { const = "final" }
"code" = { lookup = "lab_item", column = "x", on_missing = "keep_local", local_system = "urn:north:lab", text = "x" }
"valueQuantity" = { quantity = "y", unit = "z", on_missing = "keep_local" }
"note[0].text" = { column = "x" }
"""
ROWS = "no,x,y,z\n1,血糖,5.6,mmol/L\n2,怪项目,1,furlong\n3,HGB,120,g/L\n"


def built(spark, folder: Path):
    region = write_region(folder / "region", {"lab": SPEC}, ("no", "x", "y", "z"))
    zone = new_zone(folder / "zone")
    assert code_coverage(zone) == []
    deliver(zone, "2026-03-02", "visit.csv", ROWS)
    run(spark, zone, region)
    return zone


def test_every_coded_element_is_counted_by_system_and_every_row_leads_back(spark, tmp_path: Path) -> None:
    zone = built(spark, tmp_path)
    found = {(row.element, row.system): (row.codings, row.is_shared) for row in code_coverage(zone)}
    assert found == {
        ("Observation.code", "http://loinc.org"): (2, True),
        ("Observation.code", "urn:north:lab"): (1, False),
        ("Observation.valueQuantity", "http://unitsofmeasure.org"): (2, True),
        ("Observation.valueQuantity", ""): (1, False),
    }
    row = read_arrow(silver_table(zone, "Observation").path).to_pylist()[0]
    made = provenance("Observation", row, "2026-03-02T00:00:00Z")
    assert Provenance.model_validate(made).target[0].reference == f"Observation/{row['id']}"
    assert made["entity"][0]["what"]["identifier"]["value"].endswith(f"/{row['_file_id']}/{row['_record_no']}")
    assert made == provenance("Observation", row, "2026-03-02T00:00:00Z")
