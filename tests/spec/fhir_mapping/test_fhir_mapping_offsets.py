"""Times told as a distance from a base, and years that a region holds plausible."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pyspark.sql import SparkSession
from small_site import write_region

from contracts.region import load_region
from fhir_mapping.spec.examples_run import run_examples
from fhir_mapping.spec.expressions import Offset

SPEC = """
source = "his__visit"
resource = "{resource}"
key = ["no"]
[elements]
"status" = {{ const = "final" }}
"code" = {{ code = "8310-5", system = "http://loinc.org" }}
"{element}" = {{ {expression} }}
"""


def outcomes(spark: SparkSession, folder: Path, expression: str, *examples: str, zone: str = "UTC") -> list[object]:
    """For each example () when it passes, else what differs."""
    element = "effectiveDateTime"
    spec = SPEC.format(resource="Observation", element=element, expression=expression)
    spec += "".join(f"[[example]]\n{text}\n" for text in examples)
    write_region(folder, {"tried": spec}, ("no", "x", "y"))
    toml = folder / "region.toml"
    toml.write_text(f'{toml.read_text()}timezone = "{zone}"\nplausible_years = [1850, 2200]\n')
    region = load_region(folder)
    return [one.failures for one in run_examples(spark, region, region.sites)]


def at(x: str, expected: str, y: str = "") -> str:
    return f'row = {{ no = "1", x = "{x}", y = "{y}" }}\nresource = {{ effectiveDateTime = "{expected}" }}'


def broken(x: str, rule: str, y: str = "") -> str:
    return f'row = {{ no = "1", x = "{x}", y = "{y}" }}\nquarantine = "{rule}"'


def test_minutes_after_a_constant_base(spark: SparkSession, tmp_path: Path) -> None:
    found = outcomes(
        spark, tmp_path, 'offset = "x", base = "2014-01-01T00:00:00"',
        at("0", "2014-01-01T00:00:00+00:00"), at("-6475", "2013-12-27T12:05:00+00:00"),
        at("1.5", "2014-01-01T00:01:30+00:00"), broken("soon", "not_a_number"),
        broken("-9e7", "implausible_date"), broken("999999999999999999999999", "implausible_date"),
        broken("1e20", "implausible_date"), 'row = { no = "1" }\nemits = 1',
    )  # fmt: skip
    assert found == [()] * 8


def test_hours_after_a_column_keep_to_the_clock_of_the_zone(spark: SparkSession, tmp_path: Path) -> None:
    found = outcomes(
        spark, tmp_path, 'offset = "x", unit = "hours", base_column = "y"',
        at("2", "2024-03-10T04:00:00-04:00", "2024-03-10 01:00"),
        at("2", "2024-03-01T00:30:00-05:00", "2024-02-29T22:30:00-05:00"),
        at("24", "2150-03-02T00:00:00-05:00", "2150-03-01"),
        broken("2", "bad_date", "yesterday"),
        zone="America/New_York",
    )  # fmt: skip
    assert found == [()] * 4


def test_an_age_gives_a_year_of_birth(spark: SparkSession, tmp_path: Path) -> None:
    found = outcomes(
        spark, tmp_path, 'offset = "x", unit = "years", before = true, base_column = "y", formats = ["yyyy"]',
        at("80", "2075", "2155"), at("0", "2143", "2143"), broken("> 89", "not_a_number", "2155"),
    )  # fmt: skip
    assert found == [()] * 3


def test_a_region_says_which_years_are_plausible(spark: SparkSession, tmp_path: Path) -> None:
    found = outcomes(
        spark, tmp_path, 'datetime = "x"',
        at("2180-05-06 22:23:00", "2180-05-06T22:23:00+00:00"), broken("2201-01-01", "implausible_date"),
    )  # fmt: skip
    assert found == [()] * 2


@pytest.mark.parametrize("body", [{}, {"base": "2014", "base_column": "y"}, {"base": "14-1-1"}, {"unit": "weeks"}])
def test_a_wrong_distance_is_refused(body: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Offset.model_validate({"offset": "x", **body})
