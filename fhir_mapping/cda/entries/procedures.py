"""Procedure activities to Procedure (an observed one to Observation); what is planned to ServiceRequest.

Source: HL7 C-CDA on FHIR, procedures; templates 4.12, 4.13, 4.14, 4.39, 4.41, 4.44, 4.140.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, performers, practitioner
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child
from fhir_mapping.cda.entries.common import (
    COMMENT,
    INDICATION,
    INSTRUCTION,
    Section,
    base,
    code_or_words,
    instructions,
    is_negated,
    mood,
    notes,
    participants,
    put,
    reasons,
    requested_by,
    status,
    time_into,
    walk_rest,
)
from fhir_mapping.cda.entries.devices import UDI_PARTS, product_instance, udi_parts
from fhir_mapping.cda.entries.observations import observation_resource, specimen
from fhir_mapping.cda.places import location, organization
from fhir_mapping.cda.times import period
from fhir_mapping.document import Resource

_STATUS = {
    "completed": "completed",
    "active": "in-progress",
    "aborted": "stopped",
    "cancelled": "not-done",
    "suspended": "on-hold",
    "held": "on-hold",
    "new": "preparation",
    "nullified": "entered-in-error",
}
_REQUEST = {
    "active": "active",
    "new": "draft",
    "completed": "completed",
    "aborted": "revoked",
    "cancelled": "revoked",
    "suspended": "on-hold",
    "held": "on-hold",
    "nullified": "entered-in-error",
}
_INTENT = {"RQO": "order", "INT": "plan", "PRP": "proposal", "PRMS": "directive", "ARQ": "proposal", "APT": "plan"}
_PRIORITY = {"R": "routine", "UR": "urgent", "EM": "urgent", "A": "asap", "S": "stat", "CR": "stat"}
_PARTS = (COMMENT, INDICATION, INSTRUCTION)
_METHOD = "http://hl7.org/fhir/StructureDefinition/procedure-method"
_ACTORS = ("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device")


def procedure(node: Node, ctx: Context, section: Section) -> list[str]:
    """A Procedure; planned ones are ServiceRequests; one without any code or words is left out."""
    if mood(node) != "EVN":
        return request(node, ctx, section)
    code = code_or_words(node, ctx)
    if not code or not ctx.patient:
        ctx.problem("no_code" if ctx.patient else "no_patient", node.element)
        return walk_rest(node, ctx, section, _PARTS)
    found = base("Procedure", node)
    found["status"] = "not-done" if is_negated(node) else _STATUS.get(status(node), "unknown")
    found["code"] = code
    found["subject"] = {"reference": ctx.patient}
    time_into(found, "performed", node.one("effectiveTime"), ctx)
    put(found, performer=_performers(node, ctx), location=_place(node, ctx))
    why = reasons(node, ctx)
    put(found, statusReason=why[0] if found["status"] == "not-done" and why else None)
    put(found, reasonCode=why if found["status"] != "not-done" else None)
    sites = [one for part in node.all("targetSiteCode") if (one := concept(part, ctx))]
    put(found, bodySite=sites, note=_notes(node, ctx))
    recorder = of_types(authors(node, ctx), "Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    put(found, recorder=recorder[0] if recorder else None)
    methods = [one for part in node.all("methodCode") if (one := concept(part, ctx))]
    put(found, extension=[{"url": _METHOD, "valueCodeableConcept": one} for one in methods])
    udi = udi_parts(node)
    roles = [] if is_negated(node) else participants(node, "DEV", "PRD")
    devices = [product_instance(role, ctx, udi) for role in roles]
    put(found, focalDevice=[{"manipulated": {"reference": one}} for one in devices if one])
    specimen(node, ctx)
    return [ctx.add(found), *walk_rest(node, ctx, section, (*_PARTS, *UDI_PARTS))]


def _notes(node: Node, ctx: Context) -> list[dict[str, Any]]:
    said = instructions(node, ctx)
    return [*notes(node, ctx), *([{"text": said}] if said else [])]


def observed(node: Node, ctx: Context, section: Section) -> list[str]:
    """A procedure activity observation: an Observation of category procedure."""
    if node.name != "observation":  # the template on a procedure or act, as some systems write it
        return procedure(node, ctx, section)
    if mood(node) != "EVN":
        return request(node, ctx, section)
    found = observation_resource(node, ctx, "procedure")
    if not found:
        return walk_rest(node, ctx, section, _PARTS)
    return [ctx.add(found), *walk_rest(node, ctx, section, _PARTS)]


def _performers(node: Node, ctx: Context) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in node.all("performer"):
        entity = child(part, "assignedEntity")
        who = practitioner(entity, ctx)
        if not who or who.partition("/")[0] not in _ACTORS:
            continue
        one: dict[str, Any] = {"actor": {"reference": who}}
        function = concept(child(part, "functionCode"), ctx)
        place = organization(child(entity, "representedOrganization"), ctx) if entity is not None else ""
        put(one, function=function)
        if place and place != who and not who.startswith("Organization/"):
            one["onBehalfOf"] = {"reference": place}
        if one not in found:
            found.append(one)
    return found


def _place(node: Node, ctx: Context) -> dict[str, str]:
    for role in participants(node, "LOC"):
        reference = location(role.element, ctx)
        if reference:
            return {"reference": reference}
    return {}


def request(node: Node, ctx: Context, section: Section) -> list[str]:
    """A ServiceRequest for what is planned, ordered or proposed."""
    code = code_or_words(node, ctx)
    if not code or not ctx.patient:
        ctx.problem("no_code" if ctx.patient else "no_patient", node.element)
        return walk_rest(node, ctx, section, _PARTS)
    found = base("ServiceRequest", node)
    found["status"] = _REQUEST.get(status(node), "unknown")
    found["intent"] = _INTENT.get(mood(node), "plan")
    priority = node.one("priorityCode")
    put(found, priority=_PRIORITY.get((priority.get("code") or "") if priority is not None else ""))
    put(found, doNotPerform=True if is_negated(node) else None)
    found["code"] = code
    found["subject"] = {"reference": ctx.patient}
    _occurrence(node.one("effectiveTime"), found, ctx)
    requested_by(node, found, ctx)
    responsible = [practitioner(role.element, ctx) for role in participants(node, "RESP", "PRF", "IRCP")]
    who = of_types([*performers(node, ctx), *responsible], *_ACTORS)
    places = [{"reference": place} for role in participants(node, "LOC") if (place := location(role.element, ctx))]
    sites = [one for part in node.all("targetSiteCode") if (one := concept(part, ctx))]
    put(found, performer=who, locationReference=places, reasonCode=reasons(node, ctx), bodySite=sites)
    put(found, note=notes(node, ctx), patientInstruction=instructions(node, ctx))
    return [ctx.add(found), *walk_rest(node, ctx, section, _PARTS)]


def _occurrence(time: Element | None, found: Resource, ctx: Context) -> None:
    if time is None:
        return
    span = period(time, ctx.clock) if time.get("value") is None else {}
    center = child(time, "center")
    moment = ctx.clock.date_time(time.get("value") or (center.get("value") if center is not None else None))
    if span:
        found["occurrencePeriod"] = span
    elif moment:
        found["occurrenceDateTime"] = moment
