"""``cloister run``: the main job on any region folder."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import data_option, engine_option, region_argument, work_option
from pipelines.settings import EngineKind


@click.command(
    epilog="""\b
Examples:
  cloister run regions/demo --work work/demo
  cloister run regions/heart --data ../shared/data --work work/heart --baselines
  cloister run regions/triage --data ../shared/data --work work/triage --task triage --engine spark
"""
)
@region_argument
@work_option
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Train this task only; may be repeated.")
@click.option(
    "--baselines",
    is_flag=True,
    help="Also train on pooled data and on each site alone, to compare. Refused unless the region's data is public.",
)
@data_option
@engine_option
def command(
    region: Path, work: Path, tasks: tuple[str, ...], baselines: bool, data: Path | None, engine: EngineKind
) -> None:
    """Take REGION from its hospitals' raw exports to released models.

    Exports become FHIR inside each hospital's zone below DIR, models are trained over encrypted sums by real Flower
    processes, and the released ones land in DIR/registry. What happened is written to DIR/report.json. A second run
    goes on from what is there.
    """
    from pipelines.console import Console
    from pipelines.run import run_region
    from pipelines.settings import Settings

    settings = Settings(region=region.resolve(), work=work.resolve(), engine=engine, data=data and data.resolve())
    run_region(settings, Console(), tasks=tasks, baselines=baselines)
