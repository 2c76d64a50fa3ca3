"""Care team organizers to CareTeam; templates 4.500 and 4.500.1."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import practitioner
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, child
from fhir_mapping.cda.entries.common import CCDA, Section, base, nested, notes, participants, put, status, walk_rest
from fhir_mapping.cda.places import location, organization
from fhir_mapping.cda.times import period

_MEMBER, _TYPE, _NOTE = CCDA + "500.1", CCDA + "500.2", CCDA + "202"
_STATUS = {
    "active": "active",
    "completed": "inactive",
    "aborted": "inactive",
    "suspended": "suspended",
    "new": "proposed",
    "nullified": "entered-in-error",
}


def care_team(node: Node, ctx: Context, section: Section) -> list[str]:
    """A CareTeam with a member for each member act; without members or a name there is none."""
    found = base("CareTeam", node)
    put(found, status=_STATUS.get(status(node)))
    kinds = [concept(act.one("value"), ctx) for _, act in nested(node) if act.has(_TYPE)]
    put(found, category=[one for one in kinds if one], name=ctx.words(node.one("text"))[:200])
    put(
        found,
        subject={"reference": ctx.patient} if ctx.patient else None,
        period=period(node.one("effectiveTime"), ctx.clock),
    )
    members: list[dict[str, Any]] = []
    for _, act in nested(node):
        if act.has(_MEMBER):
            members += [one for one in _members(act, ctx) if one not in members]
    put(found, participant=members, note=notes(node, ctx))
    for role in participants(node, "LOC"):
        location(role.element, ctx)
    rest = walk_rest(node, ctx, section, (_MEMBER, _TYPE, CCDA + "64"))
    return [ctx.add(found), *rest] if members else rest


def member(node: Node, ctx: Context, section: Section) -> list[str]:
    """A member act that stands without its team."""
    members = _members(node, ctx)
    if not members:
        return []
    found = base("CareTeam", node)
    put(found, status=_STATUS.get(status(node)), subject={"reference": ctx.patient} if ctx.patient else None)
    found["participant"] = members
    return [ctx.add(found)]


def _members(act: Node, ctx: Context) -> list[dict[str, Any]]:
    found = []
    span = period(act.one("effectiveTime"), ctx.clock)
    for part in act.all("performer"):
        entity = child(part, "assignedEntity")
        who = practitioner(entity, ctx)
        if not who or who.partition("/")[0] not in ("Practitioner", "Organization", "Patient", "RelatedPerson"):
            continue
        one: dict[str, Any] = {}
        function = concept(child(part, "functionCode"), ctx) or concept(child(part, "sdtc:functionCode"), ctx)
        put(one, role=[function] if function else None)
        one["member"] = {"reference": who}
        place = organization(child(entity, "representedOrganization"), ctx) if entity is not None else ""
        if place and who.startswith("Practitioner/"):
            one["onBehalfOf"] = {"reference": place}
        put(one, period=span)
        found.append(one)
    return found
