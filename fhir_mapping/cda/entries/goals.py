"""Goal observations to Goal; template 4.121."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, all_text, child, xsi_type
from fhir_mapping.cda.entries.common import CCDA, Section, base, is_negated, nested, notes, put, status, walk_rest
from fhir_mapping.cda.quantities import bounded, quantity
from fhir_mapping.cda.times import period, point

_STATUS = {
    "active": "active",
    "completed": "completed",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "suspended": "on-hold",
    "held": "on-hold",
    "new": "proposed",
    "nullified": "entered-in-error",
}
_PRIORITY = CCDA + "143"
_PRIORITIES = {"394849002": "high-priority", "394848005": "medium-priority", "441808003": "low-priority"}


def goal(node: Node, ctx: Context, section: Section) -> list[str]:
    """A Goal; left out with a problem where nothing describes it, or where it is denied: FHIR has no word for that."""
    if is_negated(node):
        ctx.problem("negated_goal", node.element)
        return []
    value = node.one("value")
    kind = xsi_type(value) if value is not None else ""
    measure = concept(node.one("code"), ctx)
    coded = concept(value, ctx) if kind in ("CD", "CE", "CO", "CV") else {}
    words = ctx.words(node.one("text")) or (all_text(value) if value is not None and kind in ("ST", "ED") else "")
    described = coded or ({"text": words} if words else measure)
    if not described or not ctx.patient:
        ctx.problem("no_description" if ctx.patient else "no_patient", node.element)
        return []
    found = base("Goal", node)
    found["lifecycleStatus"] = _STATUS.get(status(node), "active")
    put(found, priority=_priority(node))
    found["description"] = described
    found["subject"] = {"reference": ctx.patient}
    time = node.one("effectiveTime")
    span = period(time, ctx.clock) if time is not None and time.get("value") is None else {}
    start = span.get("start") or ctx.clock.date_time(point(time))
    put(found, startDate=start[:10] if start else None)
    target: dict[str, Any] = {}
    amount = quantity(value) if kind in ("PQ", "INT", "REAL", "") and value is not None else {}
    if kind.startswith("IVL_PQ") and value is not None:
        shape, limits = bounded(value)
        put(target, **{"detail" + shape: limits})
    put(target, detailQuantity=amount or target.get("detailQuantity"), detailCodeableConcept=coded)
    if target and measure:  # gol-1
        target = {"measure": measure, **target}
    elif target:
        target = {}
    end = span.get("end")
    put(target, dueDate=end[:10] if end else None)
    put(found, target=[target] if target else None)
    by = of_types(authors(node, ctx), "Patient", "Practitioner", "PractitionerRole", "RelatedPerson")
    put(found, expressedBy=by[0] if by else None, note=notes(node, ctx))
    return [ctx.add(found), *walk_rest(node, ctx, section, (_PRIORITY, CCDA + "64"))]


def _priority(node: Node) -> dict[str, Any]:
    for _, act in nested(node):
        if act.has(_PRIORITY):
            value = child(act.element, "value")
            code = _PRIORITIES.get((value.get("code") or "") if value is not None else "")
            if code:
                return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/goal-priority", "code": code}]}
    return {}
