"""``cloister map test``: the examples that stand in mapping specs."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command(
    epilog="\b\nExamples:\n  cloister map test regions/demo\n  cloister map test regions/demo --site north\n"
    "  cloister map test regions/demo/sites/north"
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="REGION|SITE_DIR")
@click.option("--site", metavar="SITE", help="The examples of this site only.")
def command(folder: Path, site: str | None) -> None:
    """Run the [[example]]s of all specs of a region, or of one site's folder: record in, resource out.

    A failed example is named by file and line with what differs. Exit code 1 when one failed.
    """
    from fhir_mapping.spec.examples_run import run_examples
    from fhir_mapping.spec.folder import open_sites
    from lake.engine import open_engine

    region, sites = open_sites(folder, site)
    passed = failed = 0
    with open_engine() as spark:
        for result in run_examples(spark, region, sites):
            passed, failed = passed + (not result.failures), failed + bool(result.failures)
            if result.failures:
                title = f" {result.example.title}" if result.example.title else ""
                file = os.path.relpath(result.example.file)
                click.echo(f"{file}:{result.example.line}: failed on site {result.site}:{title}")
                for words in result.failures:
                    click.echo(f"    {words}")
    click.echo(f"{passed} examples passed, {failed} failed")
    if failed:
        click.get_current_context().exit(1)
