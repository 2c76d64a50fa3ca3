"""What a hospital's assets work with: the Dagster resource ``hospital``, as a type."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from contracts.region import Region, Site
from contracts.zone import SiteZone

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Report = Callable[[str, str], None]
"""Tell a person that a stage is done: ``report(stage, words)``; words hold counts, never patient values."""


class Hospital(Protocol):
    """One site's zone, its settings and its one engine session."""

    region: Region
    site: Site
    zone: SiteZone
    report: Report

    @property
    def spark(self) -> SparkSession:
        """The engine session of this process, started at first use."""
        ...

    def confined(self) -> AbstractContextManager[None]:
        """Every step works inside this: an error leaves it without a traceback or text that may hold a value."""
        ...
