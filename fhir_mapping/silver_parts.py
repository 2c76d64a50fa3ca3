"""Which parts of silver must be written: a day of a type is a function of little, and stands while that stands.

What a day's resources of a type are made of is named by a fingerprint: the day's files of the mapped tables, the
mapping, which files were delivered twice, which resources were superseded, which of them wait, who replaces whom. The
fingerprints of what was written stand beside the table with the names of its files. A part is written again when either
differs: after another mapping, a late correction, a killed run (its commit without its note), a repair by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.zone import SiteZone
from fhir_mapping.manifest import FileEntry
from fhir_mapping.mapping import MappedSource
from fhir_mapping.tables import RECORD, link_table, silver_table_path
from lake.reader import part_files, read_arrow
from lake.tables import Table, exists

DAY = "_delivery_date"
_RULES = 2
"""Counts changes of the code that makes silver of mapped rows: another number, and every part is written again."""
_NOTE = "_made_of.json"
"""In the table's folder: dropped with it, and not a data file by its name."""

Digests = Mapping[str, str]
"""Day -> digest."""


@dataclass(frozen=True)
class Parts:
    """What silver's parts of a site would be made of now.

    Attributes:
        mapped: files of the mapped table of each of the sources, by day.
        twice: names of the files of a day that were delivered before.
        superseded: digest of the superseded resources by type and day.
        links: digest of who replaces whom.
    """

    mapped: list[dict[str, tuple[str, ...]]]
    twice: dict[str, list[str]]
    superseded: Mapping[str, Digests]
    links: str

    @classmethod
    def of(
        cls,
        zone: SiteZone,
        sources: Sequence[MappedSource],
        manifest: Sequence[FileEntry],
        superseded: DataFrame | None,
    ) -> Parts:
        """Look at the mapped tables, the manifest, and the superseded resources of this run (None: there are none)."""
        twice: dict[str, list[str]] = {}
        for entry in manifest:
            if entry.is_duplicate:
                twice.setdefault(entry.delivery_date, []).append(entry.file_name)
        return cls(
            [part_files(source.table.path, DAY) for source in sources],
            {day: sorted(names) for day, names in twice.items()},
            {} if superseded is None else digests_by_type(superseded, ["id", *RECORD, "_spec"]),
            _links(zone),
        )

    def fingerprints(
        self, sources: Sequence[MappedSource], table: Table, resource: str, waiting: Digests
    ) -> dict[str, str]:
        """Day -> fingerprint of each part of a silver table that has, or may have, rows.

        Args:
            sources: those that this was made of, in their order.
            table: the silver table as declared.
            waiting: digest of the type's resources that wait for a reference, by day.
        """
        own = [
            (source.mapping.source, source.mapping.digest, files)
            for source, files in zip(sources, self.mapped, strict=True)
            if any(emit.resource == resource for emit in source.mapping.emits)
        ]
        shape, superseded = table.schema.json(), self.superseded.get(resource, {})
        return {
            day: _sha256(
                [
                    [(name, digest, files[day]) for name, digest, files in own if day in files],
                    self.twice.get(day),
                    superseded.get(day),
                    waiting.get(day),
                    self.links,
                    shape,
                    _RULES,
                ]
            )
            for day in sorted({day for _, _, files in own for day in files})
        }


def digests_by_type(rows: DataFrame, names: Sequence[str]) -> Mapping[str, Digests]:
    """Of each type (column ``resource``) the digests of its rows by day, by the columns named; order does not count."""
    found: dict[str, dict[str, str]] = {}
    for row in rows.groupBy("resource", DAY).agg(*_sums(names)).collect():
        found.setdefault(row["resource"], {})[row[DAY]] = _sha256([row["n"], str(row["a"]), str(row["b"])])
    return found


def stale_days(zone: SiteZone, resource: str, fingerprints: Digests) -> list[str]:
    """Days of a silver table that are to be written: made of something else, or not as they were left."""
    path = silver_table_path(zone, resource)
    noted, files = _read_note(path), part_files(path, DAY)
    days = sorted({*fingerprints, *noted, *files})
    return [
        day for day in days if noted.get(day) != {"made_of": fingerprints.get(day), "files": list(files.get(day, ()))}
    ]


def note_parts(zone: SiteZone, resource: str, fingerprints: Digests) -> None:
    """Say what the table's parts are made of, now that all are written."""
    path = silver_table_path(zone, resource)
    files = part_files(path, DAY)
    note = {day: {"made_of": made_of, "files": list(files.get(day, ()))} for day, made_of in fingerprints.items()}
    if note != _read_note(path):
        partial = path / f"{_NOTE}.part"
        partial.write_text(json.dumps(note, sort_keys=True), encoding="utf-8")
        os.replace(partial, path / _NOTE)


def _read_note(path: Path) -> dict[str, Any]:
    try:
        found = json.loads((path / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sums(names: Iterable[str]) -> list[Column]:
    """Number of rows and two sums of 64-bit hashes; decimals, which do not overflow."""
    columns = [F.coalesce(F.col(name).cast("string"), F.lit("\0")) for name in names]
    text = F.concat_ws("\1", *columns)
    hashes = (F.xxhash64(text), F.xxhash64(F.concat(text, F.lit("\1"))))
    sums = [F.sum(value.cast("decimal(20,0)")).alias(name) for value, name in zip(hashes, "ab", strict=True)]
    return [F.count(F.lit(1)).alias("n"), *sums]


def _links(zone: SiteZone) -> str:
    table = link_table(zone)
    if not exists(table):
        return ""
    rows = read_arrow(table.path, ["old_id", "standing_id"]).to_pylist()
    return _sha256(sorted((row["old_id"], row["standing_id"] or "") for row in rows))


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
