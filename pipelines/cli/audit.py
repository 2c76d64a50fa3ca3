"""``cloister audit``: check an audit chain."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(epilog="\b\nExamples:\n  cloister audit verify work/demo")
def command() -> None:
    """Check the hash-chained logs of the key authority and of a site's egress."""


@command.command(
    epilog="""\b
Examples:
  cloister audit verify work/demo/authority
  cloister audit verify work/demo/sites/north/egress
"""
)
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
def verify(directory: Path) -> None:
    """Prove that the chain in DIR is whole, or name its first broken entry (exit code 5)."""
    from pipelines.audit import verify_directory

    for path, entries in verify_directory(directory):
        click.echo(f"whole: {entries} entries in {path}")
