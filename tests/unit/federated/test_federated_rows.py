from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from contracts.region import Task
from contracts.zone import SiteZone
from federated.site.rows import load_rows

TASK = Task.model_validate(
    {
        "name": "t",
        "title": "t",
        "kind": "triage",
        "purpose": "test",
        "folder": Path("."),
        "training": {"solver": "gradient"},
        "features": {
            "unit": {"view": "v.json", "key": "unit_id", "patient": "patient_id"},
            "input": [
                {"name": "age", "kind": "number", "column": "age"},
                {"name": "complaint", "kind": "text", "column": "complaint"},
            ],
            "label": {"kind": "codes", "column": "dept", "classes": ["03", "13"]},
        },
    }
)
TABLE = pa.table(
    {
        "unit_id": ["v2", "v1", "v3"],
        "patient_id": ["p1", "p1", "p2"],
        "age": pa.array([None, 40.0, 7.0], pa.float64()),
        "complaint": pa.array(["咳嗽", None, "发热"]),
        "label": pa.array([["03", "13"], ["13"], None], pa.list_(pa.string())),
    }
)


def test_a_feature_table_becomes_arrays_sorted_by_unit(tmp_path: Path) -> None:
    zone = SiteZone(tmp_path, "north")
    write_deltalake(str(zone.table("feature__t")), TABLE)
    snapshot = load_rows(zone, TASK)
    assert snapshot is not None and len(snapshot.digest) == 64
    rows = {name: array.tolist() for name, array in snapshot.rows.items()}
    assert rows["unit_id"] == ["v1", "v2", "v3"] and rows["patient_id"] == ["p1", "p1", "p2"]
    assert rows["complaint"] == [None, "咳嗽", "发热"]
    assert rows["label"] == [("13",), ("03", "13"), ()]
    assert rows["age"][::2] == [40.0, 7.0] and math.isnan(rows["age"][1])


def test_a_site_without_the_table_or_with_an_empty_one_has_no_rows(tmp_path: Path) -> None:
    zone = SiteZone(tmp_path, "north")
    assert load_rows(zone, TASK) is None
    write_deltalake(str(zone.table("feature__t")), TABLE.slice(0, 0))
    assert load_rows(zone, TASK) is None
