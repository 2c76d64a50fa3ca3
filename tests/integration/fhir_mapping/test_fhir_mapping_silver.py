"""From delivered files to silver, quarantine and ledger, in a hospital of one source."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from pyspark.sql import functions as F
from pyspark.sql.types import StructType
from small_site import (
    ENCOUNTER,
    PATIENT,
    VITALS,
    csv_of,
    deliver,
    ledger,
    new_zone,
    resources,
    rules,
    run,
    snapshot,
    write_region,
)

from contracts.errors import DataError
from contracts.region import Region
from contracts.zone import SiteZone
from fhir_mapping.bronze import ingest_day
from fhir_mapping.mapping import map_day
from fhir_mapping.records import map_records
from fhir_mapping.silver import build_silver
from fhir_mapping.tables import silver_table, superseded_table
from fhir_mapping.validation import validate_sample
from lake.reader import read_arrow
from lake.tables import read, replace

SPECS = {"encounter": ENCOUNTER, "patient": PATIENT, "vitals": VITALS}
MONDAY, TUESDAY, WEDNESDAY = "2026-03-02", "2026-03-03", "2026-03-04"


def visit(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "visit_no": f"V{number}",
        "patient_no": f"P{number}",
        "visit_type": "门诊",
        "visit_time": f"2026-03-01 08:{number:02d}",
        "dept": "内科",
        "complaint": "咳嗽3天",
        "cancelled": "0",
        "updated_at": "2026-03-01 09:00:00",
        "temp": "37.5",
        "pulse": "80",
        "id_card": "11010519491231002X",
        "birthday": "1949-12-31",
        "sex": "女",
        **changes,
    }


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return write_region(tmp_path / "region", SPECS)


@pytest.fixture
def zone(tmp_path: Path) -> SiteZone:
    return new_zone(tmp_path / "zone")


def test_every_record_ends_in_exactly_one_disposition(spark, region: Region, zone: SiteZone) -> None:
    rows = [
        visit(1),
        visit(2, visit_time="2026-02-30 08:00"),
        visit(3, cancelled="是"),
        visit(4, id_card="110105194912310021"),
        visit(5, visit_no=""),
        visit(6, dept="木工科", sex="?"),
        visit(1, temp="38.0", updated_at="2026-03-01 10:00:00"),
    ]
    deliver(zone, MONDAY, "visit.csv", csv_of(rows) + 'V9,"never closed\n')
    report = run(spark, zone, region)
    assert rules(zone) == {
        ("visit.csv", 1): ["impossible_date"] * 3,
        ("visit.csv", 3): ["id_card"],
        ("visit.csv", 4): ["missing_key"] * 3,
        ("visit.csv", 5): ["unmapped_code:department", "unmapped_code:administrative_gender"],
        ("visit.csv", 7): ["unclosed_quote"],
    }
    row = ledger(zone)[f"{MONDAY}/visit.csv"]
    assert [row[n] for n in ("records_in", "mapped", "quarantined", "skipped", "superseded", "erased")] == [
        8,
        1,
        5,
        1,
        1,
        0,
    ]
    assert row["resources_out"] == {"Patient": 1, "Encounter": 1, "Observation": 2}
    assert (report.records_in, report.mapped, report.resources_out) == (8, 1, row["resources_out"])


def test_the_later_record_counts_by_the_order_the_spec_names(spark, region: Region, zone: SiteZone) -> None:
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1, complaint="new", updated_at="2026-03-01 12:00:00")]))
    deliver(zone, TUESDAY, "visit.csv", csv_of([visit(1, complaint="old", updated_at="2026-03-01 11:00:00")]))
    run(spark, zone, region)
    assert [row["reasonCode"][0]["text"] for row in resources(zone, "Encounter")] == ["new"]
    assert ledger(zone)[f"{TUESDAY}/visit.csv"]["superseded"] == 1


def test_without_an_order_the_later_delivery_and_then_the_later_record_counts(spark, tmp_path: Path) -> None:
    plain = ENCOUNTER.replace('order_by = "updated_at"\n', "")
    region, zone = write_region(tmp_path / "region", {"encounter": plain}), new_zone(tmp_path / "zone")
    deliver(zone, MONDAY, "visit_z.csv", csv_of([visit(1, complaint="first"), visit(2, complaint="a")]))
    deliver(zone, TUESDAY, "visit_a.csv", csv_of([visit(1, complaint="second"), visit(1, complaint="third")]))
    run(spark, zone, region)
    assert sorted(row["reasonCode"][0]["text"] for row in resources(zone, "Encounter")) == ["a", "third"]


def test_a_record_is_superseded_only_when_all_its_resources_are(spark, region: Region, zone: SiteZone) -> None:
    later = visit(2, patient_no="P1", updated_at="2026-03-01 12:00:00", birthday="1950-01-01")
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1), later]))
    run(spark, zone, region)
    row = ledger(zone)[f"{MONDAY}/visit.csv"]
    assert (row["mapped"], row["superseded"], row["resources_replaced"]) == (2, 0, 1)
    assert [row["birthDate"] for row in resources(zone, "Patient")] == ["1950-01-01"]


def test_a_file_delivered_twice_counts_as_superseded_and_changes_nothing(spark, region: Region, zone: SiteZone) -> None:
    content = csv_of([visit(1), visit(2, sex="?")])
    deliver(zone, MONDAY, "visit.csv", content)
    run(spark, zone, region)
    before = resources(zone, "Encounter"), rules(zone)
    deliver(zone, TUESDAY, "visit_again.csv", content)
    run(spark, zone, region)
    assert (resources(zone, "Encounter"), rules(zone)) == before
    again = ledger(zone)[f"{TUESDAY}/visit_again.csv"]
    assert (again["records_in"], again["superseded"], again["quarantined"]) == (2, 2, 0)


def test_refused_files_stand_in_quarantine_and_ledger(spark, region: Region, zone: SiteZone) -> None:
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1)]))
    deliver(zone, MONDAY, "visit_empty.csv", b"")
    deliver(zone, MONDAY, "letter.pdf", b"%PDF")
    run(spark, zone, region)
    assert rules(zone) == {("letter.pdf", -1): ["no_source"], ("visit_empty.csv", -1): ["empty_file"]}
    assert {name: row["records_in"] for name, row in ledger(zone).items()} == {
        f"{MONDAY}/letter.pdf": 0,
        f"{MONDAY}/visit.csv": 1,
        f"{MONDAY}/visit_empty.csv": 0,
    }


def test_a_reference_that_has_not_arrived_is_pending_until_it_does(spark, tmp_path: Path) -> None:
    patient = PATIENT.replace("[elements]", 'when = { present = "sex" }\n[elements]', 1)
    patient = patient.replace("[[check]]", "", 1).replace('rule = "id_card"\ncolumn = "id_card"\n', "")
    region, zone = write_region(tmp_path / "region", {"encounter": ENCOUNTER, "patient": patient}), new_zone(tmp_path)
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1, sex="")]))
    assert run(spark, zone, region).pending == 1
    assert read_arrow(silver_table(zone, "Encounter").path, ["_pending"]).to_pylist() == [{"_pending": ["Patient"]}]
    deliver(zone, TUESDAY, "visit.csv", csv_of([visit(2, patient_no="P1")]))
    assert run(spark, zone, region).pending == 0
    assert ledger(zone)[f"{MONDAY}/visit.csv"]["mapped"] == 1


def test_no_name_number_or_phone_of_a_source_reaches_silver(spark, region: Region, zone: SiteZone) -> None:
    rows = [
        visit(n, visit_no=f"KEYV{n}7", patient_no=f"KEYP{n}7", name=f"王小明{n}", phone=f"1381234567{n}")
        | {"complaint": f"咳嗽，请回电1381234567{n}"}
        for n in range(1, 4)
    ]
    deliver(zone, MONDAY, "visit.csv", csv_of(rows))
    run(spark, zone, region)
    tables = [
        path for path in zone.lake.iterdir() if path.name.startswith(("silver", "superseded", "pending", "ledger"))
    ]
    decoded = "\n".join(repr(row) for path in tables for row in read_arrow(path).to_pylist())
    assert "咳嗽" in decoded
    secrets = {str(row[name]) for row in rows for name in ("visit_no", "patient_no", "name", "phone", "id_card")}
    assert not [secret for secret in secrets if secret in decoded]


def test_mapping_again_and_in_parts_gives_the_same_tables(spark, region: Region, tmp_path: Path) -> None:
    whole, parts = new_zone(tmp_path / "whole"), new_zone(tmp_path / "parts")
    for zone in (whole, parts):
        deliver(zone, MONDAY, "visit.csv", csv_of([visit(n) for n in range(1, 6)]))
        deliver(zone, TUESDAY, "visit.csv", csv_of([visit(2, temp="39"), visit(3, sex="?")]))
        deliver(zone, WEDNESDAY, "visit.csv", csv_of([visit(9, patient_no="P1")]))
    run(spark, whole, region)
    wanted = snapshot(whole)
    site = region.site("north")
    for day in (TUESDAY, MONDAY):
        run(spark, parts, region, [day])
    ingest_day(parts, site, WEDNESDAY)  # a run that ends here, and one that ends after mapping
    map_day(spark, parts, region, site, [WEDNESDAY])
    run(spark, parts, region, [WEDNESDAY])
    assert snapshot(parts) == wanted
    run(spark, parts, region)
    assert snapshot(parts) == wanted


def test_silver_is_not_built_over_a_day_that_is_not_mapped(spark, region: Region, zone: SiteZone) -> None:
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1)]))
    ingest_day(zone, region.site("north"), MONDAY)
    with pytest.raises(DataError, match=MONDAY):
        build_silver(spark, zone, region, region.site("north"))


def test_a_changed_spec_maps_every_day_again(spark, region: Region, zone: SiteZone, tmp_path: Path) -> None:
    for day, number in ((MONDAY, 1), (TUESDAY, 2)):
        deliver(zone, day, "visit.csv", csv_of([visit(number)]))
    run(spark, zone, region)
    mended = ENCOUNTER + '"priority.text" = { const = "routine" }\n'
    changed = write_region(tmp_path / "region", {**SPECS, "encounter": mended})
    run(spark, zone, changed, [TUESDAY])
    assert [row["priority"] for row in resources(zone, "Encounter")] == [{"text": "routine"}] * 2
    assert map_day(spark, zone, changed, changed.site("north"), []).days == {"his__visit": ()}


def test_silver_rows_lead_back_to_file_record_spec_and_terminology(spark, region: Region, zone: SiteZone) -> None:
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1), visit(2)]))
    run(spark, zone, region)
    rows = read_arrow(silver_table(zone, "Observation").path).to_pylist()
    assert {(row["_site"], row["_source"], row["_file_name"], row["_record_no"], row["_spec"]) for row in rows} == {
        ("north", "his__visit", "visit.csv", record, f"vitals_{item}")
        for record in (0, 1)
        for item in ("temperature", "pulse")
    }
    assert len({row["_spec_digest"] for row in rows}) == len({row["_terminology_version"] for row in rows}) == 1
    assert all(len(row[name]) == 64 for row in rows for name in ("_spec_digest", "_terminology_version"))
    assert read_arrow(superseded_table(zone).path).num_rows == 0


def test_references_lead_to_the_resources_they_mean(spark, region: Region, zone: SiteZone) -> None:
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(1), visit(2, patient_no=" Ｐ1 ")]))
    run(spark, zone, region)
    (patient,) = resources(zone, "Patient")
    encounters = {row["id"] for row in resources(zone, "Encounter")}
    assert {row["subject"]["reference"] for row in resources(zone, "Encounter")} == {f"Patient/{patient['id']}"}
    assert {row["encounter"]["reference"] for row in resources(zone, "Observation")} == {
        f"Encounter/{made}" for made in encounters
    }


def test_one_file_becomes_fhir_in_order_with_an_error_for_each_bad_record(
    spark, region: Region, tmp_path: Path
) -> None:
    path = tmp_path / "visit.csv"
    path.write_text(csv_of([visit(1), visit(2, sex="?"), visit(3, cancelled="1")]), encoding="utf-8")
    site = region.site("north")
    found = list(map_records(spark, bytes(32), region, site, site.sources[0], path))
    assert [cast(dict[str, Any], resource)["resourceType"] for resource in found[0]] == [
        "Encounter",
        "Patient",
        "Observation",
        "Observation",
    ]
    assert found[1:] == ["unmapped_code:administrative_gender (Patient.gender)", "skipped: cancelled_visit"]


def test_silver_passes_an_independent_validator_and_a_fault_is_named_without_its_value(
    spark, region: Region, zone: SiteZone
) -> None:
    deliver(zone, MONDAY, "visit.csv", csv_of([visit(n, temp="" if n % 2 else "37") for n in range(1, 9)]))
    run(spark, zone, region)
    report = validate_sample(zone, share=0.5)
    assert (report.rows, report.shapes) == (28, 3)
    table = silver_table(zone, "Patient")
    replace(spark, read(spark, table).withColumn("birthDate", F.lit("31.12.1949")), table)
    with pytest.raises(DataError, match=r"Patient\.birthDate") as error:
        validate_sample(zone)
    assert "1949" not in str(error.value)


def test_rows_of_files_with_other_leaves_are_other_shapes(spark, zone: SiteZone) -> None:
    table = silver_table(zone, "Patient")
    for day, name, value, first in ((MONDAY, "gender", "male", 0), (TUESDAY, "birthDate", "31.12.1949", 8)):
        rows = spark.createDataFrame(
            [(f"{first + n}", value, day) for n in range(8)], f"id string, {name} string, day string"
        )
        columns = {"id": F.col("id"), name: F.col(name), "_delivery_date": F.col("day")}
        filled = StructType([table.schema[column] for column in columns])
        replace(spark, rows, table, {"_delivery_date": [day]}, columns, filled)
    with pytest.raises(DataError, match=r"1 faults in 2 resources .*Patient\.birthDate"):
        validate_sample(zone, share=0)
