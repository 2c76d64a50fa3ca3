"""The shipped tables are what the generator makes of the official ones, and every line of them can be run."""

import os
from pathlib import Path

import pytest

import fhir_mapping.hl7v2
from fhir_mapping.hl7v2 import Tables
from fhir_mapping.hl7v2.compile import compile_map
from fhir_mapping.hl7v2.generate import main

HERE = Path(fhir_mapping.hl7v2.__file__).parent
ROOT = Path(__file__).parents[3]
EMPTY = (
    "ContainerType", "DietType", "DischargeDisposition", "FinancialClass", "PlanId", "RoutingInstruction",
    "SpecimenSourceSite", "VIPIndicator",
)  # fmt: skip
OFFICIAL = (
    Path(os.environ.get("CLOISTER_DATA", ROOT.parent / "shared" / "data"))
    / "hl7v2-to-fhir-pairs"
    / "hl7-mapping-tables"
)


def test_every_map_that_is_used_compiles():
    tables = Tables.load()
    not_used = {"NTE[DocumentReference]", "OBX[Observation-Component]"}
    for name, lines in tables.maps.items():
        if name not in not_used:
            compile_map(name, name[4:-1].split("-")[0], lines)


def test_every_code_map_that_a_line_names_exists():
    """Some official code maps hold no v2 code at all: those are named, with their file, and leave codes as they are."""
    tables = Tables.load()
    named = {line.codes for lines in tables.maps.values() for line in lines if line.codes}
    assert named - tables.codes.keys() <= set(EMPTY)


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason=f"no official tables at {OFFICIAL}; set CLOISTER_DATA")
def test_the_shipped_tables_are_generated(tmp_path, capsys):
    main([str(OFFICIAL), str(tmp_path)])
    assert "lines used" in capsys.readouterr().out
    for name in ("segments.csv", "codes.csv", "left_out.csv"):
        assert (tmp_path / name).read_text("utf-8") == (HERE / "generated" / name).read_text("utf-8")
