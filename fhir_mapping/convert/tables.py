"""Tables by specs: rows are mapped by the engine as inside a region, checked by the workers, written a file a type.

A folder of specs has ``sources/*.toml``, ``specs/*.toml`` and ``maps/*.csv`` as a hospital of a region has them;
``region.toml`` two folders up, if there is one, gives the zone and the shared specs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from contracts.errors import UsageError
from contracts.fhir import to_fhir_json
from contracts.fhir.json_text import DecimalText, dumps, loads
from contracts.region import Region, Site, Source, load_region, load_site, load_source
from fhir_mapping.convert.inputs import InputFile
from fhir_mapping.convert.options import Format, Options
from fhir_mapping.convert.task import Item
from fhir_mapping.document import Converted, Problem

_SITE = "site"
KEPT_KEY = hashlib.sha256(b"cloister map convert: ids of tables whose identifiers are kept").digest()
"""Makes ids where names and identifiers are kept anyway: the same on every run; it hides nothing and need not."""


@dataclass(frozen=True)
class Specs:
    """A folder of specs, read."""

    region: Region
    site: Site

    def sources_of(self, format: Format, file: InputFile, is_only: bool) -> list[Source]:
        """The sources a file belongs to, by their ``files`` patterns; the only one of its format takes any file.

        Args:
            is_only: the file was given by itself, not found in a folder.
        """
        fitting = [source for source in self.site.sources if source.format == format]
        name = PurePosixPath(file.name).name
        found = [
            source
            for source in fitting
            if any(fnmatchcase(name, glob) or fnmatchcase(file.name, glob) for glob in source.files)
        ]
        return found or (fitting if is_only and len(fitting) == 1 else [])


def read_specs(folder: Path, zone: str | None) -> Specs:
    """Read a folder of specs.

    Raises:
        UsageError: there is no source in it.
        SpecError: a file is wrong.
    """
    if (folder / "site.toml").is_file():
        site = load_site(folder)
    else:
        sources = tuple(load_source(path) for path in sorted((folder / "sources").glob("*.toml")))
        site = Site(name=_SITE, title=_SITE, folder=folder, sources=sources)
    if not site.sources:
        raise UsageError(f"no source in {folder}/sources: expected *.toml files that say what the columns are.")
    above = folder.resolve().parent.parent
    if (above / "region.toml").is_file():
        return Specs(load_region(above), site)
    region = Region(name=_SITE, title=_SITE, timezone=zone or "UTC", folder=folder, sites=(site,), tasks=())
    return Specs(region, site)


class RowReader:
    """Maps the rows of files with one engine; a task is one block of rows with the resources they became."""

    def __init__(self, spark: Any, specs: Specs, options: Options) -> None:
        from fhir_mapping.mapping import compile_site

        self._spark, self._specs, self._options = spark, specs, options
        key = options.key or KEPT_KEY
        self._mappings = compile_site(specs.region, specs.site, key, identifying=options.key is None)

    def blocks(self, file: InputFile, source: Source) -> Iterator[bytes]:
        """The rows of one file, block by block, as JSON: a list of ``[resources, rule, path, is_skipped, order]``."""
        from fhir_mapping.records import block_rows, collect_mapped, open_export
        from fhir_mapping.sources.reader import inspect
        from fhir_mapping.sources.record import Refusal

        mapping = self._mappings[source.name]
        with open_export(file.path) as stream:
            read = inspect(source, stream)
            if isinstance(read, Refusal):
                yield dumps([[[], read.reason, "", False, ""]])
                return
            first = 0
            for block in read.blocks(stream):
                if len(block):
                    rows = self._spark.createDataFrame(block_rows(source, block, first, date.today().isoformat()))
                    mapped = sorted(collect_mapped(self._spark, mapping, rows), key=lambda row: row["_record_no"])
                    yield dumps([_row(mapping.emits, row) for row in mapped])
                first += len(block)


def _row(emits: Any, row: dict[str, Any]) -> list[Any]:
    order = row.get("_order") or ""
    if row["_errors"]:
        return [[], row["_errors"][0]["rule"], row["_errors"][0]["path"] or "", False, order]
    if row["_skip"] is not None:
        return [[], row["_skip"], "", True, order]
    made = [to_fhir_json(one.resource, row[one.column], number=DecimalText) for one in emits if row[one.column]]
    return [made, "", "", False, order]


def read_rows(data: bytes, first: int, options: Options) -> Iterator[Item]:
    """Records of a block that ``RowReader`` made; the time of a record is its order among those of one id."""
    for made, rule, path, is_skipped, order in loads(data):
        problem = Problem(rule, path) if rule else None
        yield Item(
            lambda made=made: Converted(tuple(made)),  # type: ignore[misc]
            error=None if is_skipped else problem,
            skip=problem if is_skipped else None,
            document="",
            is_foreign=True,
            recorded=lambda order=order: order or None,  # type: ignore[misc]
        )
