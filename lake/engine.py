"""One session of one engine a process: Sail inside this process, or Apache Spark beside it or far away.

Both are reached as Spark Connect servers, so every DataFrame above is the same class whichever engine runs. Measured
differences and what hides them: docs/explanation/engines.md.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyspark.sql import SparkSession

from contracts.errors import EngineUnavailableError
from lake import sail, spark
from lake.environment import environment


@dataclass(frozen=True)
class EngineSettings:
    """Which engine, and its limits.

    Attributes:
        kind: ``sail`` (embedded, no Java) or ``spark`` (Apache Spark with delta-spark).
        memory_bytes: Sail: pool beyond which sorts and joins spill; Spark: heap of the driver.
        master: Spark only: ``local[n]`` or the address of a cluster's master, for a server that is started here.
        remote: Spark only: ``sc://host:port`` of a Spark Connect server that somebody else runs; nothing is started.
        jars: folder of Delta's jars; None: ``lake.jars.default_folder()``.
        work: folder for the Spark server's log and scratch files; None: a temporary one, removed at the end.
    """

    kind: Literal["sail", "spark"] = "sail"
    memory_bytes: int = 2 << 30
    master: str = "local[2]"
    remote: str | None = None
    jars: Path | None = None
    work: Path | None = None


@dataclass
class _Open:
    settings: EngineSettings
    session: SparkSession
    closing: ExitStack
    users: int = 0


_lock = threading.RLock()
_open: _Open | None = None


@contextmanager
def open_engine(settings: EngineSettings | None = None) -> Iterator[SparkSession]:
    """A session in UTC. Calls with equal settings share it; the last to leave stops the engine.

    Raises:
        EngineUnavailableError: the engine cannot start here, or another one is open in this process.
    """
    with _lock:
        opened = _enter(settings or EngineSettings())
    try:
        yield opened.session
    finally:
        with _lock:
            _leave(opened)


def _enter(settings: EngineSettings) -> _Open:
    global _open
    if _open is None:
        _open = _start(settings)
    elif _open.settings != settings:
        raise EngineUnavailableError(
            f"engine '{_open.settings.kind}' is already open in this process; asked for '{settings.kind}' with other "
            "settings. One process holds one engine: close the first, or use a second process."
        )
    _open.users += 1
    return _open


def _leave(opened: _Open) -> None:
    global _open
    opened.users -= 1
    if opened.users == 0:
        _open = None
        opened.closing.close()


def _start(settings: EngineSettings) -> _Open:
    with ExitStack() as starting:
        address = starting.enter_context(_served(settings))
        # Spark's workers would otherwise take the first python3 on PATH
        starting.enter_context(environment(PYSPARK_PYTHON=os.environ.get("PYSPARK_PYTHON", sys.executable)))
        session = SparkSession.builder.remote(address).create()
        starting.callback(session.stop)
        session.conf.set("spark.sql.session.timeZone", "UTC")
        if settings.kind == "sail":  # on Spark it is a static setting
            # Noting the call site of every expression costs a third of the time it takes to build a mapping's plan.
            session.conf.set("spark.python.sql.dataFrameDebugging.enabled", "false")
        else:  # its default in plain files, INT96, does not tell what kind of time it holds
            session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        return _Open(settings, session, starting.pop_all())


@contextmanager
def _served(settings: EngineSettings) -> Iterator[str]:
    """The address of a Spark Connect server of the wanted kind, started here unless it is remote."""
    if settings.kind == "sail":
        with sail.serve(settings.memory_bytes) as address:
            yield address
    elif settings.remote is not None:
        spark.check_reachable(settings.remote)
        yield settings.remote
    else:
        with spark.serve(settings.master, settings.memory_bytes, settings.jars, settings.work) as address:
            yield address
