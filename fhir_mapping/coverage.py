"""Which code systems a site's silver speaks: for every coded element, how many values have a code of which system.

Read from the Arrow columns of silver, one column at a time; counts, systems and element paths only. A code that no
map knew keeps its local coding, so its system is the site's own: it is counted as local.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from contracts.fhir.elements import TYPES
from contracts.zone import SiteZone
from fhir_mapping.tables import silver_table_path, silver_types
from fhir_mapping.terminology.code_map import GENERAL, load_map
from fhir_mapping.terminology.code_system import code_systems
from lake.reader import read_arrow

NO_CODE = ""
"""System of a value that has words and no code, and of a code that names no system."""


@dataclass(frozen=True)
class CodeCoverage:
    """How many codings of an element are of one system.

    Attributes:
        element: ``Observation.code``; of a repeating or nested element, all its entries together.
        system: URI; "" for values without a code (``codings`` counts them).
        codings: a value with codings of two systems counts in both.
        is_shared: the system is one that others know too: HL7's, LOINC, SNOMED CT, UCUM, or named in
            ``code_systems.csv``; False for a local coding and for no code.
    """

    resource: str
    element: str
    system: str
    codings: int
    is_shared: bool


def code_coverage(zone: SiteZone) -> list[CodeCoverage]:
    """Coverage by code system of all silver tables of a site, by element and system; empty before the first silver."""
    found: list[CodeCoverage] = []
    for resource in silver_types(zone):
        for path, type_name in _coded_elements(resource):
            top = path[0]
            column = read_arrow(silver_table_path(zone, resource), [top]).column(0)
            counts = _systems(_below(_arrays(column), path[1:]), type_name)
            element = ".".join([resource, *path])
            found += [
                CodeCoverage(resource, element, system, count, is_shared(system))
                for system, count in sorted(counts.items())
            ]
    return found


def is_shared(system: str) -> bool:
    """Whether a code system means the same outside the site."""
    return system.startswith(("http://hl7.org/", "http://terminology.hl7.org/")) or system in _shared_systems()


@cache
def _shared_systems() -> frozenset[str]:
    named = {system.uri for system in code_systems().values()}
    mapped = {target.system for path in GENERAL.glob("*.csv") for target in load_map(path.stem, []).rows.values()}
    return frozenset(named | mapped) - {NO_CODE}


def _coded_elements(resource: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Paths of CodeableConcepts, Codings and Quantities of a resource, those in its backbone elements too."""
    for element in TYPES[resource].elements.values():
        if element.is_identifying or element.is_primitive:
            continue
        if element.type in ("CodeableConcept", "Coding", "Quantity"):
            yield (element.name,), element.type
        elif element.type.startswith(resource):
            for path, kind in _coded_elements(element.type):
                yield (element.name, *path), kind


def _arrays(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _below(values: pa.Array, path: Iterable[str]) -> pa.Array:
    """The entries of a nested element, lists flattened, those that are there."""
    values = _flat(values)
    for name in path:
        values = _flat(pc.struct_field(values, name))
    return values


def _flat(values: pa.Array) -> pa.Array:
    while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        values = pc.list_flatten(values)
    return values.drop_null()


def _systems(values: pa.Array, type_name: str) -> Counter[str]:
    """Codings by system; values that have no code count under ``NO_CODE``."""
    counts: Counter[str] = Counter()
    codings = values
    if type_name == "CodeableConcept":
        entries = pc.struct_field(values, "coding")
        counts[NO_CODE] += int(pc.sum(pc.fill_null(pc.equal(pc.list_value_length(entries), 0), True)).as_py() or 0)
        codings = _flat(entries)
    has_code = pc.is_valid(pc.struct_field(codings, "code"))
    counts[NO_CODE] += len(codings) - int(pc.sum(has_code).as_py() or 0)
    systems = pc.struct_field(codings.filter(has_code), "system")
    for entry in pc.value_counts(pc.fill_null(systems, NO_CODE)).to_pylist():
        counts[entry["values"]] += entry["counts"]
    return Counter({system: count for system, count in counts.items() if count})
