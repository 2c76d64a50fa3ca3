"""What stands under a condition is there where it holds, breaks rules there only, and shares nothing with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from small_site import deliver, new_zone, resources, rules, run, write_region

from fhir_mapping.identity.key import load_key
from fhir_mapping.mapping import compile_site

BODY = '"status" = { const = "final" }\n"code" = { code = "8310-5", system = "http://loinc.org" }\n'


def _spec(resource: str, elements: str, when: str = "") -> str:
    head = f'source = "his__visit"\nresource = "{resource}"\nkey = ["no"]\n'
    return f"{head}{when}\n[elements]\n{elements}\n"


def _mapped(spark: SparkSession, folder: Path, specs: dict[str, str], lines: list[str], **maps: str) -> Any:
    """The zone of a site after a day of records with the columns no, kind, x."""
    region = write_region(folder / "region", specs, ("no", "kind", "x"), maps)
    zone = new_zone(folder / "zone")
    deliver(zone, "2026-03-02", "visit.csv", "\n".join(["no,kind,x", *lines]) + "\n")
    run(spark, zone, region)
    return zone


def test_a_date_breaks_a_rule_only_for_the_emit_that_wants_the_record(spark: SparkSession, tmp_path: Path) -> None:
    specs = {
        "seen": _spec(
            "Observation", BODY + '"effectiveDateTime" = { date = "x" }', 'when = { column = "kind", in = ["a"] }'
        ),
        "person": _spec("Patient", '"active" = { const = true }', 'when = { column = "kind", in = ["b"] }'),
    }
    zone = _mapped(spark, tmp_path, specs, ["1,a,2024-03-01", "2,a,never", "3,b,never"])
    assert rules(zone) == {("visit.csv", 1): ["bad_date"]}
    assert [row["effectiveDateTime"] for row in resources(zone, "Observation")] == ["2024-03-01"]
    assert len(resources(zone, "Patient")) == 1


def test_a_value_that_two_emits_share_is_there_for_both(spark: SparkSession, tmp_path: Path) -> None:
    specs = {
        "seen": _spec(
            "Observation", BODY + '"effectiveDateTime" = { date = "x" }', 'when = { column = "kind", in = ["a"] }'
        ),
        "born": _spec("Patient", '"active" = { const = true }\n"birthDate" = { date = "x" }'),
    }
    zone = _mapped(spark, tmp_path, specs, ["1,a,2024-03-01", "2,b,2024-03-02"])
    assert [row["effectiveDateTime"] for row in resources(zone, "Observation")] == ["2024-03-01"]
    assert sorted(row["birthDate"] for row in resources(zone, "Patient")) == ["2024-03-01", "2024-03-02"]


def test_elements_under_conditions_are_chosen_record_by_record(spark: SparkSession, tmp_path: Path) -> None:
    elements = BODY + "\n".join(
        [
            '"valueQuantity" = { quantity = "x", when = { column = "kind", in = ["n", "b"] } }',
            '"valueInteger" = { column = "x", when = { all = [',
            '  { column = "kind", in = ["i", "b"] }, { present = "x" },',
            "] } }",
            '"valueString" = { first_of = [{ column = "x", when = { column = "kind", in = ["s"] } },',
            '  { column = "kind", when = { absent = "x" } }] }',
        ]
    )
    lines = ["1,n,5.60", "2,i,7", "3,s,high", "4,z,", "5,b,3", "6,n,high"]
    zone = _mapped(spark, tmp_path, {"seen": _spec("Observation", elements)}, lines)
    values = [{name: row[name] for name in row if name.startswith("value")} for row in resources(zone, "Observation")]
    assert sorted(values, key=str) == [
        {"valueInteger": 7},
        {"valueQuantity": {"value": 5.6}},
        {"valueString": "high"},
        {"valueString": "z"},
    ]
    assert rules(zone) == {("visit.csv", 4): ["several_values"], ("visit.csv", 5): ["not_a_number"]}


def test_large_and_small_code_maps_read_alike(spark: SparkSession, tmp_path: Path) -> None:
    head = "source,target_system,target_code,target_display,note\n"
    small, middle, large = (head + "".join(f"t{n},urn:map,c{n},,\n" for n in range(count)) for count in (5, 40, 200))
    elements = '"status" = { const = "final" }\n"code.text" = { column = "x" }\n' + "\n".join(
        f'"code.coding[{place}]" = {{ lookup = "{name}", column = "x", on_missing = "null"{when} }}'
        for place, (name, when) in enumerate(
            [
                ("small", ""),
                ("middle", ""),
                ("large", ""),
                ("middle", ', when = { column = "kind", in = ["a"] }'),
            ]
        )
    )
    zone = _mapped(
        spark,
        tmp_path,
        {"seen": _spec("Observation", elements)},
        ["1,a,t3", "2,b,t39", "3,b,t150", "4,b,t999"],
        small=small,
        middle=middle,
        large=large,
    )
    found = {
        row["code"]["text"]: [coding["code"] for coding in row["code"].get("coding", [])]
        for row in resources(zone, "Observation")
    }
    assert found == {"t3": ["c3"] * 4, "t39": ["c39"] * 2, "t150": ["c150"], "t999": []}


def test_the_id_of_a_reference_under_a_condition_stays_by_itself(tmp_path: Path) -> None:
    """Who is referred to may be replaced later: the id must be found among the stored values."""
    subject = '"subject" = { reference = "Patient", key = ["no"], when = { column = "kind", in = ["a"] } }'
    region = write_region(tmp_path / "region", {"seen": _spec("Observation", BODY + subject)}, ("no", "kind", "x"))
    zone = new_zone(tmp_path / "zone")
    mapping = compile_site(region, region.site("north"), load_key(zone))["his__visit"]
    assert len(mapping.ids_of("Patient")) == 1
