"""FHIR's invariants over what is left of a value: what of it is left out first, else the value itself goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_mapping.convert.definitions.reader import Type
from fhir_mapping.convert.invariant import Scope, compile_rule
from fhir_mapping.convert.rules.context import Context, plain
from fhir_mapping.convert.rules.values import QUANTITIES

_NATIVE = frozenset(("dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "per-1", "txt-1", "txt-2", "ext-1"))
_MENDS: Mapping[str, tuple[str, ...]] = {
    "ait-2": ("clinicalStatus",),
    "app-2": ("start", "end"),
    "app-4": ("cancelationReason", "cancellationReason"),
    "app-7": ("cancellationDate",),
    "con-4": ("abatement",),
    "con-5": ("clinicalStatus",),
    "obs-6": ("dataAbsentReason",),
    "obs-7": ("value",),
    "obs-8": ("bodyStructure",),
    "org-2": ("use",),
    "org-3": ("use", "telecom.use"),
    "org-4": ("use", "telecom.use"),
    "qty-3": ("code",),
    "tim-1": ("duration", "durationMax"),
    "tim-2": ("period", "periodMax"),
    "tim-9": ("offset",),
    "tim-10": ("when", "offset"),
}
"""What of the element an invariant is stated for is left out first; else the element itself is."""


def lawful(ctx: Context, found: dict[str, Any], type: Type, path: str, scope: Scope) -> dict[str, Any] | None:
    """The invariants stated for the type, and for this element of its owner."""
    if type.kind == "resource":
        scope = Scope(found, found if scope.resource is ctx.root else ctx.root)
    for key, expression in _rules(ctx, type, path):
        if key in _NATIVE:
            continue
        holds = compile_rule(expression)
        if holds is None or holds(found, scope):
            continue
        ctx.fault(key, path)
        left = _without(found, _MENDS.get(key, ()))
        if left == found or not left.keys() - {"id", "resourceType"}:
            return None
        if not holds(left, Scope(left, left) if type.kind == "resource" else scope):
            return None
        found = left
    return found


def _rules(ctx: Context, type: Type, path: str) -> list[tuple[str, str]]:
    rules = list(ctx.known.invariants.get(type.name, ()))
    if type.name in QUANTITIES:
        rules += ctx.known.invariants.get("Quantity", ())
    if type.kind == "type":
        rules += ctx.known.invariants.get(plain(path), ())
    return rules


def _without(found: dict[str, Any], stems: tuple[str, ...]) -> dict[str, Any]:
    """A copy without these elements; a stem stands for every type of a choice, ``a.b`` for the part of a part."""
    for stem in stems:
        outer, dot, inner = stem.partition(".")
        if dot and outer in found:
            return {**found, outer: [_without(one, (inner,)) for one in found[outer]]}

    def goes(name: str) -> bool:
        plain = name.lstrip("_")
        return any(plain == stem or (plain.startswith(stem) and plain[len(stem)].isupper()) for stem in stems)

    return {name: value for name, value in found.items() if not goes(name)}
