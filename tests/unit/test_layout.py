"""The folders, the packages that are installed and the layers that import-linter checks are one list."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = set(SETTINGS["tool"]["setuptools"]["packages"])
NOT_INSTALLED = {"tests", "benchmarks"}


def folders_with_code() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    folders = {str(Path(name).parent).replace("/", ".") for name in listed.stdout.split()}
    return {folder for folder in folders if folder != "." and folder.split(".")[0] not in NOT_INSTALLED}


def layers() -> set[str]:
    contract = next(c for c in SETTINGS["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return {name.strip() for layer in contract["layers"] for name in layer.split("|")}


def test_every_folder_with_code_is_an_installed_package() -> None:
    assert folders_with_code() == PACKAGES


def test_every_top_folder_is_known_to_import_linter() -> None:
    top = {name.split(".")[0] for name in PACKAGES}
    assert set(SETTINGS["tool"]["importlinter"]["root_packages"]) == top


def test_every_top_folder_but_the_generator_has_a_layer() -> None:
    top = {name.split(".")[0] for name in PACKAGES}
    assert layers() == top - {"synthetic"}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_opens_by_saying_what_belongs_in_it(package: str) -> None:
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    words = ast.get_docstring(ast.parse(source)) or ""
    assert len(words.split()) >= 8
    if "." not in package:
        assert "not belong" in " ".join(words.split())


def test_no_file_names_a_registry_host() -> None:
    listed = subprocess.run(
        ["git", "grep", "-lE", "pypi[.]org|pythonhosted[.]org|repo1?[.]maven[.]|registry[.]npmjs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.stdout.split() == []
