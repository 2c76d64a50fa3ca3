"""Names of files that are no UTF-8: read as text, once for landing, lint and conversion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.region import Site, Source
from contracts.zone import SiteZone
from fhir_mapping.file_names import name_text
from fhir_mapping.landing import delivered_files


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("门诊/二.csv".encode(), "门诊/二.csv"),
        ("门诊/二.csv".encode("gb18030"), "门诊/二.csv"),
        ("门诊/".encode() + "二.csv".encode("gb18030"), "门诊/二.csv"),
        (b"a\xff.csv", "a\\xff.csv"),
    ],
)
def test_a_name_is_text_whatever_its_bytes(raw: bytes, text: str) -> None:
    assert name_text(os.fsdecode(raw)) == text


def test_a_delivered_file_is_claimed_by_the_text_of_its_name(tmp_path: Path) -> None:
    day = tmp_path / "landing" / "2024-03-01"
    day.mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(day) + "/门诊_1.csv".encode("gb18030"))).write_bytes(b"no\nV1\n")
    told = {
        "system": "his",
        "entity": "visit",
        "files": ["门诊*.csv"],
        "format": "csv",
        "column": [{"name": "no"}],
    }
    source = Source.model_validate(told)
    site = Site(name="north", title="North", folder=tmp_path, sources=(source,))
    (found,) = delivered_files(SiteZone(tmp_path, "north"), site, "2024-03-01")
    assert (found.entry.file_name, found.entry.source) == ("门诊_1.csv", "his__visit")
