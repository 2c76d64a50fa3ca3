"""Run the region's Dagster job in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import CloisterError
from contracts.region import load_region
from pipelines.job_process import Job, Report, Tell, run_jobs
from pipelines.settings import Settings
from pipelines.site_run import first_failure


def run_region_job(settings: Settings, tasks: Sequence[str], baselines: bool, tell: Tell) -> None:
    """Train, release and (with ``baselines``) compare. Raises CloisterError with the first failure."""
    log = settings.area.coordinator / "logs" / "region_job.log"
    run_jobs([Job("region", execute_region_job, (settings, tuple(tasks), baselines), log)], tell)


def execute_region_job(settings: Settings, tasks: tuple[str, ...], baselines: bool, report: Report) -> None:
    """The job, recorded in the Dagster home of the work directory."""
    from pipelines.dagster_home import dagster_instance
    from pipelines.region_location import BASELINE_JOB, REGION_JOB, build_definitions

    definitions = build_definitions(load_region(settings.region), settings, report, tasks, within_run=True)
    job = definitions.resolve_job_def(BASELINE_JOB if baselines else REGION_JOB)
    with dagster_instance(settings.area) as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    if not result.success:
        raise CloisterError(first_failure(result))
