"""``cloister view``: a SQL on FHIR view over a site's silver (compiled to columns) or over FHIR JSON files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset as ds

from contracts.errors import SpecError, UsageError
from contracts.fhir import RESOURCES
from contracts.fhir.view_definition import View, parse_view, read_view
from pipelines.settings import EngineKind
from pipelines.view_rows import Encoded, Form, encode, form_of, write_rows

_BATCH_ROWS = 50_000


@dataclass
class ViewReport:
    """Counts of a run.

    Attributes:
        bad: lines or files that are no JSON and were left out.
    """

    rows: int = 0
    bad: int = 0


def run_view(
    view_file: Path, resources: Path, out: Path, *, form: Form | None = None, engine: EngineKind = "sail"
) -> ViewReport:
    """Write the rows of a view.

    Args:
        resources: a file or folder of FHIR JSON, a site's folder (``work/demo/sites/north``) or its ``lake``.
        form: default: by the suffix of ``out``.

    Raises:
        SpecError: the view is wrong, or meets several values where it takes one; nothing is written.
        UsageError: no resources there, or no format for ``out``.
    """
    chosen = form or form_of(out)
    body = read_view(view_file)
    view = parse_view(body)
    if not resources.exists():
        raise UsageError(f"no file or folder {resources}: give FHIR JSON, or a site's folder such as work/demo/sites/x")
    report = ViewReport()
    lake = _lake(resources)
    if lake is not None:
        parts = _silver_parts(view, lake, chosen, engine, report)
    else:
        from pipelines.view_json import json_files, view_parts

        parts = _counted(view_parts(body, json_files(resources), chosen), report)
    write_rows(out, view, chosen, parts)
    return report


def _lake(path: Path) -> Path | None:
    """The folder of silver tables that a path means, if any."""
    return next((p for p in (path, path / "lake") if p.is_dir() and any(p.glob("silver_fhir__*"))), None)


def _counted(parts: Iterator, report: ViewReport) -> Iterator[Encoded]:
    for part in parts:
        report.rows += part.rows
        report.bad += part.bad
        yield part.encoded


def _silver_parts(view: View, lake: Path, form: Form, engine: EngineKind, report: ViewReport) -> Iterator[Encoded]:
    """The compiled view; the engine leaves its rows in a file, so that they need not fit in memory."""
    from pyspark.errors import PySparkException
    from pyspark.sql.types import StructType

    from contracts.fhir import silver_schema_json
    from features.element import SEVERAL
    from features.views import compile_view
    from lake.engine import EngineSettings, open_engine
    from lake.tables import Table, read

    if view.resource not in RESOURCES:
        raise UsageError(f"silver has no {view.resource}; it has {', '.join(RESOURCES)}")
    schema = StructType.fromJson(silver_schema_json(view.resource))
    with (
        tempfile.TemporaryDirectory(dir=lake, prefix=".view-") as scratch,
        open_engine(EngineSettings(engine)) as spark,
    ):
        rows = compile_view(view, read(spark, Table(lake / f"silver_fhir__{view.resource.lower()}", schema)))
        try:
            rows.write.parquet(f"{scratch}/rows")
        except PySparkException as error:
            if SEVERAL in str(error):
                raise SpecError(f"view of {view.resource}: {SEVERAL.removeprefix('cloister: ')}") from None
            raise
        for batch in ds.dataset(f"{scratch}/rows", format="parquet").to_batches(batch_size=_BATCH_ROWS):
            report.rows += batch.num_rows
            yield encode(view, batch.to_pylist(), form)
