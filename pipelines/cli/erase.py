"""``cloister erase``: a person withdrew; nothing of them stays in the hospital's zone."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import engine_option, region_argument, site_option, work_option
from pipelines.settings import EngineKind


@click.command(
    epilog="""\b
Examples:
  cloister erase regions/demo --site north --person-file withdrawn.txt --work work/demo
  cloister erase regions/demo --site north --work work/demo            # finish one that died
"""
)
@region_argument
@site_option
@click.option("--person", "people", multiple=True, metavar="VALUE", help="The person's number at the site; repeatable.")
@click.option(
    "--person-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="A number a line (UTF-8): it stays out of the shell's history and the list of processes.",
)
@click.option("--identity", metavar="NAME", help="Which of the site's Patient keys it is, or a column of that key.")
@click.option(
    "--unread-checked",
    is_flag=True,
    help="You have looked through the files in landing that no source reads; the last attempt named them.",
)
@work_option
@engine_option
def command(
    region: Path,
    site: str,
    people: tuple[str, ...],
    person_file: Path | None,
    identity: str | None,
    unread_checked: bool,
    work: Path,
    engine: EngineKind,
) -> None:
    """Erase a person's records at SITE: landing files, tables and their history, features, quarantine, logs.

    A keyed hash goes on the site's suppression list, so that what is delivered of them later never enters. The ledger
    keeps how many records were erased. If it fails or is killed nothing else runs in the zone until it is run again.
    Models that were released before stay as they are. Files in landing that no source reads are named, and the erasure
    does not end before you have looked through them.
    """
    from pipelines.cli.options import short_list
    from pipelines.erasure import erase
    from pipelines.settings import Settings

    named = [*people, *(person_file.read_text(encoding="utf-8-sig").splitlines() if person_file else ())]
    settings = Settings(region=region.resolve(), work=work.resolve(), engine=engine)
    done = erase(
        settings, site, [name.strip() for name in named if name.strip()], identity, are_unread_checked=unread_checked
    )
    click.echo(
        f"erased at '{site}': {done.records:,} records of {done.files:,} files; "
        f"{done.features} feature tables made again"
    )
    if not done.records and named:
        click.echo("no record was found: is it the number that the site's files use? It stays on the suppression list.")
    if done.places:
        click.echo(f"{len(done.places)} files still hold the number as a text, perhaps by chance; look at them:")
        for line in short_list(done.places):
            click.echo(f"  {line}")
    click.echo("models released before were trained with these records; withdraw them if that must not stand")
