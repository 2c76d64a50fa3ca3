"""The code location of the region: ``pipelines.region_location.region`` builds its definitions."""

from __future__ import annotations

import dagster as dg

from assets.hospital import Report
from assets.model import baseline_asset, model_asset
from assets.training import training_assets
from contracts.region import Region, load_region
from pipelines.federation import federation_resource
from pipelines.settings import Settings, settings_from

REGION_JOB = "region_job"
BASELINE_JOB = "region_job_with_baselines"


def build_definitions(
    region: Region,
    settings: Settings,
    report: Report | None = None,
    tasks: tuple[str, ...] = (),
    *,
    within_run: bool = False,
) -> dg.Definitions:
    """Assets, jobs and schedule of the region.

    Args:
        tasks: names of the tasks the jobs train; empty: all.
        within_run: for a job of `cloister run`, which holds the work directory itself.
    """
    chosen = [task for task in region.tasks if not tasks or task.name in tasks]
    names = [task.name for task in chosen]
    trained = dg.AssetSelection.assets(*(dg.AssetKey(["region", f"training_{name}"]) for name in names))
    models = dg.AssetSelection.assets(*(dg.AssetKey(["region", f"model_{name}"]) for name in names))
    jobs = [
        dg.define_asset_job(REGION_JOB, trained | models, description="Train all tasks over encrypted sums, release")
    ]
    baselines = [baseline_asset(task) for task in chosen] if region.public_data else []
    if baselines:
        compared = dg.AssetSelection.assets(*baselines)
        jobs.append(
            dg.define_asset_job(
                BASELINE_JOB, trained | models | compared, description="The same, and pooled and single-site baselines"
            )
        )
    weekly = dg.ScheduleDefinition(
        name="weekly", job_name=REGION_JOB, cron_schedule="0 3 * * 0", execution_timezone=region.timezone
    )
    return dg.Definitions(
        assets=[training_assets(region), *(model_asset(task) for task in region.tasks), *baselines],
        jobs=jobs,
        schedules=[weekly],
        resources={"federation": federation_resource(region, settings, report, within_run=within_run)},
        executor=dg.in_process_executor,
    )


def region() -> dg.Definitions:
    """What Dagster loads."""
    settings = settings_from()
    return build_definitions(load_region(settings.region), settings)
