"""docs/how-to/start-from-a-template.md followed literally: its site, what lint prints, its own lines."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.region import TEMPLATES, load_region
from fhir_mapping.spec.model import load_emits

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "start-from-a-template.md").read_text(encoding="utf-8")
BEFORE, BEHIND = PAGE.split("## Override a line")
FILE = r"^`(regions/\S+)`\n```\w+\n(.*?)```"
FILES = re.findall(FILE, BEFORE, re.M | re.S)
OVERRIDES = re.findall(FILE, BEHIND, re.M | re.S)
COLUMN = re.search(r"```toml\n(\[\[column\]\]\n.*?)```", BEHIND, re.S)
COMMANDS = re.findall(r"```sh\n(cloister [^\n]*)\n```\n\n```\n(.*?)```", PAGE, re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout's regions with the site of the page."""
    shutil.copytree(ROOT / "regions" / "demo", tmp_path / "regions" / "demo")
    for path, body in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(body, encoding="utf-8")
    return tmp_path


def test_the_site_is_fewer_than_30_lines() -> None:
    assert len(FILES) == 4
    assert sum(len(body.splitlines()) for _, body in FILES) < 30


def test_the_page_lists_every_template() -> None:
    there = {path.parent.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.glob("*/*/source.toml")}
    assert set(re.findall(r"^\| `([a-z0-9]+/[a-z0-9_]+)`", PAGE, re.M)) == there


@pytest.mark.parametrize(("command", "printed"), COMMANDS)
def test_the_commands_print_what_the_page_shows(command: str, printed: str, folder: Path) -> None:
    program = Path(sys.executable).parent / "cloister"
    done = subprocess.run(
        [program, *command.split()[1:]], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


def test_the_lines_of_the_page_stand_over_the_templates(folder: Path) -> None:
    for path, body in OVERRIDES:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(body, encoding="utf-8")
    assert COLUMN is not None
    with (folder / "regions/demo/sites/harbor/sources/visits.toml").open("a", encoding="utf-8") as file:
        file.write(COLUMN[1])
    region = load_region(folder / "regions" / "demo")
    site = region.site("harbor")
    paths = {column.name: column.path for column in site.source("his__adt").column}
    assert paths["visit_no"] == "PV1-50.1 | PV1-19.1"
    found = load_emits(region.folder, site.folder, {source.name for source in site.sources})
    emits = {emit.name: emit for emit in found if emit.source == "his__appointment"}
    assert set(emits) == {"appointment"}
    assert "comment" not in emits["appointment"].elements
    assert {"priority", "start", "status"} <= set(emits["appointment"].elements)
