"""Running the examples of specs: all of one spec in one query, by the compiler that maps the records of every day."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from contracts.errors import SpecError
from contracts.fhir import to_fhir_json
from contracts.fhir.json_text import DecimalText
from contracts.region import Region, Site, Source
from fhir_mapping.identity.ids import resource_id
from fhir_mapping.records import block_rows, collect_mapped
from fhir_mapping.sources.reader import Refusal, inspect
from fhir_mapping.sources.record import Block
from fhir_mapping.spec.check import maps_of
from fhir_mapping.spec.compile import SourceMapping, compile_source
from fhir_mapping.spec.examples import Example, differences, read_examples
from fhir_mapping.spec.model import SHARED_IDENTITY, Emit, load_emits
from fhir_mapping.spec.plan import Setting
from fhir_mapping.terminology.code_map import load_map

EXAMPLE_KEY = b"key of the examples, not a secret"
"""Ids of examples are the same everywhere: nothing of a patient is in them."""

Outcome = dict[str, Any]
"""A mapped row of one example's record."""


@dataclass(frozen=True)
class Result:
    """One example on one site.

    Attributes:
        failures: lines of what is not as expected; () when it passed.
    """

    site: str
    example: Example
    failures: tuple[str, ...]


def run_examples(spark: SparkSession, region: Region, sites: Sequence[Site]) -> Iterator[Result]:
    """The examples of all specs that the sites use; a region's spec is tried on each of its sites.

    Raises:
        SpecError: a spec or an example is wrong in itself.
    """
    for site in sites:
        emits = load_emits(region.folder, site.folder, {source.name for source in site.sources})
        # a spec that comes along may serve several sources
        for file, source in dict.fromkeys((emit.file, emit.source) for emit in emits):
            own = [emit for emit in emits if (emit.file, emit.source) == (file, source)]
            examples = read_examples(Path(file))
            if examples:
                yield from _run_spec(spark, region, site, own, examples)


def _run_spec(
    spark: SparkSession, region: Region, site: Site, emits: Sequence[Emit], examples: Sequence[Example]
) -> Iterator[Result]:
    source = site.source(emits[0].source)
    folders = [site.folder / "maps", region.folder / "maps"]
    maps = {name: load_map(name, folders) for name in sorted({name for emit in emits for name in maps_of(emit)})}
    setting = Setting(site.name, EXAMPLE_KEY, region.timezone, years=region.plausible_years)
    mapping = compile_source(setting, source, emits, maps)
    owner: list[int] = []
    tables = []
    for number, example in enumerate(examples):
        for block in _blocks(source, example):
            tables.append(block_rows(source, block, len(owner), example.day))
            owner += [number] * len(block)
    rows = collect_mapped(spark, mapping, spark.createDataFrame(pa.concat_tables(tables)))
    for number, example in enumerate(examples):
        own = [row for row in rows if owner[row["_record_no"]] == number]
        yield Result(site.name, example, tuple(_failures(mapping, site, example, own)))


def _blocks(source: Source, example: Example) -> Iterator[Block]:
    """The record of a ``row``, or those of a ``text``."""
    if example.text is not None:
        plain = source.model_copy(update={"encoding": "utf-8"})
        stream = io.BytesIO(example.text.encode())
        found = inspect(plain, stream)
        if isinstance(found, Refusal):
            raise SpecError(f"{example.place}: text is no file of source '{source.name}': {found.reason}")
        yield from (block for block in found.blocks(stream) if len(block))
        return
    row = example.row or {}
    unknown = sorted(set(row) - {column.name for column in source.column})
    if unknown:
        raise SpecError(f"{example.place}: row: source '{source.name}' has no column {', '.join(unknown)}")
    values = {column.name: pa.array([row.get(column.name)], pa.string()) for column in source.column}
    yield Block(pa.array([""]), pa.array([None], pa.string()), values, 1, 0)


def _failures(mapping: SourceMapping, site: Site, example: Example, rows: Sequence[Outcome]) -> Iterator[str]:
    """What is not as the example says; a broken rule that it does not expect is always a failure."""
    rules = sorted({error["rule"] for row in rows for error in row["_errors"] or ()})
    if rules != sorted(set(example.quarantine)):
        told = sorted({f"{error['rule']} ({error['path']})" for row in rows for error in row["_errors"] or ()})
        yield f"quarantine: expected {_list(example.quarantine)}, found {_list(told)}"
        return
    skips = sorted({row["_skip"] for row in rows if row["_skip"]})
    if example.skip is not None and skips != [example.skip]:
        yield f"skip: expected {example.skip}, found {_list(skips)}"
    emitted = sum(row["_emitted"] for row in rows)
    if example.emits is not None and example.emits != emitted:
        yield f"emits: expected {example.emits} resources, found {emitted}"
    if example.resource is not None:
        yield from _compare(mapping, site, example, rows)


def _compare(mapping: SourceMapping, site: Site, example: Example, rows: Sequence[Outcome]) -> Iterator[str]:
    emits = [emit for emit in mapping.emits if example.item in (None, emit.item)]
    if not emits:
        yield f"item: no entry of [[repeat]] is called {example.item!r}"
    found = [
        to_fhir_json(emit.resource, row[emit.column], number=DecimalText)
        for emit in emits
        for row in rows
        if row[emit.column] is not None
    ]
    if not found:
        yield f"resource: expected {emits[0].resource if emits else 'one'}, found none"
        return
    expected = _with_ids(example.resource, site.name)
    ignored = set() if "id" in expected else {"id"}
    ignored |= set() if "resourceType" in expected else {"resourceType"}
    told = []
    for resource in found:
        shown = {name: value for name, value in resource.items() if name not in ignored}
        told.append(list(differences(expected, shown, exact=example.exact)))
    yield from min(told, key=len)


def _with_ids(value: Any, site: str) -> Any:
    """References given by business key as the mapper makes them."""
    if isinstance(value, Mapping):
        if set(value) >= {"reference", "key"}:
            target = value["reference"]
            identity = value.get("identity", target if target in SHARED_IDENTITY else "")
            keys = [*value["key"], *([value["item"]] if "item" in value else [])]
            return {"reference": f"{target}/{resource_id(EXAMPLE_KEY, site, target, identity, keys)}"}
        return {name: _with_ids(part, site) for name, part in value.items()}
    return [_with_ids(part, site) for part in value] if isinstance(value, list) else value


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
