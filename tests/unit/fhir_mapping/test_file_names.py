"""Names of files that are no UTF-8: read as text, once for landing, lint and conversion."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    found = _delivered(tmp_path, ["门诊_1.csv".encode("gb18030")])
    assert found == [("门诊_1.csv", "his__visit")]


def test_one_name_in_two_encodings_is_two_files(tmp_path: Path) -> None:
    found = _delivered(tmp_path, ["门诊_1.csv".encode("gb18030"), "门诊_1.csv".encode()])
    assert found == [(r"\xc3\xc5\xd5\xef_1.csv", "his__visit"), ("门诊_1.csv", "his__visit")]


def _delivered(folder: Path, names: Sequence[bytes]) -> list[tuple[str, str | None]]:
    """Names and sources that files of a day are told with."""
    day = folder / "landing" / "2024-03-01"
    day.mkdir(parents=True)
    for name in names:
        Path(os.fsdecode(os.fsencode(day) + b"/" + name)).write_bytes(b"no\nV1\n")
    told = {
        "system": "his",
        "entity": "visit",
        "files": ["门诊*.csv"],
        "format": "csv",
        "column": [{"name": "no"}],
    }
    source = Source.model_validate(told)
    site = Site(name="north", title="North", folder=folder, sources=(source,))
    found = delivered_files(SiteZone(folder, "north"), site, "2024-03-01")
    return [(one.entry.file_name, one.entry.source) for one in found]
