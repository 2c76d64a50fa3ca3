"""``cloister map convert``: files of any format to FHIR bundles, without a region."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from fhir_mapping.convert.run import Report


@click.command(
    epilog="""\b
Examples:
  cloister map convert --format hl7v2 feed/ --out fhir/
  cloister map convert --format cda discharge.xml --out fhir/ --fhir R5
  cloister map convert --format fhir export/*.ndjson.gz --out fhir/ --pseudonymous --key site.key
  cloister map convert --format csv visits.csv --spec regions/demo/sites/north --out fhir/
"""
)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option(
    "--format",
    "format_",
    required=True,
    type=click.Choice(["hl7v2", "cda", "fhir", "csv", "tsv", "xlsx"]),
    help="Format of the inputs.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the bundles and reports."
)
@click.option("--fhir", type=click.Choice(["R4", "R5"]), default="R4", show_default=True, help="FHIR version to write.")
@click.option(
    "--spec",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with a site's sources/, specs/ and maps/ (tables), or with overrides of the HL7 v2 tables.",
)
@click.option("--zone", default="Asia/Shanghai", show_default=True, help="Zone of local times; 'none': not known.")
@click.option(
    "--pseudonymous",
    is_flag=True,
    help="Write what silver holds: no names, no identifiers, keyed ids, listed elements.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="CLOISTER_PSEUDONYM_KEY",
    help="File with the 32-byte key of pseudonyms; without one a random key is used once.",
)
@click.option("--profile", type=click.Choice(["cn"]), help="Meet the HL7 China profiles where the data allow it.")
@click.option("--processes", type=click.IntRange(1), default=None, help="Worker processes; default: one a core.")
def command(
    inputs: tuple[Path, ...],
    format_: Literal["hl7v2", "cda", "fhir", "csv", "tsv", "xlsx"],
    out: Path,
    fhir: Literal["R4", "R5"],
    spec: Path | None,
    zone: str,
    pseudonymous: bool,
    key: Path | None,
    profile: Literal["cn"] | None,
    processes: int | None,
) -> None:
    """Convert INPUT, files or folders, to checked FHIR in the folder --out.

    \b
    One bundle X.json a file X.hl7 (X.2.json, ... for its further messages); tables give one Patient.ndjson, ... a
    resource type. What did not make it stands in quarantine.ndjson (file, record, rule, path: never a value), the
    count of everything in ledger.json. Exit code 0 also when records were quarantined: the last line says how many.
    """
    from fhir_mapping.convert.options import Options
    from fhir_mapping.convert.run import convert
    from fhir_mapping.convert.settings import check_zone, read_key

    secret = read_key(key) if pseudonymous else None
    if pseudonymous and key is None:
        click.echo("cloister: no --key given: pseudonyms of this run cannot be made again", err=True)
    options = Options(format_, fhir, spec, check_zone(zone), secret, profile)
    _tell(convert(inputs, out, options, processes or len(os.sched_getaffinity(0))))


def _tell(report: Report) -> None:
    records, resources = report.totals.records, sum(report.totals.resources.values())
    click.echo(
        f"{report.files} files, {sum(records.values())} records: {records['mapped']} mapped to {resources} resources, "
        f"{records['quarantined']} quarantined, {records['skipped']} skipped"
    )
    if report.totals.left_out:
        click.echo(f"{report.totals.left_out} resources of mapped records were left out")
    if report.others:
        click.echo(f"{len(report.others)} files with another extension were not read: listed in {report.ledger}")
    if records["quarantined"] or report.totals.left_out:
        click.echo(f"what did not make it and why: {report.quarantine}")
