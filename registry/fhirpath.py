"""The FHIRPath subset over FHIR JSON: a node and a focus in, a list of values out.

A collection is a Python list without None; an element is what ``json.loads`` gives (numbers may be ``Decimal``).
FHIR decimals count as IEEE doubles, times and dates compare as text: ``features`` does the same over columns.
Source: FHIRPath 2.0 (hl7.org/fhirpath), SQL on FHIR v2 for getResourceKey and getReferenceKey.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts.errors import SpecError
from contracts.fhir import expression as tree
from contracts.fhir.boundary import boundary, boundary_type
from contracts.fhir.fhirpath import type_name
from contracts.fhir.reference import REFERENCE
from registry.operators import Choice, equal, logic, number, plain, scalar


@dataclass(frozen=True)
class Scope:
    """What an expression can see besides its focus. ``declared`` is the FHIR type its column declares."""

    constants: Mapping[str, tree.Literal]
    row_index: int = 0
    declared: str | None = None


_CHOICE_KEY = re.compile(r"[A-Z][A-Za-z0-9]*")


def evaluate(node: tree.Node, focus: list[Any], scope: Scope) -> list[Any]:
    """Values of an expression on a focus. Raises SpecError when the expression cannot mean anything on them."""
    match node:
        case tree.Literal(value, _):
            return [number(value) if isinstance(value, Decimal) else value]
        case tree.Empty():
            return []
        case tree.Variable("rowIndex"):
            return [scope.row_index]
        case tree.Variable(name):
            return evaluate(scope.constants[name], focus, scope)
        case tree.This():
            return focus
        case tree.Member(source, name):
            items = focus if source is None else evaluate(source, focus, scope)
            if source is None and any(_resource_type(item) == name for item in items):
                return [item for item in items if _resource_type(item) == name]
            return [child for item in items for child in _children(plain(item), name)]
        case tree.Index(source, position):
            items, at = evaluate(source, focus, scope), _single(position, focus, scope)
            if not isinstance(at, int) or isinstance(at, bool):
                raise SpecError("an index is not an integer")
            return items[at : at + 1] if at >= 0 else []
        case tree.Call(source, function, _):
            items = focus if source is None else evaluate(source, focus, scope)
            return _FUNCTIONS[function](node, items, scope)
        case tree.Negate(operand):
            value = _single(operand, focus, scope)
            return [] if value is None else [-number(value)]
        case tree.Binary("and" | "or" | "xor" as op, left, right):
            return logic(op, truth(evaluate(left, focus, scope)), truth(evaluate(right, focus, scope)))
        case tree.Binary("=" | "!=" as op, left, right):
            return equal(op, evaluate(left, focus, scope), evaluate(right, focus, scope))
        case tree.Binary(op, left, right):
            return scalar(op, _single(left, focus, scope), _single(right, focus, scope))
    raise SpecError(f"no meaning for {type(node).__name__}")


def truth(items: list[Any]) -> bool | None:
    """The truth of a collection: None when empty. Raises SpecError when it is not one boolean."""
    if not items:
        return None
    value = plain(items[0])
    if len(items) > 1 or not isinstance(value, bool):
        raise SpecError("a criterion is not one boolean; compare it, or use exists()")
    return value


def _resource_type(item: Any) -> Any:
    return item.get("resourceType") if isinstance(item, dict) else None


def _children(item: Any, name: str) -> list[Any]:
    if not isinstance(item, dict):
        return []
    value = item.get(name)
    if value is None:
        return [
            Choice(key[len(name) :], found)
            for key, found in item.items()
            if key.startswith(name) and found is not None and _CHOICE_KEY.fullmatch(key, len(name))
        ]
    if isinstance(value, list):
        return [child for child in value if child is not None]
    return [value]


def _single(node: tree.Node, focus: list[Any], scope: Scope) -> Any:
    items = evaluate(node, focus, scope)
    if len(items) > 1:
        raise SpecError("an operator got several values where it takes one; use first()")
    return plain(items[0]) if items else None


def _where(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    if len(node.arguments) != 1:
        raise SpecError("where() needs one criterion")
    return [item for item in items if truth(evaluate(node.arguments[0], [item], scope))]


def _exists(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    return [bool(_where(node, items, scope) if node.arguments else items)]


def _of_type(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    name = type_name(node)
    suffix = name[0].upper() + name[1:]
    chosen = [item.value for item in items if isinstance(item, Choice) and item.type == suffix]
    return chosen + [item for item in items if _resource_type(item) == name]


def _extension(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    url = _argument(node, scope)
    found = [child for item in items for child in _children(plain(item), "extension")]
    return [child for child in found if isinstance(child, dict) and child.get("url") == url]


def _join(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    texts = [plain(item) for item in items]
    if not all(isinstance(text, str) for text in texts):
        raise SpecError("join() on what is not text")
    return [(_argument(node, scope) if node.arguments else "").join(texts)]


def _argument(node: tree.Call, scope: Scope) -> str:
    value = _single(node.arguments[0], [], scope) if len(node.arguments) == 1 else None
    if not isinstance(value, str):
        raise SpecError(f"{node.function}() needs one text")
    return value


def _not(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    known = truth(items)
    return [] if known is None else [not known]


def _boundary(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    is_high = node.function == "highBoundary"
    found = [boundary(plain(item), boundary_type(node, scope.declared), is_high=is_high) for item in items]
    return [value for value in found if value is not None]


def _resource_key(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    return [item["id"] for item in items if isinstance(item, dict) and item.get("id") is not None]


def _reference_key(node: tree.Call, items: list[Any], scope: Scope) -> list[Any]:
    wanted = type_name(node) if node.arguments else None
    keys = []
    for item in items:
        reference = plain(item).get("reference") if isinstance(plain(item), dict) else None
        match = REFERENCE.search(reference) if isinstance(reference, str) else None
        if match and wanted in (None, match[1]):
            keys.append(match[2])
    return keys


_FUNCTIONS: dict[str, Callable[[tree.Call, list[Any], Scope], list[Any]]] = {
    "where": _where,
    "exists": _exists,
    "empty": lambda node, items, scope: [not items],
    "first": lambda node, items, scope: items[:1],
    "ofType": _of_type,
    "extension": _extension,
    "join": _join,
    "not": _not,
    "lowBoundary": _boundary,
    "highBoundary": _boundary,
    "getResourceKey": _resource_key,
    "getReferenceKey": _reference_key,
}
