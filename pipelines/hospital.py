"""The resource ``hospital``: one site's zone and one engine session, started at first use and stopped with the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg

from assets.hospital import Report
from contracts.region import Region, Site
from contracts.zone import SiteZone
from pipelines.settings import Settings

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

    def close(self) -> None:
        self._open.close()


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
