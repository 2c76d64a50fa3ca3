"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

region_argument = click.argument("region", type=click.Path(path_type=Path), metavar="REGION")
work_option = click.option(
    "--work", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Work directory; made when absent."
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
