"""Arguments and options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click


def _directory(_: click.Context, __: click.Parameter, value: Path) -> Path:
    """Refuse a work directory that is a file, or that cannot be made or written."""
    nearest = next(path for path in (value.absolute(), *value.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise click.BadParameter(f"{nearest} is no folder that can be written; give another directory.")
    return value


region_argument = click.argument("region", type=click.Path(path_type=Path), metavar="REGION")
PORT = click.IntRange(1, 65535)
work_option = click.option(
    "--work",
    type=click.Path(path_type=Path),
    required=True,
    callback=_directory,
    metavar="DIR",
    help="Work directory; `run` and `demo` make it.",
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Folder of public data sets the region reads.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["sail", "spark"]),
    default="sail",
    show_default=True,
    help="Table engine: sail is embedded; spark needs Java 17+ and Delta's jars (`make jars`).",
)
site_option = click.option("--site", required=True, metavar="SITE", help="The hospital.")


def short_list(paths: Sequence[Path], most: int = 10) -> Iterator[str]:
    """The first paths, and how many more there are."""
    yield from (str(path) for path in paths[:most])
    if len(paths) > most:
        yield f"and {len(paths) - most} more"
