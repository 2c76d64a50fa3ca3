"""A site's feature table as arrays: the only rows a training process ever reads, through ``lake.reader`` alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.region import Task
from contracts.sums import Arrays
from contracts.zone import SiteZone
from lake import reader

UNIT, PATIENT, LABEL = "unit_id", "patient_id", "label"


@dataclass(frozen=True)
class Snapshot:
    """Rows of one task at one version of its table.

    Attributes:
        rows: ``unit_id``, ``patient_id`` (objects, str), one array an input (float64 with NaN for absent numbers;
            objects, str or None, for categories and texts), ``label`` (objects, tuples of str; empty = no label).
        digest: of the table's snapshot, hex: what a term's header calls ``snapshot``.
    """

    rows: Arrays
    digest: str

    @property
    def count(self) -> int:
        """Rows of the task."""
        return len(self.rows[UNIT])


def load_rows(zone: SiteZone, task: Task) -> Snapshot | None:
    """Read ``feature__<task>``, sorted by unit; None when the site has no such table or no row in it."""
    path = zone.table(f"feature__{task.name}")
    if not path.exists():
        return None
    inputs = {item.name: item.kind for item in task.features.input}
    table, digest = _read_at_rest(path, [UNIT, PATIENT, *inputs, LABEL])
    if table.num_rows == 0:
        return None
    rows: dict[str, np.ndarray] = {name: _objects(table.column(name).to_pylist()) for name in (UNIT, PATIENT)}
    for name, kind in inputs.items():
        column = table.column(name)
        rows[name] = column.to_numpy().astype(np.float64) if kind == "number" else _objects(column.to_pylist())
    rows[LABEL] = _objects([tuple(codes or ()) for codes in table.column(LABEL).to_pylist()])
    return Snapshot(rows, digest)


def _read_at_rest(path: Path, columns: list[str]) -> tuple[pa.Table, str]:
    """The table and the digest of just that snapshot, also when a job rewrites it meanwhile."""
    while True:
        digest = reader.digest(path)
        table = reader.read_arrow(path, columns=columns).sort_by(UNIT)
        if reader.digest(path) == digest:
            return table, digest


def _objects(values: list[Any]) -> np.ndarray:
    """An object array with one element a value; assigned one by one because NumPy would unfold tuples."""
    array = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        array[at] = value
    return array
