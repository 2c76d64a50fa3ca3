"""``cloister demo``: the synthetic city end to end."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import engine_option, work_option
from pipelines.settings import EngineKind


@click.command(
    epilog="\b\nExamples:\n  cloister demo --work work/demo\n  cloister demo --work work/demo --engine spark"
)
@work_option
@engine_option
def command(work: Path, engine: EngineKind) -> None:
    """Make the exports of a synthetic city, run the main job on them, fetch one hint over HTTPS as a clinic would."""
    from pipelines.demo import run_demo

    run_demo(work.resolve(), engine)
