"""Extensions of FHIR records that silver does not take, by URL and count: what the allow-list drops is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from contracts.region import Site
from contracts.zone import SiteZone
from fhir_mapping import bronze
from fhir_mapping.deidentification import extension_type
from fhir_mapping.manifest import read_manifest
from lake.reader import read_arrow


def dropped_extensions(zone: SiteZone, site: Site) -> Counter[str]:
    """URLs of extensions in the site's NDJSON records that are not on the allow-list, with how often each stands.

    Reads bronze day by day, and parses only records that have an extension. Records the reader could not read are left
    out; those with an unknown modifier extension are in the quarantine.
    """
    found: Counter[str] = Counter()
    days = sorted({entry.delivery_date for entry in read_manifest(zone)})
    for source in site.sources:
        if source.format != "ndjson":
            continue
        table = bronze.table(zone, source)
        for day in days:
            raw = read_arrow(table.path, ["_raw"], {"_delivery_date": [day]}).column(0)
            for text in raw.filter(pc.match_substring(raw, '"extension"')).to_pylist():
                found.update(_urls(text))
    return found


def _urls(text: str) -> Iterator[str]:
    try:
        record = json.loads(text)
    except ValueError:
        return
    yield from _below(record, str(record.get("resourceType", "")) if isinstance(record, dict) else "")


def _below(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _below(entry, path)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name == "extension" and isinstance(part, list):
                urls = [entry.get("url") for entry in part if isinstance(entry, dict)]
                yield from (url for url in urls if isinstance(url, str) and extension_type(url, path) is None)
            elif name != "resourceType":
                yield from _below(part, f"{path}.{name}")
