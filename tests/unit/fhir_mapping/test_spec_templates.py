"""Templates that come along: each compiles, and a site's lines stand over single lines of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import SpecError
from contracts.region import TEMPLATES, load_source, read_toml
from fhir_mapping.sources.cda_rows import Plan as CdaPlan
from fhir_mapping.sources.hl7v2_rows import Plan
from fhir_mapping.spec.templates import extended, shipped_specs, standing

SITE = 'template = "hl7v2/oru_r01"\nsystem = "lis"\nentity = "result"\nfiles = ["*.hl7"]\n'


def _site(folder: Path, text: str = SITE) -> Path:
    (folder / "sources").mkdir()
    (folder / "sources" / "result.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("file", sorted(TEMPLATES.glob("hl7v2/*/source.toml")), ids=lambda path: path.parent.name)
def test_every_column_of_a_template_is_a_path_that_its_specs_read(file: Path, tmp_path: Path) -> None:
    name = file.parent.relative_to(TEMPLATES).as_posix()
    site = _site(tmp_path, SITE.replace("hl7v2/oru_r01", name))
    source = load_source(site / "sources" / "result.toml")
    assert set(Plan.of(source).values) == {column.name for column in source.column}


def test_columns_of_a_template_are_replaced_one_by_one(tmp_path: Path) -> None:
    own = '[[column]]\nname = "sex"\npath = "PID-8.2"\n[[column]]\nname = "ward"\npath = "PV1-3.1"\n'
    source = load_source(_site(tmp_path, SITE + own) / "sources" / "result.toml")
    paths = {column.name: column.path for column in source.column}
    assert (paths["sex"], paths["ward"], paths["value_type"]) == ("PID-8.2", "PV1-3.1", "OBX-2")
    assert source.rows == "OBX"


def test_a_template_may_be_made_of_another_one(tmp_path: Path) -> None:
    site = _site(tmp_path, SITE.replace("hl7v2/oru_r01", "cda/laboratory_report").replace("*.hl7", "*.xml"))
    source = load_source(site / "sources" / "result.toml")
    assert (source.format, source.template) == ("cda", "cda/laboratory_report")
    names = {spec.name for spec in shipped_specs(site)}
    assert {"cda/wst500/result", "cda/wst500/report"} <= names
    assert set(CdaPlan.of(source).columns) == {column.name for column in source.column}


def test_an_unknown_template_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no template 'hl7v2/nope'.*hl7v2/adt"):
        load_source(_site(tmp_path, SITE.replace("oru_r01", "nope")) / "sources" / "result.toml")


def test_a_source_may_take_some_of_the_specs(tmp_path: Path) -> None:
    site = _site(tmp_path, SITE + 'template_specs = ["observation"]\n')
    assert [spec.name for spec in shipped_specs(site)] == ["hl7v2/oru_r01/observation"]
    left_out = [spec.name for spec in shipped_specs(site, left_out=True)]
    assert left_out == ["hl7v2/oru_r01/patient", "hl7v2/oru_r01/report"]
    (site / "sources" / "result.toml").write_text(SITE + 'template_specs = ["nope"]\n', encoding="utf-8")
    with pytest.raises(SpecError, match="nope: the template has observation, patient, report"):
        list(shipped_specs(site))


def test_a_spec_that_extends_a_shipped_one_stands_in_its_place(tmp_path: Path) -> None:
    site = _site(tmp_path)
    own = site / "observation.toml"
    own.write_text('extends = "hl7v2/oru_r01/observation"\nsource = "lis__result"\n', encoding="utf-8")
    left = standing(list(shipped_specs(site)), [own])
    assert [spec.name for spec in left] == ["hl7v2/oru_r01/patient", "hl7v2/oru_r01/report"]


def test_single_elements_are_replaced_added_and_taken_out() -> None:
    body = {
        "extends": "hl7v2/oru_r01/patient",
        "source": "lis__result",
        "elements": {"birthDate": False, "gender": {"column": "sex"}, "active": {"const": True}},
    }
    found = extended(Path("x.toml"), body)
    assert found["elements"]["gender"] == {"column": "sex"}
    assert "birthDate" not in found["elements"]
    assert set(found["elements"]) == {"gender", "maritalStatus", "active"}
    assert found["key"] == ["patient_no"]
    assert "extends" not in found


def test_identities_of_shipped_specs_are_those_of_their_source() -> None:
    body = {"extends": "hl7v2/oru_r01/report", "source": "lis__result"}
    assert extended(Path("x.toml"), body)["identity"] == "lis__result.report"
    assert read_toml(TEMPLATES / "hl7v2/oru_r01/report.toml")["identity"] == "$source.report"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"extends": "hl7v2/oru_r01/nope", "source": "a__b"}, "no spec 'hl7v2/oru_r01/nope' comes along"),
        ({"extends": "hl7v2/oru_r01/source", "source": "a__b"}, "comes along"),
        ({"extends": "../../terminology/x", "source": "a__b"}, "comes along"),
        ({"extends": "hl7v2/oru_r01/report"}, "say for which source"),
    ],
)
def test_what_cannot_be_extended_is_refused(body: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        extended(Path("x.toml"), body)
