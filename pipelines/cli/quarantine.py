"""``cloister quarantine``: the records that did not make it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from pipelines.cli.options import engine_option, region_argument, site_option, work_option
from pipelines.settings import EngineKind, Settings

out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write NDJSON instead of a table."
)


@click.group(
    epilog="""\b
Examples:
  cloister quarantine list regions/demo --site north --work work/demo
  cloister quarantine replay regions/demo --site north --work work/demo
"""
)
def command() -> None:
    """See what a hospital's rules held back, and let through what passes after something was mended."""


@command.command(
    name="list", epilog="\b\nExamples:\n  cloister quarantine list regions/demo --site north --work work/demo"
)
@region_argument
@site_option
@work_option
@out_option
def list_(region: Path, site: str, work: Path, out: Path | None) -> None:
    """Count SITE's quarantine by source, rule and path. Never shows a value."""
    from fhir_mapping.lifecycle.replay import list_quarantine
    from pipelines.quarantine import list_lines, zone_of

    _say(list_quarantine(zone_of(_settings(region, work), site)), out, list_lines)


@command.command(
    epilog="""\b
Examples:
  cloister quarantine show regions/demo --site north --rule impossible_date --work work/demo
  cloister quarantine show regions/demo --site north --rule unclosed_quote --raw --work work/demo
"""
)
@region_argument
@site_option
@click.option("--rule", required=True, help="The rule, as `list` names it.")
@click.option("--source", help="Only records of this source.")
@click.option("--raw", is_flag=True, help="The records' text too: patients' data, for this screen only.")
@work_option
@out_option
def show(region: Path, site: str, rule: str, source: str | None, raw: bool, work: Path, out: Path | None) -> None:
    """Name the records that a rule held back: day, file, record, rules, digest of the mapping."""
    from fhir_mapping.lifecycle.replay import show_quarantine
    from pipelines.quarantine import show_lines, zone_of

    _say(show_quarantine(zone_of(_settings(region, work), site), rule, source, with_raw=raw), out, show_lines)


@command.command(epilog="\b\nExamples:\n  cloister quarantine replay regions/demo --site north --work work/demo")
@region_argument
@site_option
@work_option
@engine_option
@out_option
def replay(region: Path, site: str, work: Path, engine: EngineKind, out: Path | None) -> None:
    """Map the held-back records again, after a spec, code map, source or file was mended; say what passed."""
    from pipelines.quarantine import replay as run_replay
    from pipelines.quarantine import replay_lines

    found, report = run_replay(_settings(region, work, engine), site)
    _say(found, out, lambda rows: replay_lines(rows, report))


def _settings(region: Path, work: Path, engine: EngineKind = "sail") -> Settings:
    return Settings(region=region.resolve(), work=work.resolve(), engine=engine)


def _say(rows: Iterable[Any], out: Path | None, lines: Callable[[Iterable[Any]], Iterable[str]]) -> None:
    from pipelines.quarantine import write_rows

    if out is not None:
        click.echo(f"{write_rows(out, rows)} lines in {out}")
        return
    for line in lines(rows):
        click.echo(line)
