"""Scoring a file as a site exports it: the site's own specs map each record, the released model scores it."""

from __future__ import annotations

import fnmatch
import secrets
from pathlib import Path

from contracts.errors import UsageError
from contracts.region import Site, Source, load_region
from fhir_mapping.sources.reader import Refusal, inspect
from pipelines.models import trusted_authority
from pipelines.parties import AUTHORITY_KEY
from registry.score_file import score_records, write_scores
from registry.store import Model, load_model


def open_model(folder: Path, authority: Path | None) -> Model:
    """A released model. ``authority``: key file; default ``pki/authority.pub`` of the work directory it stands in.

    Raises:
        UsageError: no model or no key there.
        ModelSignatureError: it is unsigned, altered or foreign.
    """
    found = folder.resolve()
    key_file = authority or found.parent.parent.parent / "pki" / AUTHORITY_KEY
    if not found.is_dir():
        raise UsageError(f"no model at {folder}: expected a folder such as WORK/registry/TASK/current")
    if not key_file.is_file():
        raise UsageError(f"no authority key at {key_file}: give the one you trust with --authority FILE")
    return load_model(found, trusted_authority(key_file))


def predict_export(model: Model, path: Path, out: Path, region_folder: Path, site_name: str) -> tuple[int, int]:
    """Score a file as the site exports it; one row a record, in order.

    Returns:
        Records, and how many have an error.

    Raises:
        UsageError: no such file, region or site, or the file is of none of the site's sources that the model can use.
    """
    from fhir_mapping.records import map_records
    from lake.engine import EngineSettings, open_engine

    if not path.is_file():
        raise UsageError(f"no file at {path}: expected an export of site '{site_name}'")
    region = load_region(region_folder)
    site = region.site(site_name)
    source = source_of(site, path)
    with open_engine(EngineSettings()) as spark:
        records = map_records(spark, secrets.token_bytes(32), region, site, source, path)
        return write_scores(out, model.card.classes, score_records(model, records))


def source_of(site: Site, path: Path) -> Source:
    """The site's source that a file belongs to: by its name, else the site's only one, else by its header.

    Raises:
        UsageError: none, or several that cannot be told apart.
    """
    name = path.name.removesuffix(".gz")
    named = [source for source in site.sources if any(fnmatch.fnmatch(name, pattern) for pattern in source.files)]
    if len(named) == 1:
        return named[0]
    if len(site.sources) == 1:
        return site.sources[0]
    fitting = [source for source in site.sources if source.format == "csv" and _fits(source, path)]
    if len(fitting) == 1:
        return fitting[0]
    patterns = ", ".join(f"{source.name} ({' '.join(source.files)})" for source in site.sources)
    raise UsageError(f"{path.name} is of no source of site '{site.name}': expected a file named like one of {patterns}")


def _fits(source: Source, path: Path) -> bool:
    from fhir_mapping.records import open_export

    with open_export(path) as stream:
        return not isinstance(inspect(source, stream), Refusal)
