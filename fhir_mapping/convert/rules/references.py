"""References: the syntax of literals, the types they may aim at, contained resources."""

from __future__ import annotations

import re
from typing import Any

from fhir_mapping.convert.definitions.reader import Element
from fhir_mapping.convert.primitives import is_absolute, is_uri
from fhir_mapping.convert.rules.context import Context
from fhir_mapping.document import Resource

_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?")


def sound_reference(ctx: Context, value: dict[str, Any], path: str) -> dict[str, Any]:
    """A Reference without a literal that cannot be one, or a type that is none."""
    literal, type = value.get("reference"), value.get("type")
    drop: set[str] = set()
    if isinstance(literal, str):
        rule = _literal_fault(ctx, literal)
        if rule:
            ctx.fault(rule, f"{path}.reference")
            drop.add("reference")
    if isinstance(type, str):
        literal_type = _literal_type(literal) if "reference" not in drop else None
        is_known = type in ctx.known.resources or is_absolute(type)
        if not is_known or (literal_type and literal_type != type):
            ctx.fault("wrong_type", f"{path}.type")
            drop.add("type")
    return {name: entry for name, entry in value.items() if name not in drop} if drop else value


def _literal_fault(ctx: Context, literal: str) -> str | None:
    if literal.startswith("#"):
        return None if literal == "#" or literal[1:] in ctx.anchors else "ref-1"
    if is_absolute(literal):
        return None if is_uri(literal) else "bad_reference"
    type = _literal_type(literal)
    if type is None and "?" in literal:
        return None if literal.split("?")[0] in ctx.known.resources and is_uri(literal) else "bad_reference"
    return None if type in ctx.known.resources else "bad_reference"


def aimed(ctx: Context, value: dict[str, Any], element: Element, path: str) -> dict[str, Any] | None:
    """A reference that names a type the element does not allow loses its literal and type."""
    inner = value.get("reference") if element.type == "CodeableReference" else value
    if not element.targets or not isinstance(inner, dict):
        return value
    literal = inner.get("reference")
    aimed = _literal_type(literal) or ctx.anchors.get(str(literal)[1:]) or inner.get("type")
    if aimed is None or aimed in element.targets or aimed not in ctx.known.resources:
        return value
    ctx.fault("wrong_target", path)
    rest = {name: entry for name, entry in inner.items() if name not in ("reference", "type")}
    if element.type == "Reference":
        return rest if rest.keys() - {"id"} else None
    outer = {name: entry for name, entry in value.items() if name != "reference"}
    outer = {**outer, "reference": rest} if rest.keys() - {"id"} else outer
    return outer if outer.keys() - {"id"} else None


def _literal_type(literal: Any) -> str | None:
    found = _REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
    return found[1] if found else None


def contained_ids(root: Resource) -> dict[str, str]:
    """Type by id of the contained resources."""
    inside = root.get("contained")
    bodies = [one for one in inside if isinstance(one, dict)] if isinstance(inside, list) else []
    return {str(one.get("id")): str(one.get("resourceType")) for one in bodies}


def without_unmentioned(ctx: Context, body: Resource, path: str) -> Resource:
    """Contained resources that nothing refers to are not part of the resource (dom-3)."""
    inside = body.get("contained")
    if not inside:
        return body
    mentioned = set(_fragments(body))
    kept = [one for one in inside if one.get("id") in mentioned or "" in _fragments(one)]
    for _ in range(len(inside) - len(kept)):
        ctx.fault("dom-3", f"{path}.contained")
    rest = {name: value for name, value in body.items() if name != "contained"}
    return {**rest, "contained": kept} if kept else rest


def _fragments(value: Any) -> list[str]:
    """Ids of contained resources that a value names, "" for the container."""
    if isinstance(value, str):
        return [value[1:]] if value.startswith("#") else []
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for entry in entries for found in _fragments(entry)]
