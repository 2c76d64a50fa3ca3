"""``cloister view``: the same rows from silver and from FHIR JSON, in each form; nothing half written."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from silver_rows import write_silver

from contracts.errors import SpecError, UsageError
from pipelines.view import run_view
from pipelines.view_json import json_files, view_parts

VIEW: dict[str, Any] = {
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "id", "path": "getResourceKey()", "type": "string"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "low", "path": "value.ofType(Quantity).value.lowBoundary()", "type": "decimal"},
                {"name": "any", "path": "value.ofType(Quantity).value"},
                {"name": "codes", "path": "code.coding.code", "type": "string", "collection": True},
                {"name": "known", "path": "value.exists()", "type": "boolean"},
            ]
        }
    ],
}
OBSERVATIONS: list[dict[str, Any]] = [
    {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"code": "a"}, {"code": 'b,"c'}][: number % 3]},
        **({"valueQuantity": {"value": number + 0.5}} if number % 2 else {}),
    }
    for number in range(7)
]


def view_file(folder: Path, view: dict[str, Any] = VIEW) -> Path:
    path = folder / "view.json"
    path.write_text(json.dumps(view))
    return path


def ndjson(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in resources)


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_silver_and_json_give_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(*OBSERVATIONS))
    write_silver(tmp_path / "north" / "lake", OBSERVATIONS, ["Observation"])
    run_view(view_file(tmp_path), tmp_path / "a.ndjson", tmp_path / "json.ndjson")
    program = "import sys; sys.argv[0] = 'cloister'; from pipelines.cli.main import main; main()"
    out = tmp_path / "silver.ndjson"
    zone = str(tmp_path / "north")
    done = subprocess.run(
        [sys.executable, "-c", program, "view", str(view_file(tmp_path)), "--resources", zone, "--out", str(out)],
        capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("7 rows in ")
    assert sorted(out.read_bytes().splitlines()) == (tmp_path / "json.ndjson").read_bytes().splitlines()
    assert [path.name for path in (tmp_path / "north" / "lake").iterdir()] == ["silver_fhir__observation"]


def test_every_form_holds_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(*OBSERVATIONS))
    for form in ("ndjson", "csv", "parquet"):
        report = run_view(view_file(tmp_path), tmp_path / "a.ndjson", tmp_path / f"out.{form}")
        assert (report.rows, report.bad) == (7, 0)
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[5]["value"] == "5.5" and json.loads(rows[5]["codes"]) == ["a", 'b,"c'] and rows[4]["value"] == ""
    found = read_rows(tmp_path / "out.ndjson")
    assert found[3] == {"id": "o3", "value": 3.5, "low": 3.45, "any": 3.5, "codes": [], "known": True}
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert table == [{**row, "any": None if row["any"] is None else str(row["any"])} for row in found]


def test_bundles_lists_gzip_and_many_chunks_are_read_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "sub"
    folder.mkdir(parents=True)
    bundle = {"resourceType": "Bundle", "entry": [{"resource": OBSERVATIONS[0]}, {"fullUrl": "x"}]}
    (folder / "a.json").write_text(json.dumps(bundle))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(ndjson(*OBSERVATIONS[1:3])))
    (folder / "c.json").write_text(json.dumps([OBSERVATIONS[3], {"resourceType": "Patient"}]))
    (folder / "d.jsonl").write_bytes(b'{"resourceType": "Observation", "id": \n' + ndjson(OBSERVATIONS[4]))
    (folder / "notes.txt").write_text("no FHIR")
    report = run_view(view_file(tmp_path), tmp_path / "in", tmp_path / "out.ndjson")
    assert (report.rows, report.bad) == (5, 1)
    assert [row["id"] for row in read_rows(tmp_path / "out.ndjson")] == ["o0", "o1", "o2", "o3", "o4"]
    files = json_files(tmp_path / "in")
    spread = [part.encoded for part in view_parts(VIEW, files, "ndjson", alone_bytes=0)]
    assert b"".join(part for part in spread if isinstance(part, bytes)) == (tmp_path / "out.ndjson").read_bytes()


def test_nothing_is_written_when_the_view_meets_several_values(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(*OBSERVATIONS))
    several = {"resource": "Observation", "select": [{"column": [{"name": "code", "path": "code.coding.code"}]}]}
    with pytest.raises(SpecError, match="several values"):
        run_view(view_file(tmp_path, several), tmp_path / "a.ndjson", tmp_path / "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", "view.json"]


def test_no_rows_still_make_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson({"resourceType": "Patient"}))
    for name in ("out.csv", "out.parquet", "out.ndjson"):
        assert run_view(view_file(tmp_path), tmp_path / "a.ndjson", tmp_path / name).rows == 0
    assert (tmp_path / "out.csv").read_text() == "id,value,low,any,codes,known\n"
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("resources", "out", "words"),
    [("a.ndjson", "out.txt", "--format"), ("nowhere", "out.csv", "no file or folder"), ("empty", "out.csv", "no FHIR")],
)
def test_wrong_use_is_named(tmp_path: Path, resources: str, out: str, words: str) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(*OBSERVATIONS))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=words):
        run_view(view_file(tmp_path), tmp_path / resources, tmp_path / out)


def test_what_is_no_fhir_is_counted_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    view = tmp_path / "view.json"
    with pytest.raises(SpecError, match=r"view.json: cannot be read: No such file"):
        run_view(view, tmp_path, tmp_path / "o.csv")
    view.write_text(json.dumps(VIEW), encoding="utf-8")
    (tmp_path / "in.ndjson").write_text('rubbish\n\n{"resourceType": "Patient"}\n \n', encoding="utf-8")
    report = run_view(view, tmp_path / "in.ndjson", tmp_path / "o.csv")
    assert (report.rows, report.bad) == (0, 1)
    (tmp_path / "in.ndjson.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(UsageError, match=r"in.ndjson.gz cannot be read .* nothing was written"):
        run_view(view, tmp_path / "in.ndjson.gz", tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()
