from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from contracts.errors import SpecError
from contracts.fhir import BINDINGS
from fhir_mapping.terminology.code_map import GENERAL, load_map, terminology_version
from fhir_mapping.terminology.code_system import system_uri
from fhir_mapping.terminology.unit_conversion import conversions

DATA = Path(os.environ.get("CLOISTER_DATA", Path(__file__).parents[4] / "shared" / "data"))
HEADER = "source,target_system,target_code,target_display\n"


@pytest.mark.parametrize("path", sorted(GENERAL.glob("*.csv")), ids=lambda path: path.stem)
def test_general_maps_can_be_read(path: Path) -> None:
    assert load_map(path.stem, []).rows


@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("administrative_gender", "administrative-gender"),
        ("condition_clinical", "condition-clinical"),
        ("condition_verification", "condition-ver-status"),
    ],
)
def test_general_maps_stay_inside_the_required_lists(name: str, binding: str) -> None:
    targets = load_map(name, []).rows.values()
    assert {t.code for t in targets} <= BINDINGS[binding].codes
    assert {t.system for t in targets} == {BINDINGS[binding].system}


def test_the_nearest_map_wins_whole(tmp_path: Path) -> None:
    for folder, code in (("site", "S"), ("region", "R")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ucum.csv").write_text(HEADER + f"x,urn:u,{code},\n", encoding="utf-8")
    assert set(load_map("ucum", [tmp_path / "site", tmp_path / "region"]).rows) == {"x"}
    assert load_map("ucum", [tmp_path / "none", tmp_path / "region"]).rows["x"].code == "R"
    assert "mg/L" in load_map("ucum", [tmp_path / "none"]).rows


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("a,b\n", "header"),
        (HEADER + ",urn:s,1,\n", "line 2: needs source and target_code"),
        (HEADER + "a,urn:s,,\n", "line 2: needs source and target_code"),
        (HEADER + "a,urn:s,1,\nａ,urn:s,2,\n", "line 3: source 'a' has two meanings"),
    ],
)
def test_a_wrong_map_is_refused_with_its_line(tmp_path: Path, body: str, says: str) -> None:
    (tmp_path / "m.csv").write_text(body, encoding="utf-8")
    with pytest.raises(SpecError, match=says):
        load_map("m", [tmp_path])


def test_the_version_follows_the_meaning_not_the_layout(tmp_path: Path) -> None:
    def version(body: str) -> str:
        (tmp_path / "m.csv").write_text(HEADER + body, encoding="utf-8")
        return terminology_version([load_map("m", [tmp_path])])

    assert version("a,urn:s,1,\nb,urn:s,2,\n") == version("b,urn:s,2,\na,urn:s,1,\n")
    assert version("a,urn:s,1,\nb,urn:s,2,\n") != version("a,urn:s,1,\nb,urn:s,3,\n")


CLINICAL_TO_INSURANCE = "# version: 2.0\n# from: icd10_cn_clinical_2\n# to: icd10_cn_insurance_2\n"
INSURANCE = "urn:cn:nhsa:icd-10:2"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("# version: 1\n# version: 2\n" + HEADER, "line 2: write '# key: value' once"),
        ("# colour: red\n" + HEADER, "once each of version, standard, from, to"),
        ("# from: icd10_cn_clinical_2\n" + HEADER, "give both"),
        (
            "# from: icd10_cn_insurance_2\n# to: icd10_cn_clinical_2\n"
            + HEADER
            + "I10.x00,urn:cn:nhc:icd-10:clinical:2,I10,\n",
            "is n:1, and this is its inverse",
        ),
        (CLINICAL_TO_INSURANCE + HEADER + "I10.x00,urn:other,I10,\n", "target_system is urn:cn:nhsa:icd-10:2"),
        (
            CLINICAL_TO_INSURANCE + HEADER + f"a,{INSURANCE},1,\na,{INSURANCE},2,\n",
            "line 6: source 'a' has two meanings",
        ),
    ],
)
def test_a_map_that_cannot_be_trusted_is_refused(tmp_path: Path, body: str, says: str) -> None:
    (tmp_path / "m.csv").write_text(body, encoding="utf-8")
    with pytest.raises(SpecError, match=says):
        load_map("m", [tmp_path])


def test_many_clinical_codes_may_become_one_of_the_insurance_edition(tmp_path: Path) -> None:
    rows = f"H81.400,{INSURANCE},H81.4,\nH81.400x003,{INSURANCE},H81.4,\n"
    (tmp_path / "m.csv").write_text(CLINICAL_TO_INSURANCE + HEADER + rows, encoding="utf-8")
    found = load_map("m", [tmp_path])
    assert found.version == "2.0" and {target.code for target in found.rows.values()} == {"H81.4"}


def test_every_general_map_says_its_version_and_standard() -> None:
    for path in GENERAL.glob("*.csv"):
        about = load_map(path.stem, []).about
        assert about.get("version") and about.get("standard"), path.name


def test_all_ethnic_groups_and_departments_are_there() -> None:
    groups = {target.code for target in load_map("ethnic_group", []).rows.values()}
    assert len(groups) == 56
    department = load_map("department", []).rows
    assert department["心内科"].code == department["03.04"].code == "03.04"


def test_the_names_of_systems_stand_for_their_uris() -> None:
    assert system_uri("@icd10_cn_clinical_2") == "urn:cn:nhc:icd-10:clinical:2"
    assert system_uri("http://loinc.org") == "http://loinc.org"
    with pytest.raises(ValueError, match="no code system '@icd11'"):
        system_uri("@icd11")


def test_laboratory_codes_and_names_agree_with_the_public_mapping() -> None:
    path = DATA / "terminology-cn" / "lab_items_zh_loinc.csv"
    if not path.is_file():
        pytest.skip("needs the public data (CLOISTER_DATA)")
    public: dict[str, set[str]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            public.setdefault(row["loinc"], set()).add(row["loinc_name"].lower())
    targets = {target.code: target.display for target in load_map("lab_item", []).rows.values()}
    both = {code for code in targets if code in public}
    assert len(targets) >= 120 and len(both) >= 90
    assert {code for code in both if targets[code].lower() not in public[code]} == set()


def test_each_analyte_has_one_canonical_unit_and_factors_agree_both_ways() -> None:
    units: dict[str, set[str]] = {}
    for row in conversions():
        assert row.factor > 0
        if row.analyte:
            units.setdefault(row.analyte, set()).add(row.to_unit)
    assert {code for code, found in units.items() if len(found) != 1} == set()
    glucose = {row.from_unit: row.factor for row in conversions() if row.analyte == "14749-6"}
    assert glucose["g/L"] / glucose["mg/dL"] == pytest.approx(100, rel=1e-6)
