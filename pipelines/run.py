"""The main job on a region: set up the parties, deliver, run every site's job, then the region's; write the report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import UsageError
from contracts.feature_rules import require_allowed_text
from contracts.region import Region, load_region
from fhir_mapping.lifecycle.marker import require_finished
from pipelines.console import Console
from pipelines.gateway import short
from pipelines.job_process import end_server
from pipelines.locks import locked
from pipelines.report import build_report, write_report
from pipelines.settings import Settings
from pipelines.summary import summary_lines


def run_region(settings: Settings, console: Console, *, tasks: Sequence[str] = (), baselines: bool = False) -> Path:
    """Run the main job; what is there already is not made again.

    Args:
        tasks: names of the tasks to train; empty: all of the region.
        baselines: also train on pooled data and on each site alone (public or synthetic data only).

    Returns:
        The report's path.

    Raises:
        UsageError: the region, a task, the data or the engine is not there; nothing was changed.
        SpecError: a task asks for free text that the region does not allow; nothing was changed.
        PrivacyError: an erasure or a rotation of a key was begun at a site and has not ended.
        CloisterError: a stage failed; what was finished stays and a second run goes on from it.
    """
    region = load_region(settings.region)
    chosen = tuple(region.task(name).name for name in tasks) or tuple(task.name for task in region.tasks)
    _require(region, settings, baselines)
    stages: dict[str, dict[str, float]] = {}
    with locked(settings.work):
        for site in region.sites:
            require_finished(settings.area.site(site.name))
        console.say(f"Region {region.name}: {region.title} ({len(region.sites)} hospitals; engine {settings.engine})")
        with _timed(stages, "prepare"):
            members = _prepare(region, settings, chosen)
        console.stage("region", "parties", f"{members} sites on the roster, keys and certificates in place")
        with _timed(stages, "deliver"):
            console.stage("region", "delivery", _deliver(region, settings))
        try:
            _run_jobs(region, settings, chosen, baselines, console, stages)
        finally:
            end_server()
        report = build_report(region, settings.area, chosen, baselines, stages)
        write_report(settings.area.report, report)
    for line in summary_lines(region, report):
        console.say(line)
    console.say(f"Report: {short(settings.area.report)} ({console.seconds:.0f} s)")
    return settings.area.report


def _run_jobs(
    region: Region,
    settings: Settings,
    tasks: Sequence[str],
    baselines: bool,
    console: Console,
    stages: dict[str, dict[str, float]],
) -> None:
    """Every hospital's job, then the region's where it has tasks to train."""
    from pipelines.region_run import run_region_job
    from pipelines.site_run import run_sites

    with _timed(stages, "sites"):
        run_sites(settings, [site.name for site in region.sites], console.stage)
    if tasks:
        with _timed(stages, "region"):
            run_region_job(settings, tasks, baselines, console.stage)


def _require(region: Region, settings: Settings, baselines: bool) -> None:
    """Say what is missing before anything is made."""
    from pipelines.delivery import require_data
    from pipelines.rosters import require_quorum

    require_quorum(region)
    for task in region.tasks:
        require_allowed_text(region, task)
    if baselines and not region.public_data:
        raise UsageError(
            f"region '{region.name}' is not marked public_data: pooled and single-site baselines would need its rows "
            "in one place. Leave --baselines out."
        )
    require_data(region, settings.data)
    require_engine(settings)


def require_engine(settings: Settings) -> None:
    """Raises UsageError, with what to install, when the engine cannot start here."""
    if settings.engine == "spark":
        from lake import jars
        from lake.spark import check_java

        check_java()
        jars.class_path(jars.default_folder())


def _prepare(region: Region, settings: Settings, tasks: Sequence[str]) -> int:
    """Keys, roster, approvals, Dagster's home; the number of sites on the roster."""
    from pipelines.dagster_home import prepare_dagster_home
    from pipelines.parties import approve, set_up_parties
    from pipelines.rosters import read_region_roster

    set_up_parties(region, settings.area)
    for name in tasks:
        approve(region, settings.area, region.task(name))
    prepare_dagster_home(settings.area)
    return len(read_region_roster(settings.area).sites)


def _deliver(region: Region, settings: Settings) -> str:
    """Put the exports where the hospitals would: made by the generator, or taken from public data; else nothing."""
    if region.synthetic is not None:
        from synthetic.generate import generate_city

        generate_city(region, settings.area)
        return f"synthetic exports of {region.synthetic['patients']:,} patients"
    from pipelines.delivery import deliver_public_data

    if settings.data is None:  # and no source asks for it: _require saw to that
        return "landing folders as the hospitals filled them"
    files = deliver_public_data(region, settings.data, settings.area)
    return f"{files} files from {settings.data}"


@contextmanager
def _timed(stages: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    stages[name] = {"seconds": round(time.monotonic() - started, 3)}
