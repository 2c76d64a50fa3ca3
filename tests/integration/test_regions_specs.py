"""Every spec and code map of the regions that come along compiles, and every source is mapped by a spec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.region import load_region
from fhir_mapping.mapping import compile_site

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REGIONS = Path(__file__).resolve().parents[2] / "regions"


@pytest.mark.parametrize("name", ["demo", "heart", "triage"])
def test_every_site_compiles_and_leaves_no_source_unmapped(spark: SparkSession, name: str) -> None:
    region = load_region(REGIONS / name)
    for site in region.sites:
        compiled = compile_site(region, site, b"\x01" * 32)
        assert set(compiled) == {source.name for source in site.sources}
