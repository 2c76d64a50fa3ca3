"""From silver's typed rows to plain FHIR JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from contracts.fhir.elements import TYPES
from contracts.fhir.silver import TEXT_SUFFIX


def to_fhir_json(resource: str, row: Mapping[str, Any], *, number: Callable[[str], Any] = json.loads) -> dict[str, Any]:
    """A silver row, as nested dicts and lists, as FHIR JSON.

    Args:
        resource: type of the row.
        row: fields by name (``Row.asDict(recursive=True)``, or Arrow's ``to_pylist``); columns that are no elements
            of the type (lineage) are left out, and so is what is null or empty.
        number: makes a number of a decimal's own text; the default gives int or float. ``decimal.Decimal`` keeps
            ``5.60`` as it is.

    Returns:
        The resource with ``resourceType`` first. Lists keep their order; null entries are left out.
    """
    return {"resourceType": resource, **_struct(resource, row, number)}


def _struct(type_name: str, row: Mapping[str, Any], number: Callable[[str], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, element in TYPES[type_name].elements.items():
        value = row.get(name)
        if element.type == "decimal":
            text = row.get(name + TEXT_SUFFIX)
            value = None if text is None else number(text)
        elif value is not None and not element.is_primitive:
            if element.is_list:
                entries = [_struct(element.type, entry, number) for entry in value if entry is not None]
                value = [entry for entry in entries if entry]
            else:
                value = _struct(element.type, value, number)
        if value is not None and value != {} and value != []:
            found[name] = value
    return found
