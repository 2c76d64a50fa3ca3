"""Who may be at work in a work directory and in a hospital's zone. Every command and every job passes here.

A lock goes with the process that holds it, so a killed one leaves none. Where its file cannot be made nothing begins.

    command (`cloister run`, `erase`, `key` ...)   work directory alone; what changes tables: the zone alone too
    job of Dagster's page, schedule or sensor      a site's: work directory beside other sites' jobs, its zone alone;
                                                   the region's: work directory alone
    job that `cloister run` starts                 its command holds the work directory; a site's: its zone alone

Commands are refused at once where something is at work. Jobs wait, since nobody starts a sensor's job again.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from contracts.errors import BusyError, UsageError
from contracts.zone import SiteZone
from governance.files import make_private
from pipelines.job_process import Report

WAIT_SECONDS = 12 * 3600.0
"""So long a job waits for another before it is refused."""

LOOK_SECONDS = 0.2

_FILE = ".lock"


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """A command alone in a work directory. Raises BusyError when another, or a job, is at work in it."""
    busy = f"another run or job is at work in {work}: wait for it, or give another --work"
    with _held(work / _FILE, fcntl.LOCK_EX, busy):
        yield


@contextmanager
def alone(zone: SiteZone) -> Iterator[None]:
    """Nothing else may be at work in the zone. Raises BusyError when something is."""
    _make_private(zone)
    busy = f"something else is at work in the zone of '{zone.site}': wait for it to end"
    with _held(zone.governance / _FILE, fcntl.LOCK_EX, busy):
        yield


@contextmanager
def site_job(
    work: Path, zone: SiteZone, report: Report, *, within_run: bool, seconds: float = WAIT_SECONDS
) -> Iterator[None]:
    """A site's job, from its first step to its last: waits until no command and no other job of the site is at work.

    Args:
        report: told once that the job waits.
        within_run: the command that started it holds the work directory.
        seconds: so long at most.

    Raises:
        BusyError: it has waited so long.
    """
    _make_private(zone)
    who = f"the job of '{zone.site}'"
    with _beside(work, fcntl.LOCK_SH, who, report, within_run, seconds):
        busy = f"{who}: another job or command is at work in the zone"
        with _held(zone.governance / _FILE, fcntl.LOCK_EX, busy, report, seconds):
            yield


@contextmanager
def region_job(work: Path, report: Report, *, within_run: bool, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """The region's job: waits until no command and no job is at work. Arguments and errors: as ``site_job``."""
    with _beside(work, fcntl.LOCK_EX, "the region's job", report, within_run, seconds):
        yield


@contextmanager
def _beside(work: Path, how: int, who: str, report: Report, within_run: bool, seconds: float) -> Iterator[None]:
    if within_run:
        yield
        return
    with _held(work / _FILE, how, f"{who}: a run or another job is at work in {work}", report, seconds):
        yield


@contextmanager
def _held(path: Path, how: int, busy: str, report: Report | None = None, seconds: float = 0.0) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    is_told = report is None
    with _opened(path) as lock:
        while not _is_got(lock.fileno(), how):
            if time.monotonic() >= deadline:
                raise BusyError(
                    busy + (f" and has not ended in {seconds:.0f} s: start it again later" if report else "")
                )
            if report is not None and not is_told:
                report("waiting", busy)
                is_told = True
            time.sleep(LOOK_SECONDS)
        yield


def _make_private(zone: SiteZone) -> None:
    try:
        make_private(zone.governance)
    except OSError as error:
        raise _unusable(zone.governance, error) from error


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be used ({error.strerror}), and nothing begins without its lock: move away what stands in its "
        "place, or let yourself write there"
    )


def _is_got(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
