"""A federation of real processes whose hospitals count: ``counting_programs`` over a few numbers each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import counting_programs
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks.federation_bed import Bed
from contracts.region import load_region

TASK = """name = "count"
title = "count rows"
kind = "diagnosis"
purpose = "test"
[training]
solver = "newton"
[features.unit]
view = "none.json"
key = "unit_id"
patient = "patient_id"
[[features.input]]
name = "x"
kind = "number"
column = "x"
[features.label]
kind = "condition"
classes = ["0", "1"]
"""


def counting_bed(root: Path, values: Mapping[str, Sequence[float]]) -> Bed:
    """A federation of the sites named, each with its values as feature table; the task ``count`` is approved."""
    region = root / "region"
    (region / "tasks").mkdir(parents=True)
    (region / "region.toml").write_text('name = "bench"\ntitle = "bench"\n')
    (region / "tasks" / "count.toml").write_text(TASK)
    bed = Bed(root / "work", region, tuple(values), counting_programs.__name__)
    for site, numbers in values.items():
        _write_features(bed, site, numbers)
    bed.approve("count", counting_programs.program_digest(load_region(region).task("count")))
    return bed


def _write_features(bed: Bed, site: str, values: Sequence[float]) -> None:
    table = pa.table(
        {
            "unit_id": [f"{site}-{row}" for row in range(len(values))],
            "patient_id": [f"p{row}" for row in range(len(values))],
            "x": pa.array(values, pa.float64()),
            "label": pa.array([["1" if value > 0 else "0"] for value in values], pa.list_(pa.string())),
        }
    )
    write_deltalake(str(bed.area.site(site).table("feature__count")), table)
