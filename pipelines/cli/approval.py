"""``cloister approval``: what the commission allows to be computed."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import region_argument, work_option

NAME = "demo-triage-1f2e3d4c5b6a-20261122-5e6f70"


@click.group(
    epilog=f"""\b
Examples:
  cloister approval list --work work/demo
  cloister approval sign regions/demo --task triage --days 90 --work work/demo
  cloister approval revoke {NAME} --reason 'study stopped' --work work/demo
"""
)
def command() -> None:
    """List, sign, countersign and revoke approvals: no sum is opened that no live one covers."""


@command.command(name="list", epilog="\b\nExamples:\n  cloister approval list --work work/demo")
@work_option
def list_(work: Path) -> None:
    """List the commission's approvals: state, openings spent, purpose."""
    from contracts.zone import WorkArea
    from pipelines.approvals import approval_lines

    for line in approval_lines(WorkArea(work.resolve())):
        click.echo(line)


@command.command(epilog="\b\nExamples:\n  cloister approval sign regions/demo --task triage --days 90 --work work/demo")
@region_argument
@click.option("--task", required=True, help="The task; its program is approved as it stands in REGION now.")
@click.option("--days", type=click.IntRange(1), default=365, show_default=True, help="How long it lives.")
@click.option("--openings", type=click.IntRange(1), default=100_000, show_default=True, help="Sums that may be opened.")
@click.option(
    "--bilateral/--no-bilateral", default=None, help="Accept a roster of fewer than three sites. Default: if it is one."
)
@work_option
def sign(region: Path, task: str, days: int, openings: int, bilateral: bool | None, work: Path) -> None:
    """Approve the program of a task as the commission, from now on."""
    from pipelines.approvals import sign as sign_approval
    from pipelines.settings import Settings

    settings = Settings(region=region.resolve(), work=work.resolve())
    path, state = sign_approval(settings, task, days, openings, bilateral)
    click.echo(f"{path.stem}: {state}; {path}")


@command.command(
    epilog=f"""\b
Examples:
  cloister approval countersign work/demo/authority/approvals/{NAME}.json \\
    --key work/demo/approvers/li/secrets/approver.key --work work/demo
"""
)
@click.argument("approval", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The approver's identity, mode 0600, in the approver's own folder.",
)
@work_option
def countersign(approval: Path, key: Path, work: Path) -> None:
    """Agree to the approval in FILE as an approver that the roster names. Read what it says first."""
    from contracts.zone import WorkArea
    from pipelines.approvals import countersign as add_countersignature
    from pipelines.rosters import COMMISSION_KEY, ROSTER

    pki = WorkArea(work.resolve()).pki
    found, state = add_countersignature(approval, key, pki / ROSTER, pki / COMMISSION_KEY)
    click.echo(f"{found.name}: {state}")
    click.echo(f"  task {found.task}, program {found.program[:16]}, until {found.valid_until}: {found.purpose}")


@command.command(epilog=f"\b\nExamples:\n  cloister approval revoke {NAME} --reason 'study stopped' --work work/demo")
@click.argument("name")
@click.option("--reason", required=True, help="Kept in the signed revocation; no patient values.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="An approver's identity; without, the commission revokes.",
)
@work_option
def revoke(name: str, reason: str, key: Path | None, work: Path) -> None:
    """Revoke the approval NAME: the authority opens nothing more under it, in runs under way too."""
    from contracts.zone import WorkArea
    from pipelines.approvals import revoke as revoke_approval

    found = revoke_approval(WorkArea(work.resolve()), name, reason, key)
    click.echo(f"approval '{found.name}' is revoked: nothing more is opened under it")
