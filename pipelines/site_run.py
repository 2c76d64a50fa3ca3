"""Run hospitals' Dagster jobs, each in a process of its own that is given that hospital's folder and no other's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from contracts.errors import CloisterError, UsageError
from contracts.region import load_region
from pipelines.job_process import Job, Report, Tell, run_jobs
from pipelines.settings import Settings

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult


def run_sites(settings: Settings, sites: Sequence[str], tell: Tell) -> dict[str, float]:
    """Run the sites' jobs; seconds by site. Raises CloisterError naming the sites that failed."""
    jobs = [
        Job(site, execute_site_job, (settings, site), settings.area.site(site).logs / "site_job.log") for site in sites
    ]
    return run_jobs(jobs, tell)


def execute_site_job(settings: Settings, site_name: str, report: Report) -> None:
    """Run the site's job over all its days of delivery, recorded in the Dagster home of the work directory.

    Raises:
        CloisterError: a step failed or a blocking check did not pass.
    """
    from fhir_mapping.bronze import landing_days
    from pipelines.dagster_home import dagster_instance
    from pipelines.pull import pull_databases
    from pipelines.site_location import SITE_JOB, build_definitions, partition_range

    region = load_region(settings.region)
    zone = settings.area.site(site_name)
    for pulled in pull_databases(zone, region, region.site(site_name)):
        report("pulled", f"{pulled.source}: {pulled.rows:,} new rows")
    days = landing_days(zone)
    if not days:
        raise UsageError(f"site '{site_name}' has no delivered file in {zone.landing}")
    definitions = build_definitions(region, region.site(site_name), settings, report, within_run=True)
    job = definitions.resolve_job_def(SITE_JOB)
    with dagster_instance(settings.area) as instance:
        result = job.execute_in_process(
            instance=instance, tags=partition_range(days[0], days[-1]), raise_on_error=False
        )
    if not result.success:
        raise CloisterError(first_failure(result))


def first_failure(result: ExecuteInProcessResult) -> str:
    """The first failed step of a run as ``step: reason``; the reason is quoted only when the error is ours."""
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed:
            return f"check {event.asset_check_evaluation_data.check_name} did not pass"
        if event.event_type_value == "STEP_FAILURE":
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is None:
                return f"{event.step_key} failed"
            ours = error.cls_name in {kind.__name__ for kind in _error_tree(CloisterError)}
            return f"{event.step_key}: {error.message.strip() if ours else error.cls_name}"
    return "the run failed before its first step"


def _error_tree(kind: type[CloisterError]) -> Iterator[type[CloisterError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _error_tree(child)
