"""Types beyond the first six: each reaches silver in FHIR's form, and only tables that specs fill exist."""

from __future__ import annotations

from pathlib import Path

from small_site import deliver, new_zone, resources, run, write_region

from fhir_mapping.validation import validate_sample

SPECS = {
    "allergy": """
source = "his__visit"
resource = "AllergyIntolerance"
key = ["no"]
[elements]
"clinicalStatus" = { code = "active", system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical" }
"category[0]" = { const = "medication" }
"code.text" = { column = "drug" }
"patient" = { reference = "Patient", key = ["pid"] }
"reaction[0].manifestation[0].text" = { column = "text" }
"reaction[0].severity" = { const = "severe" }
""",
    "administration": """
source = "his__visit"
resource = "MedicationAdministration"
key = ["no"]
[elements]
"status" = { const = "completed" }
"medicationCodeableConcept.text" = { column = "drug" }
"subject" = { reference = "Patient", key = ["pid"] }
"context" = { reference = "Encounter", key = ["no"] }
"effectiveDateTime" = { datetime = "at" }
"dosage.dose" = { quantity = "dose", unit_const = "mg" }
"performer[0].actor" = { reference = "Practitioner", key = ["doctor"] }
""",
    "pressure": """
source = "his__visit"
resource = "Observation"
key = ["no"]
[elements]
"status" = { const = "final" }
"code" = { code = "85354-9", system = "http://loinc.org" }
"subject" = { reference = "Patient", key = ["pid"] }
"component[0].code" = { code = "8480-6", system = "http://loinc.org" }
"component[0].valueQuantity" = { quantity = "dose", unit_const = "mm[Hg]" }
"valueTime" = { column = "clock" }
"referenceRange[0].high" = { quantity = "dose", unit_const = "mm[Hg]" }
""",
    "document": """
source = "his__visit"
resource = "Composition"
key = ["no"]
[elements]
"status" = { const = "final" }
"type" = { code = "18842-5", system = "http://loinc.org" }
"subject" = { reference = "Patient", key = ["pid"] }
"date" = { datetime = "at" }
"author[0]" = { reference = "Practitioner", key = ["doctor"] }
"title" = { const = "出院小结" }
"section[0].title" = { const = "住院经过" }
"section[0].text.status" = { const = "generated" }
"section[0].text.div" = { column = "text" }
""",
    "doctor": """
source = "his__visit"
resource = "Practitioner"
key = ["doctor"]
[elements]
"active" = { const = true }
""",
}
ROW = "no,pid,drug,text,at,dose,doctor,clock\nv1,p1,青霉素,体温<38 & 皮疹,2026-03-01 08:05,120,d1,08:05:00\n"


def test_the_wider_types_reach_silver_in_fhirs_form(spark, tmp_path: Path) -> None:
    columns = ("no", "pid", "drug", "text", "at", "dose", "doctor", "clock")
    region = write_region(tmp_path / "region", SPECS, columns)
    zone = new_zone(tmp_path / "zone")
    deliver(zone, "2026-03-02", "visit.csv", ROW)
    report = run(spark, zone, region)
    assert report.resources_out == {
        **{"Observation": 1, "MedicationAdministration": 1, "AllergyIntolerance": 1, "Composition": 1},
        "Practitioner": 1,
    }
    assert report.pending == 4
    assert {path.name for path in zone.lake.glob("silver_*")} == {
        f"silver_fhir__{name.lower()}" for name in report.resources_out
    }
    assert validate_sample(zone).validated == 5
    doctor = resources(zone, "Practitioner")[0]
    given = resources(zone, "MedicationAdministration")[0]
    assert given["performer"] == [{"actor": {"reference": f"Practitioner/{doctor['id']}"}}]
    assert given["dosage"]["dose"]["value"] == 120
    (pressure,) = resources(zone, "Observation")
    assert pressure["valueTime"] == "08:05:00"
    assert pressure["component"][0]["valueQuantity"]["code"] == "mm[Hg]"
    (document,) = resources(zone, "Composition")
    assert document["section"][0]["text"] == {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">体温&lt;38 &amp; 皮疹</div>',
    }
