"""``cloister report``: the connection report."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import region_argument


@click.command(
    epilog="""\b
Examples:
  cloister report regions/demo --work work/demo
  cloister report regions/demo --work work/demo --site north --out north.json    # what a hospital sends
  cloister report regions/demo --work commission --messages north.json --messages south.json    # what it reads
"""
)
@region_argument
@click.option(
    "--work", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR", help="Work directory."
)
@click.option("--site", "sites", multiple=True, metavar="SITE", help="This hospital only; may be repeated.")
@click.option(
    "--until", metavar="DAY", help="Last day deliveries were due (YYYY-MM-DD); default: the latest day of any."
)
@click.option(
    "--messages",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Read the messages hospitals sent, and check them by the roster in --work; may be repeated.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the messages, JSON."
)
def command(
    region: Path,
    work: Path | None,
    sites: tuple[str, ...],
    until: str | None,
    files: tuple[Path, ...],
    out: Path | None,
) -> None:
    """Tell what each hospital of REGION delivered, what became of it, what is missing and what looks wrong.

    Made only of operations messages, a closed list: files, days, rules and coarse counts; never a patient's value. Each
    hospital signs its own; what is unsigned, altered, foreign or older than the last one seen is told and not used.
    """
    from datetime import date

    from pipelines.bulletins import write_signed
    from pipelines.connection import make_report, report_lines

    try:
        day = date.fromisoformat(until).isoformat() if until else None
    except ValueError:
        raise click.BadParameter(f"{until} is no day: give YYYY-MM-DD", param_hint="--until") from None
    found, heard = make_report(region.resolve(), work and work.resolve(), sites, day, files)
    for line in report_lines(found, heard):
        click.echo(line)
    if out is not None:
        write_signed(out, heard.bulletins)
        click.echo(f"{len(heard.messages)} messages in {out}")
