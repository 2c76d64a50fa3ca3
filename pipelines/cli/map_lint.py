"""``cloister map lint``: what is wrong or left over in mapping specs."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import click


@click.command(
    epilog="\b\nExamples:\n  cloister map lint regions/demo\n"
    "  cloister map lint regions/demo --site north --data work/demo/sites/north/landing/2026-03-02\n"
    "  cloister map lint regions/demo/sites/north --format json"
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="REGION|SITE_DIR")
@click.option("--site", metavar="SITE", help="This site of the region only.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE|DIR",
    help="Sample files as delivered; may be repeated. Names what of them nothing reads, and what the maps lack.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--errors-only", is_flag=True, help="Leave out warnings and notes.")
def command(folder: Path, site: str | None, data: tuple[Path, ...], form: str, errors_only: bool) -> None:
    """Look through the sources, specs and code maps of a region, or of one site's folder.

    Prints FILE:LINE: LEVEL RULE: WORDS for each finding; names, codes and counts only, never a value of a record. Exit
    code 1 when one is an error: the mapper would refuse the file.
    """
    from fhir_mapping.spec.lint import lint_folder

    found = [replace(one, file=os.path.relpath(one.file)) for one in lint_folder(folder, site, data)]
    shown = [one for one in found if one.level == "error" or not errors_only]
    if form == "json":
        click.echo(json.dumps([asdict(one) for one in shown], ensure_ascii=False, indent=2))
    else:
        for one in shown:
            click.echo(str(one))
        counts = {level: sum(one.level == level for one in found) for level in ("error", "warning", "info")}
        click.echo(f"{counts['error']} errors, {counts['warning']} warnings, {counts['info']} notes")
    if any(one.level == "error" for one in found):
        click.get_current_context().exit(1)
