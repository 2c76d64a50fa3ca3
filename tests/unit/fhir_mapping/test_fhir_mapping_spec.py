"""What a spec may say, and what it is told when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_site import ENCOUNTER, VITALS, write_region

from contracts.errors import SpecError
from fhir_mapping.mapping import compile_site
from fhir_mapping.spec.conditions import checked_regex
from fhir_mapping.spec.formats import compile_format
from fhir_mapping.spec.model import read_spec

KEY = bytes(32)


def compiled(folder: Path, **specs: str) -> None:
    region = write_region(folder, specs)
    compile_site(region, region.sites[0], KEY)


def test_a_right_spec_compiles_to_one_column_an_emit(spark, tmp_path: Path) -> None:
    region = write_region(tmp_path, {"encounter": ENCOUNTER, "vitals": VITALS})
    mapping = compile_site(region, region.sites[0], KEY)["his__visit"]
    columns = [name for name in mapping.schema.names if name.startswith("emit_")]
    assert columns == ["emit_encounter", "emit_vitals_temperature", "emit_vitals_pulse"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"status" = { const = "finished" }', '"status" = { const = "done" }', "'done' is not in the required list"),
        ('"status" = { const = "finished" }', "", r"FHIR requires Encounter.status"),
        ('"reasonCode[0].text"', '"reasonCode[1].text"', r"indices \[1\] have a gap"),
        ('"reasonCode[0].text"', '"reasonCode.text"', "is a list"),
        ('"reasonCode[0].text"', '"reasonCode[0]"', "map its parts"),
        ('"reasonCode[0].text"', '"colour"', "has no element 'colour'"),
        ('column = "complaint"', 'column = "complain"', "no column 'complain'"),
        ('lookup = "department"', 'lookup = "departement"', "no code map 'departement'"),
        ('reference = "Patient"', 'reference = "Observation"', "allowed: Patient"),
        (
            '"subject" = { reference',
            '"subject" = { lookup = "department", column',
            "does not take this expression|Extra",
        ),
        (
            '{ datetime = "visit_time" }',
            '{ datetime = "visit_time", formats = ["yyyy-QQ"] }',
            "letters 'QQ' are unknown",
        ),
        ('{ datetime = "visit_time" }', '{ datetime = "visit_time", zone = "Asia/Nowhere" }', "no time zone"),
        ('{ column = "complaint" }', '{ column = "complaint", extract = "\\\\d+" }', "outside the dialect"),
        ('{ column = "complaint" }', '{ column = "complaint", colour = 1 }', "Extra inputs"),
        ('{ column = "complaint" }', "{ }", "no operator"),
        ('key = ["visit_no"]', "key = []", "key"),
        ('resource = "Encounter"', 'resource = "Person"', "resource"),
        ('skip_rule = "cancelled_visit"', 'skip_role = "x"', "skip_role"),
        ('in = ["1", "是"]', 'inn = ["1"]', "skip_when"),
    ],
)
def test_a_wrong_spec_is_refused_with_file_and_reason(tmp_path: Path, spark, old: str, new: str, says: str) -> None:
    assert old in ENCOUNTER
    with pytest.raises(SpecError, match=says) as error:
        compiled(tmp_path, encounter=ENCOUNTER.replace(old, new))
    assert "encounter.toml" in str(error.value) or "departement" in str(error.value)


def test_a_code_map_that_leads_outside_a_required_list_is_refused(spark, tmp_path: Path) -> None:
    spec = 'source = "his__visit"\nresource = "Patient"\nkey = ["patient_no"]\n[elements]\n'
    with pytest.raises(SpecError, match="03, 04, 13: not in the required list administrative-gender"):
        compiled(tmp_path, patient=spec + '"gender" = { lookup = "department", column = "sex" }\n')


def test_two_orders_of_one_source_are_refused(spark, tmp_path: Path) -> None:
    other = VITALS.replace('key = ["visit_no"]', 'key = ["visit_no"]\norder_by = "visit_time"', 1)
    with pytest.raises(SpecError, match="order_by differs"):
        compiled(tmp_path, encounter=ENCOUNTER, vitals=other)


def test_a_repeat_fills_in_its_names_with_their_types(tmp_path: Path) -> None:
    path = tmp_path / "vitals.toml"
    path.write_text(VITALS, encoding="utf-8")
    first, second = read_spec(path)
    assert (first.name, second.name) == ("vitals_temperature", "vitals_pulse")
    assert first.when is not None and first.when.present == "temp"
    assert first.digest == second.digest


def test_a_repeat_without_a_name_that_the_spec_uses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vitals.toml"
    path.write_text(VITALS.replace('code = "8867-4"\n', ""), encoding="utf-8")
    with pytest.raises(SpecError, match="item 'pulse' has no 'code'"):
        read_spec(path)


def test_a_spec_shared_by_the_region_is_replaced_by_the_site_s_own(spark, tmp_path: Path) -> None:
    region = write_region(tmp_path, {})
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "encounter.toml").write_text(ENCOUNTER, encoding="utf-8")
    (tmp_path / "specs" / "other.toml").write_text(ENCOUNTER.replace("his__visit", "lis__item"), encoding="utf-8")
    assert [e.skip_rule for e in compile_site(region, region.sites[0], KEY)["his__visit"].emits] == ["cancelled_visit"]
    own = ENCOUNTER.replace("cancelled_visit", "called_off")
    (tmp_path / "sites" / "north" / "specs" / "encounter.toml").write_text(own, encoding="utf-8")
    assert [e.skip_rule for e in compile_site(region, region.sites[0], KEY)["his__visit"].emits] == ["called_off"]


def test_patterns_are_brought_to_one_form() -> None:
    assert checked_regex(r"^Patient/(.+)$") == r"Patient/([^\r\n]+)"
    assert checked_regex(r"a\.b[.]") == r"a\.b[.]"


@pytest.mark.parametrize("text", ["MM-dd", "yyyyMd", "yyyy-MM-dd MM", "yyyy-MM-dd mm", "yyyy EEE"])
def test_date_formats_with_gaps_or_open_ends_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="date format"):
        compile_format(text)
