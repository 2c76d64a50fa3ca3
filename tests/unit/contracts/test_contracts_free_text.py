"""A task reads no free text that its region does not allow: told from its views alone, by lint and before a run."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import SpecError
from contracts.feature_rules import require_allowed_text
from contracts.fhir.free_text import free_text_paths
from contracts.fhir.view_definition import parse_view
from contracts.region import load_region
from features.build import build_features
from fhir_mapping.spec.lint import lint_folder
from pipelines.console import Console
from pipelines.run import run_region
from pipelines.settings import Settings

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"


def read(resource: str, *paths: str, **select: Any) -> set[str]:
    columns = [{"name": f"c{number}", "path": path} for number, path in enumerate(paths)]
    where = select.pop("where", [])
    view = {"resource": resource, "select": [{"column": columns, **select}], "where": where}
    return set(free_text_paths(parse_view(view)))


@pytest.mark.parametrize(
    ("resource", "path", "found"),
    [
        ("Encounter", "reasonCode.text", {"Encounter.reasonCode.text"}),
        ("Encounter", "Encounter.reasonCode.first().text", {"Encounter.reasonCode.text"}),
        ("Encounter", "reasonCode[0].text.exists()", {"Encounter.reasonCode.text"}),
        ("Encounter", "reasonCode.where(text = 'x').coding.code", {"Encounter.reasonCode.text"}),
        ("Encounter", "reasonCode.text.join(',')", {"Encounter.reasonCode.text"}),
        ("Encounter", "reasonCode.coding.code", set()),
        ("Encounter", "serviceType.coding.where(system = 'urn:dept').code", set()),
        ("Encounter", "subject.getReferenceKey(Patient)", set()),
        ("Observation", "value.ofType(Quantity).value", set()),
        ("Observation", "value.ofType(string)", {"Observation.valueString"}),
        ("Observation", "value.ofType(System.String)", {"Observation.valueString"}),
        ("Observation", "value.ofType(codeableConcept).text", {"Observation.valueCodeableConcept.text"}),
        ("Observation", "valueString", {"Observation.valueString"}),
        ("Observation", "value", {"Observation.valueString"}),
        ("Observation", "component.value.ofType(string)", {"Observation.component.valueString"}),
        ("Observation", "note.text", {"Observation.note.text"}),
        (
            "Patient",
            "extension('urn:x').value.ofType(CodeableConcept).text",
            {"Patient.extension.valueCodeableConcept.text"},
        ),
        ("Patient", "extension('urn:x').value.ofType(Coding).code", set()),
    ],
)
def test_free_text_of_a_column_is_found(resource: str, path: str, found: set[str]) -> None:
    assert read(resource, path) == found


def test_free_text_is_found_in_conditions_rows_and_nested_selects() -> None:
    text = {"Encounter.reasonCode.text"}
    assert read("Encounter", "id", where=[{"path": "reasonCode.text = 'x'"}]) == text
    assert read("Encounter", "text", forEach="reasonCode") == text
    assert (
        read("Encounter", "id", select=[{"forEachOrNull": "reasonCode", "column": [{"name": "t", "path": "text"}]}])
        == text
    )
    union = [{"column": [{"name": "t", "path": "reasonCode.text"}]}, {"column": [{"name": "t", "path": "id"}]}]
    assert read("Encounter", "id", unionAll=union) == text
    answers = read("QuestionnaireResponse", "answer.value.ofType(string)", repeat=["item", "answer.item"])
    assert "QuestionnaireResponse.item.answer.valueString" in answers


@pytest.fixture
def region(tmp_path: Path) -> Path:
    """The demo region with an allow-list that its triage task does not fit."""
    folder = tmp_path / "region"
    shutil.copytree(DEMO, folder)
    path = folder / "region.toml"
    path.write_text('free_text = ["Observation.valueString"]\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def test_a_task_that_asks_for_text_that_is_not_allowed_is_refused_everywhere(region: Path, tmp_path: Path) -> None:
    words = r"view \.\./views/visits\.json reads the free text Encounter\.reasonCode\.text, which region\.toml does not"
    loaded, settings = load_region(region), Settings(region=region, work=tmp_path / "work")
    with pytest.raises(SpecError, match=f"task 'triage': {words}"):
        require_allowed_text(loaded, loaded.task("triage"))
    with pytest.raises(SpecError, match=words):
        run_region(settings, Console(io.StringIO()))
    assert not settings.work.exists()
    with pytest.raises(SpecError, match=words):
        build_features(None, settings.area.site("north"), loaded, "triage")
    found = [one for one in lint_folder(region) if one.rule == "free_text"]
    assert {Path(one.file).name for one in found} >= {"triage.toml"}
    assert all(one.level == "error" and one.line > 1 for one in found)


def test_a_task_that_fits_the_list_and_a_region_without_one_are_not(region: Path) -> None:
    path = region / "region.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Observation.valueString", "Encounter.reasonCode.text"), encoding="utf-8")
    for folder in (region, DEMO):
        loaded = load_region(folder)
        for task in loaded.tasks:
            require_allowed_text(loaded, task)
        assert not [one for one in lint_folder(folder) if one.rule == "free_text"]
