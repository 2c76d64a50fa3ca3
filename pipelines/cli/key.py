"""``cloister key``: the key that makes a hospital's pseudonymous ids."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import engine_option, region_argument, site_option, work_option
from pipelines.settings import EngineKind


@click.group(epilog="\b\nExamples:\n  cloister key rotate regions/demo --site north --work work/demo")
def command() -> None:
    """Care for a hospital's pseudonym key."""


@command.command(epilog="\b\nExamples:\n  cloister key rotate regions/demo --site north --work work/demo")
@region_argument
@site_option
@work_option
@engine_option
def rotate(region: Path, site: str, work: Path, engine: EngineKind) -> None:
    """Give SITE a new pseudonym key and destroy the old one: every id of every table changes.

    Mapped tables, silver and features are made again from bronze. If it fails or is killed nothing else runs in the
    zone until it is run again. Ids noted anywhere else lead nowhere afterwards.
    """
    from pipelines.rotation import rotate as run_rotation
    from pipelines.settings import Settings

    resources, features = run_rotation(Settings(region=region.resolve(), work=work.resolve(), engine=engine), site)
    click.echo(f"'{site}' has a new pseudonym key: {resources:,} resources and {features} feature tables made again")
