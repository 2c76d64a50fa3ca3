"""The code location of one hospital: ``pipelines.site_location.<site>`` builds that site's definitions alone."""

from __future__ import annotations

from datetime import date, timedelta

import dagster as dg

from assets.bronze import bronze_assets
from assets.feature import feature_asset
from assets.hospital import Report
from assets.mapped import mapped_assets
from assets.quality import quality_checks
from assets.silver import silver_assets
from contracts.region import Region, Site, load_region
from pipelines.hospital import hospital_resource
from pipelines.landing import landing_sensor
from pipelines.pull import pull_sensors
from pipelines.settings import Settings, settings_from

FIRST_DAY = date(2020, 1, 1)
SITE_JOB = "site_job"


def delivery_days() -> dg.DailyPartitionsDefinition:
    """One partition a day of delivery, today's included."""
    return dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=1)


def build_definitions(
    region: Region, site: Site, settings: Settings, report: Report | None = None, *, within_run: bool = False
) -> dg.Definitions:
    """Assets, checks, job, sensor and schedule of one site, around one engine session a process.

    Args:
        within_run: for a job of `cloister run`, which holds the work directory itself.
    """
    days = delivery_days()
    zone = settings.area.site(site.name)
    assets = [
        bronze_assets(site, days),
        mapped_assets(site, days),
        silver_assets(site),
        *(feature_asset(site, task) for task in region.tasks),
    ]
    job = dg.define_asset_job(
        SITE_JOB,
        selection=dg.AssetSelection.assets(*assets),
        description=f"{site.title}: raw exports to features, with every check on the way",
        tags={"cloister/site": site.name},
    )
    nightly = dg.ScheduleDefinition(
        name="nightly",
        job_name=SITE_JOB,
        cron_schedule="30 1 * * *",
        execution_timezone=region.timezone,
        tags_fn=yesterday_and_today,
    )
    return dg.Definitions(
        assets=[dg.AssetSpec([site.name, "landing"], description="Files as the hospital delivered them"), *assets],
        asset_checks=quality_checks(site),
        jobs=[job],
        schedules=[nightly],
        sensors=[landing_sensor(zone, SITE_JOB), *pull_sensors(zone, region, site)],
        resources={"hospital": hospital_resource(region, site, settings, report, within_run=within_run)},
        executor=dg.in_process_executor,
    )


def partition_range(first: str, last: str) -> dict[str, str]:
    """Tags that make one run of all days from ``first`` to ``last`` (ISO dates, inclusive)."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def yesterday_and_today(context: dg.ScheduleEvaluationContext) -> dict[str, str]:
    """The range of the nightly run: what was delivered yesterday or in the first hours of today."""
    today = context.scheduled_execution_time.date()
    return partition_range((today - timedelta(days=1)).isoformat(), today.isoformat())


def __getattr__(name: str) -> dg.Definitions:
    """Definitions of the site of that name: Dagster loads a code location by module and attribute."""
    if name.startswith("__"):
        raise AttributeError(name)
    settings = settings_from()
    region = load_region(settings.region)
    if name not in {site.name for site in region.sites}:
        raise AttributeError(f"region '{region.name}' has no site '{name}'")
    return build_definitions(region, region.site(name), settings)
