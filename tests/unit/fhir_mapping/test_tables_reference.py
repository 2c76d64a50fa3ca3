"""docs/reference/tables.md names every column of the tables that ingest and mapping write, and every reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from source_files import csv_source

from contracts.fhir import SILVER_COLUMNS
from contracts.zone import SiteZone
from fhir_mapping import bronze, landing, manifest, versions
from fhir_mapping.lifecycle import erased
from fhir_mapping.sources import reader
from fhir_mapping.sources.record import RECORD_ERRORS
from fhir_mapping.tables import ledger_table, link_table, pending_table, quarantine_table, superseded_table

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "tables.md").read_text(encoding="utf-8")
ZONE = SiteZone(Path("zone"), "north")


@pytest.mark.parametrize(
    "table",
    [
        manifest.table(ZONE),
        bronze.table(ZONE, csv_source("visit_no")),
        ledger_table(ZONE),
        quarantine_table(ZONE),
        superseded_table(ZONE),
        pending_table(ZONE),
        link_table(ZONE),
        erased.table(ZONE),
        versions.table(ZONE),
    ],
    ids=lambda table: table.path.name,
)
def test_every_column_is_in_the_reference(table: bronze.Table) -> None:
    assert [name for name in table.schema.names if f"`{name}`" not in REFERENCE and name != "visit_no"] == []


def test_every_reason_error_and_lineage_column_is_in_the_reference() -> None:
    reasons = [landing.NO_SOURCE, landing.SEVERAL_SOURCES, landing.COMPRESSED_FILE]
    reasons += [reader.EMPTY_FILE, reader.UNKNOWN_ENCODING]
    names = [*reasons, *RECORD_ERRORS, *(name for name, _ in SILVER_COLUMNS)]
    assert [name for name in names if f"`{name}`" not in REFERENCE] == []
