"""Which version a resource is written in, told from its shape: the definitions that fit it better; R4 where both do."""

from __future__ import annotations

from typing import Any

from fhir_mapping.convert.definitions.reader import PRIMITIVES, Definitions, Element, Type, definitions
from fhir_mapping.convert.options import Version
from fhir_mapping.document import Resource

_DEPTH = 2


def detect_version(body: Resource) -> Version:
    """``R4`` or ``R5``."""
    name = body.get("resourceType")
    r4, r5 = definitions("R4"), definitions("R5")
    if not isinstance(name, str) or name not in r5.resources:
        return "R4"
    if name not in r4.resources:
        return "R5"
    return "R5" if _misfits(body, name, r5, _DEPTH) < _misfits(body, name, r4, _DEPTH) else "R4"


def _misfits(body: dict[str, Any], name: str, known: Definitions, depth: int) -> int:
    """Elements that a version does not have, or has in another shape."""
    type: Type | None = known.type(name)
    if type is None:
        return 0
    found = 0
    for key, value in body.items():
        if key in ("resourceType", "extension", "contained") or key.startswith("_"):
            continue
        element = type.elements.get(key)
        if element is None or isinstance(value, list) != element.is_list:
            found += 1
            continue
        for item in (value if isinstance(value, list) else [value])[:3]:
            found += _misfit(item, element, known, depth)
    return found


def _misfit(item: Any, element: Element, known: Definitions, depth: int) -> int:
    if (element.type in PRIMITIVES) == isinstance(item, dict):
        return 1
    if element.type == "code" and element.codes in known.value_sets:
        return int(
            not isinstance(item, str)
            or not any(item in codes for codes in known.value_sets[element.codes or ""].values())
        )
    return _misfits(item, element.type, known, depth - 1) if isinstance(item, dict) and depth else 0
