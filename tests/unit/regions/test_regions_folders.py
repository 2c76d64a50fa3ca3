"""The region folders that come along: they load, their views parse, their maps are reviewed and whole."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from pathlib import Path

import pytest

from contracts.fhir.view_definition import parse_view, read_view
from contracts.region import load_region

ROOT = Path(__file__).resolve().parents[3]
REGIONS = ROOT / "regions"
DATA = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
NAMES = ("demo", "heart", "triage")
DIRECTORY = "urn:cloister:cs:departments-cn"
REGIONAL = "urn:cloister:cs:departments-region-triage"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs the public data sets: put them beside the checkout or set CLOISTER_DATA"
)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NAMES)
def test_a_region_loads_with_at_least_four_sites_and_tasks_that_are_served(name: str) -> None:
    region = load_region(REGIONS / name)
    assert len(region.sites) >= 4 and region.tasks and region.public_data
    for task in region.tasks:
        assert task.service is not None and set(task.class_names) == set(task.features.label.classes)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_parses_and_every_view_that_a_task_names_is_there(name: str) -> None:
    for path in (REGIONS / name / "views").glob("*.json"):
        parse_view(read_view(path))
    for task in load_region(REGIONS / name).tasks:
        spec = task.features
        views = [spec.unit.view, *(j.view for j in spec.join), *(p.view for p in spec.pivot), spec.label.view]
        assert all((task.folder / view).is_file() for view in views if view)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_plausible_bounds(name: str) -> None:
    for task in load_region(REGIONS / name).tasks:
        assert all(i.plausible for i in task.features.input if i.kind == "number")


@pytest.mark.parametrize("path", sorted(REGIONS.rglob("maps/*.csv")), ids=lambda p: str(p.relative_to(REGIONS)))
def test_a_map_names_each_source_text_once_and_always_a_code_of_a_system(path: Path) -> None:
    rows = _read(path)
    sources = [row["source"] for row in rows]
    assert rows and len(sources) == len(set(sources))
    assert all(row["target_system"] and row["target_code"] and row["target_display"] for row in rows)


def test_one_department_code_has_one_name_and_one_system() -> None:
    rows = _read(REGIONS / "triage" / "maps" / "department.csv")
    seen: dict[str, tuple[str, str]] = {}
    for row in rows:
        named = (row["target_system"], row["target_display"])
        assert seen.setdefault(row["target_code"], named) == named


def test_every_decision_of_the_department_map_has_a_note() -> None:
    rows = _read(REGIONS / "triage" / "maps" / "department.csv")
    assert all(row["note"] for row in rows)
    assert {row["target_system"] for row in rows} == {DIRECTORY, REGIONAL}


def test_a_regional_code_can_be_told_from_a_code_of_the_directory() -> None:
    for row in _read(REGIONS / "triage" / "maps" / "department.csv"):
        assert ("R" in row["target_code"]) == (row["target_system"] == REGIONAL)


@needs_data
def test_codes_of_the_directory_are_really_in_it_under_their_name() -> None:
    names = {row["code"]: row["name"] for row in _read(DATA / "terminology-cn" / "departments_cn.csv")}
    for path in REGIONS.rglob("maps/department.csv"):
        for row in _read(path):
            if row["target_system"] == DIRECTORY:
                assert names[row["target_code"]] == row["target_display"]


@needs_data
def test_a_name_that_the_directory_has_never_takes_a_regional_code() -> None:
    # subjects below 50 are Chinese medicine under everyday names (内科专业, 肛肠科专业): another thing of the same name
    directory = _read(DATA / "terminology-cn" / "departments_cn.csv")
    names = {row["name"] for row in directory if row["parent"] != "50"}
    for row in _read(REGIONS / "triage" / "maps" / "department.csv"):
        if row["target_system"] == REGIONAL:
            assert row["source"] not in names and f"{row['source']}专业" not in names


@needs_data
def test_every_department_name_in_the_data_is_in_the_reviewed_map_and_its_code_is_a_class() -> None:
    codes = {row["source"]: row["target_code"] for row in _read(REGIONS / "triage" / "maps" / "department.csv")}
    with gzip.open(DATA / "toyhom-internal-medicine" / "questions.csv.gz") as file:
        names = {row["department"] for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline=""))}
    with gzip.open(DATA / "midmed-departments" / "complaints.jsonl.gz") as file:
        names |= {name for line in file for name in json.loads(line)["departments"]}
    classes = load_region(REGIONS / "triage").task("triage").features.label.classes
    assert names <= set(codes)
    assert {codes[name] for name in names} == set(classes)


def test_what_was_written_after_triage_is_no_column() -> None:
    for site in load_region(REGIONS / "triage").sites:
        for source in site.sources:
            named = {column.name for column in source.column} | {column.path for column in source.column}
            assert not named & {"answer", "dialog", "annotations", "departments_raw"}
