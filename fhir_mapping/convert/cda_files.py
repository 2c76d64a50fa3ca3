"""CDA files as records: one document a file."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_mapping.cda.convert import convert_document
from fhir_mapping.convert.options import Options
from fhir_mapping.convert.task import Item
from fhir_mapping.convert.times import as_instant
from fhir_mapping.document import Converted, Problem, Resource


def read_document(data: bytes, first: int, options: Options) -> Iterator[Item]:
    """The one document of a file."""
    if not data.strip():
        yield Item(error=Problem("empty_file", ""))
        return
    made: list[Converted] = []

    def convert() -> Converted:
        made.append(convert_document(data, zone=options.zone))
        return made[-1]

    yield Item(convert, recorded=lambda: _document_time(made[-1].resources))


def _document_time(resources: tuple[Resource, ...]) -> str | None:
    """``effectiveTime`` of the document, as the Composition holds it."""
    dates = (body.get("date") for body in resources if body.get("resourceType") == "Composition")
    return next((found for found in map(as_instant, dates) if found), None)
