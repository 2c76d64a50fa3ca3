"""What the invariants' FHIRPath can do with collections: members, operators, functions.

A collection is a list of JSON values. A choice (``value``) finds ``valueQuantity``; a primitive that has only
extensions is a ``Bare``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from contracts.fhir.json_text import DecimalText
from fhir_mapping.convert.definitions.reader import PRIMITIVES, definitions
from fhir_mapping.convert.times import bounds

Items = list[Any]


@dataclass(frozen=True)
class Scope:
    """What ``%resource`` and ``%rootResource`` stand for."""

    resource: dict[str, Any]
    root: dict[str, Any]


Step = Callable[[Items, Scope], Items]


class Bare(dict[str, Any]):
    """A primitive without a value: its id and extensions."""


class UnsupportedError(ValueError):
    """The expression needs what cannot be told from the resource alone."""


def chain(first: Step, second: Step) -> Step:
    return lambda items, scope: second(first(items, scope), scope)


def variable(name: str) -> Step:
    if name == "$this" or name == "%context":
        return lambda items, scope: items
    if name == "%resource":
        return lambda items, scope: [scope.resource]
    if name == "%rootResource":
        return lambda items, scope: [scope.root]
    if name == "%ucum":
        return lambda items, scope: ["http://unitsofmeasure.org"]
    raise UnsupportedError(name)


@cache
def _choice_names(stem: str) -> tuple[str, ...]:
    kinds = [*PRIMITIVES, *definitions("R4")._sections, "integer64"]
    return tuple(stem + kind[0].upper() + kind[1:] for kind in kinds if "." not in kind)


def members(items: Items, name: str) -> Items:
    found: Items = []
    for item in items:
        if not isinstance(item, dict):
            continue
        if name[0].isupper() and item.get("resourceType") == name:
            found.append(item)
            continue
        value = item.get(name)
        if value is None:
            value = _choice(item, name)
        if value is None:
            bare = item.get("_" + name)
            value = Bare(bare) if isinstance(bare, dict) else None
        if isinstance(value, list):
            found.extend(entry for entry in value if entry is not None)
        elif value is not None:
            found.append(value)
    return found


def _choice(item: dict[str, Any], name: str) -> Any:
    for key in item:
        if key.startswith(name) and key != name and key in _choice_names(name):
            return item[key]
    return None


def number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | DecimalText | str | float):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _plain(value: Any) -> Any:
    """A value as it is compared: numbers by value, lists and dicts by content."""
    if isinstance(value, bool):
        return value
    if isinstance(value, DecimalText | int | float | Decimal):
        return number(value)
    return value


def _same(left: Items, right: Items) -> bool:
    return len(left) == len(right) and all(_plain(a) == _plain(b) for a, b in zip(left, right, strict=True))


def _contains(items: Items, value: Any) -> bool:
    return any(_plain(item) == _plain(value) for item in items)


def _distinct(items: Items) -> Items:
    found: Items = []
    for item in items:
        if not _contains(found, item):
            found.append(item)
    return found


def _truth(items: Items) -> bool | None:
    """True, False or None (empty), as FHIRPath reads a collection where a boolean is due."""
    if not items:
        return None
    return items[0] if len(items) == 1 and isinstance(items[0], bool) else True


def _as_items(value: bool | None) -> Items:
    return [] if value is None else [value]


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def _not(a: bool | None) -> bool | None:
    return None if a is None else not a


_LOGIC: dict[str, Callable[[bool | None, bool | None], bool | None]] = {
    "and": _and,
    "or": lambda a, b: _not(_and(_not(a), _not(b))),
    "xor": lambda a, b: None if a is None or b is None else a != b,
    "implies": lambda a, b: _not(_and(a, _not(b))),
}


def operation(operator: str, left: Step, right: Step) -> Step:
    if operator in _LOGIC:
        logic = _LOGIC[operator]
        return lambda items, scope: _as_items(logic(_truth(left(items, scope)), _truth(right(items, scope))))
    operate = _OPERATIONS[operator]
    return lambda items, scope: operate(left(items, scope), right(items, scope))


def _equal(left: Items, right: Items) -> Items:
    return [_same(left, right)] if left and right else []


def _ordered(left: Items, right: Items, test: Callable[[Any, Any], bool]) -> Items:
    """A comparison; empty where precision or units forbid it."""
    if len(left) != 1 or len(right) != 1:
        return []
    a, b = left[0], right[0]
    if isinstance(a, dict) and isinstance(b, dict):
        if (a.get("system"), a.get("code") or a.get("unit")) != (b.get("system"), b.get("code") or b.get("unit")):
            return [True]
        a, b = a.get("value"), b.get("value")
    numbers = (number(a), number(b))
    if numbers[0] is not None and numbers[1] is not None:
        return [test(*numbers)]
    return _ordered_times(a, b, test)


def _ordered_times(a: Any, b: Any, test: Callable[[Any, Any], bool]) -> Items:
    """Dates compare by what both may stand for: false only where it cannot be otherwise."""
    first, second = bounds(a), bounds(b)
    if first is None or second is None:
        return [test(a, b)] if isinstance(a, str) and isinstance(b, str) else []
    return [test(first[0], second[1]) or test(first[1], second[0])]


_OPERATIONS: dict[str, Callable[[Items, Items], Items]] = {
    "=": _equal,
    "!=": lambda a, b: [not _same(a, b)] if a and b else [],
    "<": lambda a, b: _ordered(a, b, lambda x, y: bool(x < y)),
    "<=": lambda a, b: _ordered(a, b, lambda x, y: bool(x <= y)),
    ">": lambda a, b: _ordered(a, b, lambda x, y: bool(x > y)),
    ">=": lambda a, b: _ordered(a, b, lambda x, y: bool(x >= y)),
    "in": lambda a, b: [_contains(b, a[0])] if a else [],
    "contains": lambda a, b: [_contains(a, b[0])] if b else [],
    "|": lambda a, b: _distinct([*a, *b]),
    "&": lambda a, b: [str(a[0] if a else "") + str(b[0] if b else "")],
    "+": lambda a, b: [_plus(a[0], b[0])] if a and b else [],
    "-": lambda a, b: [(number(a[0]) or 0) - (number(b[0]) or 0)] if a and b else [],
}


def _plus(a: Any, b: Any) -> Any:
    if isinstance(a, str) and isinstance(b, str) and not isinstance(a, DecimalText):
        return a + b
    return (number(a) or 0) + (number(b) or 0)


def _is_type(value: Any, name: str) -> bool:
    """Whether a JSON value is of a type; only what JSON itself shows."""
    lower = name.lower()
    if lower == "boolean":
        return isinstance(value, bool)
    if lower in ("decimal", "integer"):
        return number(value) is not None and not (isinstance(value, str) and not isinstance(value, DecimalText))
    if isinstance(value, dict) and "resourceType" in value:
        return bool(value["resourceType"] == name)
    raise UnsupportedError(name)


def typed(step: Step, name: str, operator: str) -> Step:
    if name.lower() not in ("boolean", "decimal", "integer") and name not in definitions("R5").resources:
        raise UnsupportedError(name)
    if operator == "is":
        return lambda items, scope: [_is_type(item, name) for item in step(items, scope)[:1]]
    return lambda items, scope: [item for item in step(items, scope) if _is_type(item, name)]


def _children(items: Items) -> Items:
    found: Items = []
    for item in items:
        for name, value in item.items() if isinstance(item, dict) else ():
            if name != "resourceType" and not name.startswith("_"):
                found.extend(value if isinstance(value, list) else [value])
    return found


def _descendants(items: Items) -> Items:
    found: Items = []
    level = _children(items)
    while level:
        found.extend(level)
        level = _children(level)
    return found


def _repeat(items: Items, step: Step, scope: Scope) -> Items:
    found: Items = []
    level = step(items, scope)
    while level:
        found.extend(level)
        level = step(level, scope)
    return found


def _each(items: Items, step: Step, scope: Scope) -> Iterator[tuple[Any, Items]]:
    for item in items:
        yield item, step([item], scope)


def _text(items: Items) -> str | None:
    return str(items[0]) if len(items) == 1 and not isinstance(items[0], dict | list | bool) else None


def _on_text(test: Callable[[str, str], bool]) -> Callable[[Items, list[Step], Scope], Items]:
    def apply(items: Items, arguments: list[Step], scope: Scope) -> Items:
        text, other = _text(items), _text(arguments[0](items, scope))
        return [] if text is None or other is None else [test(text, other)]

    return apply


def _where(items: Items, arguments: list[Step], scope: Scope) -> Items:
    return [item for item, found in _each(items, arguments[0], scope) if _truth(found)]


def _if(items: Items, arguments: list[Step], scope: Scope) -> Items:
    if _truth(arguments[0](items, scope)):
        return arguments[1](items, scope)
    return arguments[2](items, scope) if len(arguments) > 2 else []


def _substring(items: Items, arguments: list[Step], scope: Scope) -> Items:
    text = _text(items)
    return [] if text is None else [text[int(arguments[0](items, scope)[0]) :]]


_FUNCTIONS: dict[str, Callable[[Items, list[Step], Scope], Items]] = {
    "exists": lambda i, a, s: [bool(_where(i, a, s) if a else i)],
    "empty": lambda i, a, s: [not i],
    "not": lambda i, a, s: _as_items(_not(_truth(i))),
    "count": lambda i, a, s: [len(i)],
    "where": _where,
    "select": lambda i, a, s: [found for _, some in _each(i, a[0], s) for found in some],
    "all": lambda i, a, s: [all(_truth(found) for _, found in _each(i, a[0], s))],
    "allTrue": lambda i, a, s: [all(item is True for item in i)],
    "allFalse": lambda i, a, s: [all(item is False for item in i)],
    "isDistinct": lambda i, a, s: [len(_distinct(i)) == len(i)],
    "distinct": lambda i, a, s: _distinct(i),
    "first": lambda i, a, s: i[:1],
    "tail": lambda i, a, s: i[1:],
    "iif": _if,
    "trace": lambda i, a, s: i,
    "hasValue": lambda i, a, s: [len(i) == 1 and not isinstance(i[0], dict)],
    "children": lambda i, a, s: _children(i),
    "descendants": lambda i, a, s: _descendants(i),
    "repeat": lambda i, a, s: _repeat(i, a[0], s),
    "combine": lambda i, a, s: [*i, *a[0](i, s)],
    "intersect": lambda i, a, s: [item for item in _distinct(i) if _contains(a[0](i, s), item)],
    "toString": lambda i, a, s: [str(i[0])] if i else [],
    "toInteger": lambda i, a, s: [int(str(i[0]))] if i and str(i[0]).lstrip("-").isdigit() else [],
    "length": lambda i, a, s: [len(str(i[0]))] if i else [],
    "substring": _substring,
    "startsWith": _on_text(lambda text, other: text.startswith(other)),
    "endsWith": _on_text(lambda text, other: text.endswith(other)),
    "contains": _on_text(lambda text, other: other in text),
    "matches": _on_text(lambda text, other: re.search(other, text) is not None),
    "is": lambda i, a, s: [_is_type(item, str(a[0](i, s)[0])) for item in i[:1]],
    "ofType": lambda i, a, s: [item for item in i if _is_type(item, str(a[0](i, s)[0]))],
}


def function(name: str, arguments: list[Step]) -> Step:
    if name not in _FUNCTIONS:
        raise UnsupportedError(name)
    apply = _FUNCTIONS[name]
    return lambda items, scope: apply(items, arguments, scope)
