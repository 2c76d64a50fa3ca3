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
from pipelines.settings import Settings
from pipelines.zone_work import shared

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class HospitalSession:
    """What assets.hospital.Hospital asks for; closes its engine with ``close``."""

    def __init__(self, region: Region, site: Site, settings: Settings, report: Report) -> None:
        self.region = region
        self.site = site
        self.zone: SiteZone = settings.area.site(site.name)
        self.report = report
        self._settings = settings
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
        class of a foreign one. Nothing runs beside an erasure, nor while one is unfinished.
        """
        try:
            with shared(self.zone):
                yield
        except CloisterError as error:
            self._keep_traceback()
            raise error from None
        except Exception as error:
            log = self._keep_traceback()
            raise CloisterError(f"{type(error).__name__}; its traceback is in {log}") from None

    def close(self) -> None:
        self._open.close()

    def _keep_traceback(self) -> Path:
        """Append the error being handled to a file that the site alone can read."""
        log = self.zone.logs / "failures.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
            traceback.print_exc(file=stream)
        return log


def hospital_resource(
    region: Region, site: Site, settings: Settings, report: Report | None = None
) -> dg.ResourceDefinition:
    """Without ``report``, stages are told to Dagster's own log only (it has the counts as metadata)."""

    @dg.resource(description=f"{site.title}: its zone and its engine session")
    def hospital(_: dg.InitResourceContext) -> Iterator[HospitalSession]:
        session = HospitalSession(region, site, settings, report or _say_nothing)
        try:
            yield session
        finally:
            session.close()

    return hospital


def _say_nothing(stage: str, words: str) -> None:
    """Dagster's pages show the counts as metadata."""
