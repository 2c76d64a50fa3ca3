"""Leaves out what carries nothing: empty objects, identifiers without a value, extensions without content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Add = Callable[[dict[str, Any]], dict[str, str] | None]

_NEEDED: dict[str, tuple[str, ...]] = {
    "identifier": ("value",),
    "telecom": ("value",),
    "coding": ("code", "display"),
    "note": ("text", "extension"),
    "masterIdentifier": ("value",),
    "accessionIdentifier": ("value",),
    "requisition": ("value",),
    "groupIdentifier": ("value",),
    "preAdmissionIdentifier": ("value",),
}
_NAMING = frozenset({"text", "family", "given", "prefix", "suffix"})
_PLACE = frozenset({"text", "line", "city", "district", "state", "postalCode", "country", "extension"})


def prune(node: dict[str, Any], add: Add) -> dict[str, Any]:
    """A copy without empty parts; nested resources are handed to ``add`` and become references."""
    return {key: kept for key, value in node.items() if (kept := _keep(key, value, add)) is not None}


def _keep(key: str, value: Any, add: Add) -> Any:
    if isinstance(value, dict):
        return _keep_object(key, value, add)
    if isinstance(value, list):
        kept: list[Any] = []
        for item in value:
            clean = _keep(key, item, add)
            if clean is not None and clean not in kept:
                kept.append(clean)
        return kept or None
    return None if value == "" else value


def _keep_object(key: str, value: dict[str, Any], add: Add) -> dict[str, Any] | None:
    if "resourceType" in value:
        return add(value)
    clean = prune(value, add)
    if not clean:
        return None
    if key == "extension":
        return clean if len(clean) > 1 else None
    if (needed := _NEEDED.get(key)) is not None and not any(name in clean for name in needed):
        # An identifier may be only "type": it names nothing.
        return None
    if key == "name" and not _NAMING & clean.keys() and ("use" in clean or "period" in clean):
        return None
    if key == "address" and not _PLACE & clean.keys():
        return None
    return clean
