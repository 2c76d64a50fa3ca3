"""Holding the two engines equal: run the same code on the other engine in a process of its own, compare the tables.

assert_tables_equal(sail_path, spark_path)
run_on("spark", __file__, "build", tmp_path / "spark")     # calls build(session, folder) in a subprocess
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from lake.reader import read_arrow

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parent.parent

_SCRIPT = """
import importlib.util, sys
from pathlib import Path
from lake.engine import EngineSettings, open_engine
kind, file, function, folder = sys.argv[1:5]
spec = importlib.util.spec_from_file_location("subject", file)
subject = importlib.util.module_from_spec(spec)
spec.loader.exec_module(subject)
folder = Path(folder)
folder.mkdir(parents=True, exist_ok=True)
with open_engine(EngineSettings(kind=kind)) as session:
    getattr(subject, function)(session, folder)
"""


def run_on(kind: str, file: str | Path, function: str, folder: Path, timeout: float = 300) -> None:
    """Call ``function(session, folder)`` of the module ``file`` in a new process, on an engine of ``kind``."""
    path = os.pathsep.join([str(ROOT), str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", _SCRIPT, kind, str(file), function, str(folder)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"{function} failed on {kind}:\n{done.stderr[-4000:]}"


def assert_tables_equal(path_a: Path, path_b: Path) -> None:
    """Fail unless two Delta tables hold the same rows: sorted, column by column, typed; the file order is free."""
    a, b = read_arrow(path_a), read_arrow(path_b)
    assert a.schema.names == b.schema.names, f"columns differ: {a.schema.names} and {b.schema.names}"
    for name in a.schema.names:
        kinds = (a.schema.field(name).type, b.schema.field(name).type)
        assert kinds[0] == kinds[1], f"type of {name} differs: {kinds[0]} and {kinds[1]}"
    assert a.num_rows == b.num_rows, f"rows differ: {a.num_rows} and {b.num_rows}"
    rows_a, rows_b = _sorted(a), _sorted(b)
    for name in a.schema.names:
        pairs = zip(rows_a, rows_b, strict=True)
        unequal = [(x[name], y[name]) for x, y in pairs if repr(x[name]) != repr(y[name])]
        assert not unequal, f"column {name}: {len(unequal)} of {a.num_rows} rows differ, first {unequal[0]}"


def _sorted(table: pa.Table) -> list[dict[str, object]]:
    # repr of the whole row: a total order whatever the types are, and it tells 1 from 1.0 and None from ''
    return sorted(table.to_pylist(), key=lambda row: repr(sorted(row.items())))
