"""``cloister models``: the registry of released models."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import work_option


@click.group(
    epilog="\b\nExamples:\n  cloister models list --work work/demo\n"
    "  cloister models promote triage 1f2e3d4c5b6a7980 --work work/demo"
)
def command() -> None:
    """Look into the registry of released models; choose the one that is served."""


@command.command(name="list", epilog="\b\nExamples:\n  cloister models list --work work/demo")
@work_option
def list_models(work: Path) -> None:
    """List every model of DIR/registry: task, model, state, sites, rounds and the main metric."""
    from pipelines.models import model_lines

    for line in model_lines(work.resolve()):
        click.echo(line)


@command.command(
    epilog="\b\nExamples:\n  cloister models withdraw triage 1f2e3d4c5b6a7980 --work work/demo --reason 'wrong map'"
)
@click.argument("task")
@click.argument("model")
@click.option("--reason", required=True, help="Said in the registry; no patient values.")
@work_option
def withdraw(task: str, model: str, reason: str, work: Path) -> None:
    """Withdraw MODEL of TASK: it is refused from now on."""
    from pipelines.models import withdraw_model

    click.echo(withdraw_model(work.resolve(), task, model, reason))


@command.command(epilog="\b\nExamples:\n  cloister models promote triage 1f2e3d4c5b6a7980 --work work/demo")
@click.argument("task")
@click.argument("model")
@work_option
def promote(task: str, model: str, work: Path) -> None:
    """Make the released MODEL the current one of TASK, such as an earlier one after a withdrawal."""
    from pipelines.models import promote_model

    click.echo(promote_model(work.resolve(), task, model))
