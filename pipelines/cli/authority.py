"""``cloister authority``: care for the key authority."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import work_option


@click.group(epilog="\b\nExamples:\n  cloister authority drill --work work/demo")
def command() -> None:
    """Care for the key authority. Its keys: `cloister key`; its audit chain: `cloister audit verify`."""


@command.command(epilog="\b\nExamples:\n  cloister authority drill --work work/demo")
@work_option
def drill(work: Path) -> None:
    """Back up the authority's ledger and keys, restore them in a scratch folder, prove that the copy would do.

    The authority may be at work; its own folder is only read. Exit code 0 only if every step held.
    """
    from contracts.errors import IntegrityError
    from contracts.zone import WorkArea
    from pipelines.drill import WHAT_TO_DO
    from pipelines.drill import drill as run_drill

    failed = 0
    for step in run_drill(WorkArea(work.resolve())):
        failed += not step.held
        click.echo(f"{'held  ' if step.held else 'FAILED'}  {step.words}")
    click.echo(WHAT_TO_DO)
    if failed:
        raise IntegrityError(f"{failed} steps of the drill failed: mend the backup before you need it")
    click.echo("the drill held")
