"""``cloister clinic``: who may call the gateway."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipelines.cli.options import work_option


@click.group(
    epilog="\b\nExamples:\n  cloister clinic register demo --work work/demo\n"
    "  cloister clinic token demo https://localhost:8443/cds-services/triage --work work/demo"
)
def command() -> None:
    """Register clinics at the gateway, remove them, make a token to try it."""


@command.command(
    epilog="""\b
Examples:
  cloister clinic register east --jwks east.jwks.json --issuer https://emr.east.example/ --work work/demo
  cloister clinic register demo --work work/demo
"""
)
@click.argument("name")
@click.option("--jwks", type=click.Path(path_type=Path), help="The clinic's public keys; without, a key pair is made.")
@click.option("--issuer", help="iss of its tokens; default urn:cloister:clinic:NAME.")
@work_option
def register(name: str, jwks: Path | None, issuer: str | None, work: Path) -> None:
    """Let clinic NAME call the gateway; one of that name is replaced."""
    from contracts.errors import UsageError
    from contracts.zone import WorkArea
    from gateway.clinics import key_file, register_clinic

    folder = WorkArea(work.resolve()).gateway
    try:
        keys = json.loads(jwks.read_bytes()) if jwks else None
    except (OSError, ValueError) as error:
        raise UsageError(f"{jwks} is no JWK Set ({type(error).__name__}): expected the clinic's public keys") from error
    clinic = register_clinic(folder, name, keys, issuer)
    made = "" if jwks else f"; its private key: {key_file(folder, clinic.name)}"
    click.echo(f"clinic '{clinic.name}' is registered as {clinic.issuer}{made}")


@command.command(epilog="\b\nExamples:\n  cloister clinic remove east --work work/demo")
@click.argument("name")
@work_option
def remove(name: str, work: Path) -> None:
    """Refuse clinic NAME's tokens from now on."""
    from contracts.zone import WorkArea
    from gateway.clinics import remove_clinic

    remove_clinic(WorkArea(work.resolve()).gateway, name)
    click.echo(f"clinic '{name}' is refused from now on")


@command.command(
    epilog="\b\nExamples:\n  cloister clinic token demo https://localhost:8443/cds-services/triage --work work/demo"
)
@click.argument("name")
@click.argument("url")
@click.option("--seconds", type=int, default=60, show_default=True, help="How long it lives.")
@work_option
def token(name: str, url: str, seconds: int, work: Path) -> None:
    """Print a token for one call of URL by clinic NAME, whose key was made here."""
    from contracts.zone import WorkArea
    from pipelines.gateway import clinic_token

    click.echo(clinic_token(WorkArea(work.resolve()), name, url, seconds))
