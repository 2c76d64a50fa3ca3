"""``cloister pull``: new rows of a hospital's database into its landing folder."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import region_argument, work_option


@click.command(
    epilog="\b\nExamples:\n  HIS_DSN='postgresql://reader@db.example/his?sslmode=verify-full&sslrootcert=ca.crt' \\\n"
    "      cloister pull regions/city north --work work/city"
)
@region_argument
@click.argument("site", metavar="SITE")
@work_option
def command(region: Path, site: str, work: Path) -> None:
    """Take what is new or changed in the databases of SITE into its landing folder, as files of today's delivery.

    Connection strings stand in the environment variables that the source files name. Sources of one connection are read
    in one snapshot. Repeating it takes nothing twice.
    """
    from contracts.region import load_region
    from contracts.zone import WorkArea
    from pipelines.pull import pull_databases

    loaded = load_region(region.resolve())
    found = pull_databases(WorkArea(work.resolve()).site(site), loaded, loaded.site(site))
    for one in found:
        seen = f", {one.seen:,} seen before" if one.seen else ""
        click.echo(f"{one.source}: {one.rows:,} rows" + (f" in {one.file}" if one.file else ", no file") + seen)
    if not found:
        click.echo(f"site '{site}' has no source of format postgres")
