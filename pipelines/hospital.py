"""The resource ``hospital``: one site's zone and one engine session, started at first use and stopped with the run."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.hospital import Report
from contracts.errors import CloisterError
from contracts.region import Region, Site
from contracts.zone import SiteZone
from fhir_mapping.lifecycle.marker import require_finished
from pipelines import locks
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class HospitalSession:
    """What assets.hospital.Hospital asks for; ``close`` ends its engine and its hold on the zone.

    Args:
        within_run: `cloister run` started the job, and holds the work directory for it.
    """

    def __init__(
        self, region: Region, site: Site, settings: Settings, report: Report, *, within_run: bool = False
    ) -> None:
        self.region = region
        self.site = site
        self.zone: SiteZone = settings.area.site(site.name)
        self.report = report
        self._settings = settings
        self._within_run = within_run
        self._is_held = False
        self._open = ExitStack()

    @cached_property
    def spark(self) -> SparkSession:
        """The engine session; lake is imported here, since PySpark takes seconds to import."""
        from lake.engine import EngineSettings, open_engine

        return self._open.enter_context(open_engine(EngineSettings(kind=self._settings.engine)))

    @contextmanager
    def confined(self) -> Iterator[None]:
        """Keep what went wrong inside the site: Dagster records errors, and the text of a foreign one may hold a value.

        The traceback goes to the zone's ``logs/failures.log``. Out goes an error of ours without its cause, or the
        class of a foreign one. The first step waits until nothing else is at work in the zone, and from then on nothing
        else is until the job ends; no step runs while an erasure is unfinished.
        """
        try:
            self._hold()
            require_finished(self.zone)
            yield
        except CloisterError as error:
            self._keep_traceback()
            raise error from None
        except Exception as error:
            log = self._keep_traceback()
            raise CloisterError(f"{type(error).__name__}; its traceback is in {log}") from None

    def close(self) -> None:
        self._is_held = False
        self._open.close()

    def _hold(self) -> None:
        if not self._is_held:
            lock = locks.site_job(self._settings.work, self.zone, self.report, within_run=self._within_run)
            self._open.enter_context(lock)
            self._is_held = True

    def _keep_traceback(self) -> Path:
        """Append the error being handled to a file that the site alone can read."""
        log = self.zone.logs / "failures.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
            traceback.print_exc(file=stream)
        return log


def hospital_resource(
    region: Region, site: Site, settings: Settings, report: Report | None = None, *, within_run: bool = False
) -> dg.ResourceDefinition:
    """Without ``report``, stages are told to Dagster's own log of the run."""

    @dg.resource(description=f"{site.title}: its zone and its engine session")
    def hospital(context: dg.InitResourceContext) -> Iterator[HospitalSession]:
        session = HospitalSession(region, site, settings, report or run_log(context), within_run=within_run)
        try:
            yield session
        finally:
            session.close()

    return hospital


def run_log(context: dg.InitResourceContext) -> Report:
    """Stages as lines of the run's log, which Dagster's page shows; they hold counts only."""

    def report(stage: str, words: str) -> None:
        if context.log is not None:
            context.log.info(f"{stage}: {words}")

    return report
