"""``cloister models``: the registry of released models."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import work_option


@click.group()
def command() -> None:
    """Look into the registry of released models."""


@command.command(name="list", epilog="\b\nExamples:\n  cloister models list --work work/demo")
@work_option
def list_models(work: Path) -> None:
    """List every model of DIR/registry: task, model, state, sites, rounds and the main metric."""
    from pipelines.models import model_lines

    for line in model_lines(work.resolve()):
        click.echo(line)


@command.command(
    epilog="\b\nExamples:\n  cloister models withdraw triage 1f2e3d4c --work work/demo --reason 'wrong map'"
)
@click.argument("task")
@click.argument("model")
@click.option("--reason", required=True, help="Said in the registry; no patient values.")
@work_option
def withdraw(task: str, model: str, reason: str, work: Path) -> None:
    """Withdraw MODEL of TASK: it is refused from now on."""
    from pipelines.models import withdraw_model

    click.echo(withdraw_model(work.resolve(), task, model, reason))
