"""``cloister ui``: Dagster's web page on a region."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import PORT, data_option, engine_option, region_argument, work_option
from pipelines.settings import EngineKind


@click.command(
    epilog="""\b
Examples:
  cloister ui regions/demo --work work/demo
  cloister ui regions/heart --work work/heart --data ../shared/data --port 3001
"""
)
@region_argument
@work_option
@click.option("--port", type=PORT, default=3000, show_default=True, help="Port of the page on this machine.")
@data_option
@engine_option
def command(region: Path, work: Path, port: int, data: Path | None, engine: EngineKind) -> None:
    """Show REGION's assets, checks, partitions, jobs and runs; one code location a hospital, one for the region.

    Stays in the foreground until Ctrl-C.
    """
    from pipelines.settings import Settings
    from pipelines.web_ui import serve_ui

    serve_ui(Settings(region=region.resolve(), work=work.resolve(), engine=engine, data=data and data.resolve()), port)
