"""``cloister predict``: score new records with a released model."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  cloister predict work/demo/registry/triage/current complaints.csv --out scores.csv
  cloister predict work/heart/registry/diagnosis/current new.data --out scores.csv \\
      --region regions/heart --site cleveland
"""
)
@click.argument("model_dir", type=click.Path(path_type=Path), metavar="MODEL_DIR")
@click.argument("input_file", type=click.Path(path_type=Path), metavar="INPUT")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="OUT.csv", help="Where the rows go.")
@click.option("--region", type=click.Path(path_type=Path), metavar="REGION", help="With --site: INPUT is an export.")
@click.option("--site", metavar="SITE", help="The site whose specs map INPUT.")
@click.option(
    "--authority",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Public key of the authority that signs models; default: pki/authority.pub of its work directory.",
)
def command(
    model_dir: Path, input_file: Path, out: Path, region: Path | None, site: str | None, authority: Path | None
) -> None:
    """Score the records of INPUT with the model in MODEL_DIR.

    With --region and --site, INPUT is a file as that site exports it, mapped by the site's own specs. Without, it is
    CSV or JSON Lines with the inputs that the model's card names, such as chief_complaint, age, sex.

    OUT.csv gets one row for each record, in order: record (from 0), predicted, p:CLASS for each class, label (when the
    input carries it; several joined by |) and error. A bad record gets an error, never a lost row.
    """
    if (region is None) != (site is None):
        raise click.UsageError("--region and --site go together: give both or neither")
    from pipelines.predict import open_model, predict_export
    from registry.score_file import score_file

    model = open_model(model_dir, authority)
    if region is not None and site is not None:
        rows, errors = predict_export(model, input_file, out, region.resolve(), site)
    else:
        rows, errors = score_file(model, input_file, out)
    click.echo(f"{rows} records scored into {out}" + (f", {errors} of them with an error" if errors else ""))
