"""FHIR files as records: NDJSON lines, single resources, entries of bundles; R4 and R5, plain or gzipped.

A line or entry is a record, so one bad line leaves the others. A bundle becomes one output bundle; all lines of an
NDJSON file that are no bundles become one. R5 is brought down to R4 on the way in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from contracts.fhir.json_text import DecimalText
from fhir_mapping.convert.bundle import derived_id
from fhir_mapping.convert.check import checker
from fhir_mapping.convert.links import Names, entry_names, localise, valid_id
from fhir_mapping.convert.options import Options
from fhir_mapping.convert.task import Item
from fhir_mapping.convert.times import as_instant
from fhir_mapping.convert.versions import detect_version, to_r4
from fhir_mapping.document import Converted, Problem, RecordError, Resource

_BOM = b"\xef\xbb\xbf"


def read_fhir(data: bytes, first: int, options: Options) -> Iterator[Item]:
    """Records of a file, or of a stretch of lines of one (``first`` > 1 or cut by the driver)."""
    data = data.removeprefix(_BOM)
    if is_ndjson(data):
        yield from _read_lines(data, first)
        return
    if not data.strip():
        return
    try:
        whole = parse(data)
    except RecordError as error:
        yield Item(error=Problem(error.rule, error.path))
        return
    if isinstance(whole, list):
        for index, body in enumerate(whole):
            yield _item(body, f"item {index + 1}", "")
    elif _is_bundle(whole):
        yield from _read_bundle(whole, "", "")
    else:
        yield _item(whole, "", "")


def is_ndjson(data: bytes) -> bool:
    """Whether the file holds a JSON value a line: its first line with text is a whole value, or several follow.

    A file of one line is read the same either way.
    """
    lines = (line for line in data.split(b"\n", 64) if line.strip())
    line = next(lines, b"").strip()
    if next(lines, None) is None:
        return False
    # a pretty-printed value has an open first line; a broken first line of NDJSON begins an object all the same
    return line.endswith((b"}", b"]")) or (line.startswith(b'{"') and len(line) > 40)


def _read_lines(data: bytes, first: int) -> Iterator[Item]:
    for number, line in enumerate(data.split(b"\n"), first):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            whole = parse(line)
        except RecordError as error:
            yield Item(error=Problem(error.rule, error.path), place=place, document="")
            continue
        if _is_bundle(whole):
            yield from _read_bundle(whole, place + ", ", place)
        else:
            yield _item(whole, place, "")


def _is_bundle(whole: Any) -> bool:
    return isinstance(whole, dict) and whole.get("resourceType") == "Bundle"


def _read_bundle(bundle: Resource, place: str, document: str) -> Iterator[Item]:
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        yield Item(skip=Problem("empty_bundle", "Bundle.entry"), place=place.rstrip(", "), document=document)
        return
    recorded, names = as_instant(bundle.get("timestamp")), entry_names(entries)
    for index, entry in enumerate(entries):
        where = f"{place}entry {index + 1}"
        body = entry.get("resource") if isinstance(entry, dict) else None
        if body is None:
            # a search outcome, a deletion: nothing was stated about a patient
            yield Item(skip=Problem("entry_without_resource", "Bundle.entry"), place=where, document=document)
        else:
            yield _item(body, where, document, names, names.of_entry(index), recorded)


def _item(
    body: Any, place: str, document: str, names: Names | None = None, id: str | None = None, recorded: str | None = None
) -> Item:
    return Item(
        partial(_convert, body, names or Names(), id),
        place=place,
        document=document,
        is_foreign=True,
        recorded=lambda: recorded,
    )


def _convert(body: Any, names: Names, id: str | None) -> Converted:
    """One resource as R4 with an id and references ``Type/id``."""
    if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
        raise RecordError("no_resource", "")
    problems: list[Problem] = []
    body = localise(body, names, problems)
    if id is None:
        own = body.get("id")
        id = valid_id(body["resourceType"], own) if isinstance(own, str) and own else derived_id(repr(body))
    if id != body.get("id"):
        problems += [Problem("bad_id", body["resourceType"])] if body.get("id") else []
        body = {"resourceType": body["resourceType"], "id": id, **{k: v for k, v in body.items() if k != "id"}}
    if detect_version(body) == "R5":
        body = to_r4(_checked_r5(body, problems), problems)
    return Converted((body,), tuple(problems))


def _checked_r5(body: Resource, problems: list[Problem]) -> Resource:
    """An R5 resource that keeps to R5's rules: faults are told by the paths that its source has."""
    found, faults = checker("R5").clean(body)
    if found is None:
        raise RecordError(faults[-1].rule, faults[-1].path)
    problems += faults
    return found


def parse(data: bytes) -> Any:
    """JSON with its numbers' text kept.

    Raises:
        RecordError: ``bad_encoding``, ``bad_json``, ``duplicate_key``, ``too_deep``.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordError("bad_encoding") from None
    try:
        return json.loads(
            text, parse_float=DecimalText, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_unique
        )
    except RecursionError:
        raise RecordError("too_deep") from None
    except RecordError:
        raise
    except ValueError:
        raise RecordError("bad_json") from None


def _integer(text: str) -> int | DecimalText:
    return int(text) if len(text) < 16 else DecimalText(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RecordError("duplicate_key")
    return found
