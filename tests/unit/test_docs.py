"""What the pages at the root say about files and tests is true."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from contracts.region import load_region
from pipelines.workspace import workspace_text

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "README.zh-CN.md", "SECURITY.md", "CONTRIBUTING.md")
MADE_LATER = ("work/", "benchmarks/results", ".venv/", "requirements.txt")


def test_every_file_that_security_names_exists() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z_]+/)+[A-Za-z0-9_.]*)`", text)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_test_that_security_names_exists() -> None:
    named = re.findall(r"`(test_[a-z_]+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert named
    for name in named:
        found = subprocess.run(["git", "grep", "-q", f"def {name}(", "--", "tests"], cwd=ROOT, check=False)
        assert found.returncode == 0, name


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_links_between_docs_lead_somewhere() -> None:
    broken = []
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_the_workspace_file_is_that_of_the_demo_region() -> None:
    region = load_region(ROOT / "regions" / "demo")
    assert (ROOT / "workspace.yaml").read_text(encoding="utf-8") == workspace_text(region)
