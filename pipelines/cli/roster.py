"""``cloister roster``: who learns together, signed by the commission."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import region_argument, work_option


@click.group(
    epilog="""\b
Examples:
  cloister roster show --work work/demo
  cloister roster check --fingerprint north='1a2b 3c4d 5e6f 7081' --work work/demo
"""
)
def command() -> None:
    """Show, check and sign the roster: sites, identities, quorum, approvers. Its version only rises."""


@command.command(epilog="\b\nExamples:\n  cloister roster show --work work/demo")
@work_option
def show(work: Path) -> None:
    """Print the roster's fingerprints, to read over the telephone, and what it tolerates."""
    from contracts.zone import WorkArea
    from pipelines.rosters import read_region_roster, show_lines

    for line in show_lines(read_region_roster(WorkArea(work.resolve()))):
        click.echo(line)


@command.command(
    epilog="""\b
Examples:
  cloister roster check --fingerprint commission='1a2b 3c4d 5e6f 7081' --fingerprint north=9a8b7c6d5e4f3a2b \\
    --work work/demo
"""
)
@click.option(
    "--fingerprint",
    "told",
    multiple=True,
    required=True,
    metavar="NAME=WORDS",
    help="What the owner of a key read to you: a site, authority, commission, tls-root, 'approver 1'; repeatable.",
)
@work_option
def check(told: tuple[str, ...], work: Path) -> None:
    """Compare the roster with fingerprints that its parties read over the telephone (exit code 5 when one differs)."""
    from contracts.zone import WorkArea
    from pipelines.rosters import check_fingerprints, read_region_roster

    pairs = dict(_pair(one) for one in told)
    roster = read_region_roster(WorkArea(work.resolve()))
    click.echo(f"roster version {roster.version} agrees on {', '.join(check_fingerprints(roster, pairs))}")


@command.command(
    epilog="""\b
Examples:
  cloister roster sign regions/demo --work work/demo
  cloister roster sign regions/demo --approver work/demo/approvers/li/approver.pub \\
    --approver work/demo/approvers/wang/approver.pub --approvals-needed 2 --work work/demo
  cloister roster sign regions/demo --readmit west --work work/demo
"""
)
@region_argument
@click.option(
    "--approver",
    "approvers",
    multiple=True,
    metavar="KEY",
    help="Public key of an approver, hex or a .pub file; repeatable. Without, the approvers stay.",
)
@click.option("--no-approvers", is_flag=True, help="The commission's own signature is enough from now on.")
@click.option("--approvals-needed", type=click.IntRange(1), default=1, show_default=True, help="Of how many approvers.")
@click.option("--readmit", multiple=True, metavar="SITE", help="Take back a revoked site that has another identity.")
@work_option
def sign(
    region: Path,
    approvers: tuple[str, ...],
    no_approvers: bool,
    approvals_needed: int,
    readmit: tuple[str, ...],
    work: Path,
) -> None:
    """Sign the roster of REGION as the commission: its sites that are not revoked, and the approvers.

    The same content keeps its version; another one gets the next, and every party refuses the older one after it.
    """
    from contracts.region import load_region
    from pipelines import keys
    from pipelines.locks import locked
    from pipelines.parties import set_up_parties
    from pipelines.rosters import Approvers, public_key, read_region_roster, show_lines
    from pipelines.settings import Settings

    if approvers and no_approvers:
        raise click.UsageError("--approver and --no-approvers exclude each other")
    chosen = Approvers(tuple(public_key(one) for one in approvers), approvals_needed) if approvers else None
    settings = Settings(region=region.resolve(), work=work.resolve())
    with locked(settings.work):
        if readmit:
            keys.readmit(settings.area, readmit)
        set_up_parties(load_region(settings.region), settings.area, Approvers() if no_approvers else chosen)
    for line in show_lines(read_region_roster(settings.area)):
        click.echo(line)


def _pair(text: str) -> tuple[str, str]:
    name, sign, words = text.partition("=")
    if not (name and sign and words):
        raise click.UsageError(f"--fingerprint {text!r}: give NAME=WORDS, such as north='1a2b 3c4d 5e6f 7081'")
    return name.strip(), words.strip()
