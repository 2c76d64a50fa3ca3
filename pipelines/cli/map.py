"""``cloister map``: what a data engineer does with mapping specs. One module a subcommand, ``map_<name>.py``."""

from __future__ import annotations

import click

from pipelines.cli.lazy import LazyGroup

COMMANDS = {
    "convert": ("pipelines.cli.map_convert", "Convert files to FHIR bundles, without a region."),
    "lint": ("pipelines.cli.map_lint", "Name what is wrong or left over in a region's mapping specs."),
    "test": ("pipelines.cli.map_test", "Run the examples that stand in mapping specs."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog="\b\nExamples:\n  cloister map lint regions/demo\n  cloister map test regions/demo --site north",
)
def command() -> None:
    """Check mapping specs and run their examples."""
