"""``cloister view``: a SQL on FHIR view as a command."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.options import engine_option
from pipelines.settings import EngineKind
from pipelines.view_rows import Form


@click.command(
    epilog="""\b
Examples:
  cloister view regions/demo/views/visits.json --resources work/demo/sites/north --out visits.parquet
  cloister view people.json --resources bulk-export --out people.csv
  cloister view people.json --resources bundle.json --out people.txt --format ndjson
"""
)
@click.argument("view", type=click.Path(path_type=Path), metavar="VIEW.json")
@click.option(
    "--resources",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="A file or folder of FHIR JSON (NDJSON, bundles, resources; .gz too), or the folder of a site.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help=".ndjson, .csv or .parquet")
@click.option("--format", "form", type=click.Choice(["ndjson", "csv", "parquet"]), help="Whatever the name of FILE.")
@engine_option
def command(view: Path, resources: Path, out: Path, form: Form | None, engine: EngineKind) -> None:
    """Run a ViewDefinition (SQL on FHIR v2) over FHIR resources and write its rows to FILE.

    A site's silver is read by the engine, the view compiled to columns; FHIR JSON is read on every core. Both give the
    same rows. Lines that are no JSON are left out and counted.
    """
    from pipelines.view import run_view

    report = run_view(view, resources, out, form=form, engine=engine)
    click.echo(
        f"{report.rows:,} rows in {out}" + (f"; {report.bad:,} inputs are no JSON, left out" if report.bad else "")
    )
