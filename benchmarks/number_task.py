"""A region without sources whose one task reads a column of numbers: what benchmarks and tests of the sums run on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from contracts.zone import SiteZone

_TASK = """name = "{name}"
title = "numbers"
kind = "diagnosis"
purpose = "measuring and testing"
[training]
solver = "newton"
{training}[features.unit]
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


def write_region(folder: Path, name: str = "bench") -> None:
    """A region folder without a task."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "region.toml").write_text(f'name = "{name}"\ntitle = "{name}"\n')


def write_task(region: Path, name: str, **training: int) -> None:
    """The task, anew if it is there; ``training``: keys of its training table."""
    lines = "".join(f"{key} = {value}\n" for key, value in training.items())
    (region / "tasks" / f"{name}.toml").write_text(_TASK.format(name=name, training=lines))


def write_numbers(zone: SiteZone, task: str, values: Sequence[float]) -> None:
    """A site's feature table of the task, anew if it is there: a row a value, labelled by its sign."""
    table = pa.table(
        {
            "unit_id": [f"{zone.site}-{row:04d}" for row in range(len(values))],
            "patient_id": [f"p{row}" for row in range(len(values))],
            "x": pa.array(values, pa.float64()),
            "label": pa.array([["1" if value > 0 else "0"] for value in values], pa.list_(pa.string())),
        }
    )
    write_deltalake(str(zone.table(f"feature__{task}")), table, mode="overwrite")
