from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import SpecError
from contracts.fhir import BINDINGS
from fhir_mapping.terminology.code_map import GENERAL, load_map, terminology_version

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
