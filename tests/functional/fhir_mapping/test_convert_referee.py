"""HAPI's validator, which checks what no Python model does, finds nothing wrong with what ``map convert`` writes."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fhir_referee import RefereeUnavailableError, open_referee

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
FORMATS = {"hl7v2": "hl7v2-to-fhir-pairs", "cda": "ccda-to-fhir-pairs", "fhir": "synthea-fhir-r4/transaction-bundles"}
MOST_RESOURCES = 600
"""Of each format: one JVM gets through about 40 a second."""


@pytest.mark.timeout(1500)
def test_the_validator_finds_no_error_in_what_the_converter_writes(tmp_path: Path) -> None:
    try:
        referee = open_referee()
    except RefereeUnavailableError as error:
        pytest.skip(f"HAPI's validator cannot run: {error}")
    absent = [name for name in FORMATS.values() if not (DATA / name).is_dir()]
    if absent:
        pytest.skip(f"public data not at hand: {', '.join(absent)}")
    files = [file for form, name in FORMATS.items() for file in sample(convert(form, DATA / name, tmp_path / form))]
    assert files
    issues = referee.issues(files)
    assert [(i.source, i.message_id, i.location, i.text) for i in issues] == []


def convert(form: str, folder: Path, out: Path) -> list[Path]:
    program = Path(sys.executable).parent / "cloister"
    subprocess.run([program, "map", "convert", "--format", form, folder, "--out", out], check=True, capture_output=True)
    return sorted(path for path in out.rglob("*.json") if path.name != "ledger.json")


def sample(files: list[Path]) -> list[Path]:
    """A seeded choice of bundles with at most ``MOST_RESOURCES`` resources together."""
    chosen: list[Path] = []
    resources = 0
    for file in random.Random(20261122).sample(files, len(files)):
        resources += len(json.loads(file.read_bytes())["entry"])
        if resources > MOST_RESOURCES and chosen:
            break
        chosen.append(file)
    return chosen
