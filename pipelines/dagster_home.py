"""The Dagster home of a work directory: where runs are recorded and the web page shows them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.zone import WorkArea
from governance.files import make_private

if TYPE_CHECKING:
    from dagster import DagsterInstance

CONFIGURATION = Path(__file__).resolve().parent.parent / "dagster.yaml"


def prepare_dagster_home(area: WorkArea) -> Path:
    """Make the folder with our dagster.yaml in it; return it."""
    make_private(area.dagster)
    target = area.dagster / "dagster.yaml"
    text = CONFIGURATION.read_text(encoding="utf-8")
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    return area.dagster


@contextmanager
def dagster_instance(area: WorkArea) -> Iterator[DagsterInstance]:
    """The instance of that home, closed at the end."""
    import dagster as dg

    home = prepare_dagster_home(area)
    os.environ["DAGSTER_HOME"] = str(home)
    with (home / ".lock").open("w") as lock:
        # Two processes that make the SQLite files at the same time leave them with two migration heads.
        fcntl.flock(lock, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.from_config(str(home))
        instance.get_runs(limit=1)
    with instance:
        yield instance
