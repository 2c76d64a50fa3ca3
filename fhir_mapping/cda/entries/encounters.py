"""Encounter activities and the header's encompassingEncounter to Encounter, its diagnoses and places."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import practitioner
from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import rows
from fhir_mapping.cda.element import Element, Node, child
from fhir_mapping.cda.entries.common import (
    COMMENT,
    INDICATION,
    Section,
    base,
    code_or_words,
    is_negated,
    mood,
    participants,
    put,
    reasons,
    status,
    walk_rest,
)
from fhir_mapping.cda.places import location, organization
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_UNKNOWN_CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_STATUS = {
    "completed": "finished",
    "active": "in-progress",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "nullified": "entered-in-error",
    "suspended": "onleave",
    "new": "planned",
}
_CLASSES = frozenset({"AMB", "EMER", "FLD", "HH", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR"})


def encounter(node: Node, ctx: Context, section: Section) -> list[str]:
    """An Encounter of the section; a planned one has status ``planned``, one that did not happen ``cancelled``."""
    found = base("Encounter", node)
    planned = mood(node) != "EVN"
    time = node.one("effectiveTime")
    over = "finished" if status(node) or _is_over(time) else "unknown"
    told = _STATUS.get(status(node), over)
    if is_negated(node):
        told = "cancelled"
    elif planned and told not in ("cancelled", "entered-in-error"):
        told = "planned"
    found["status"] = told
    kind = code_or_words(node, ctx)
    found["class"] = class_of(kind)
    put(found, type=[kind] if kind else None, subject={"reference": ctx.patient} if ctx.patient else None)
    _participants(node, found, ctx)
    span = period(time, ctx.clock)
    put(found, period=span, reasonCode=reasons(node, ctx))
    below = walk_rest(node, ctx, section, (COMMENT, INDICATION))
    conditions = [one for one in below if one.startswith("Condition/")]
    ranked = [{"rank": ctx.ranks[one]} if one in ctx.ranks else {} for one in conditions]
    put(found, diagnosis=[{"condition": {"reference": c}, **rank} for c, rank in zip(conditions, ranked, strict=True)])
    _discharge(node, found, ctx)
    places = [
        {"location": {"reference": one}} for role in participants(node, "LOC") if (one := location(role.element, ctx))
    ]
    put(found, location=places)
    if len(found) <= 5 and not kind and not span and "identifier" not in found:
        ctx.problem("empty_encounter", node.element)
        return below
    reference = _of_the_header(found, ctx) or ctx.add(found)
    for one in conditions:
        ctx.resource(one).setdefault("encounter", {"reference": reference})
    for one in below:
        if one.startswith("DocumentReference/"):  # a note of this visit
            ctx.resource(one).setdefault("context", {})["encounter"] = [{"reference": reference}]
    return [reference, *below]


def _of_the_header(found: Resource, ctx: Context) -> str:
    """The reference to the document's own encounter where this entry has its number: one visit is one Encounter."""
    if not ctx.encounter:
        return ""
    header = ctx.resource(ctx.encounter)
    if not any(one in header.get("identifier", ()) for one in found.get("identifier", ())):
        return ""
    if header["class"] == _UNKNOWN_CLASS:
        header["class"] = found["class"]
    if header["status"] == "unknown":
        header["status"] = found["status"]
    ctx.complete(ctx.encounter, found)
    return ctx.encounter


def _is_over(time: Element | None) -> bool:
    """A moment, or an interval with an end, lies in the past of its document."""
    high = child(time, "high")
    return time is not None and bool(time.get("value") or (high is not None and high.get("value")))


def class_of(kind: dict[str, Any]) -> dict[str, str]:
    """Encounter.class: an ActCode among the codings, else by what a billing or clinical code implies, else unknown."""
    codings = kind.get("coding", [])
    for one in codings:
        if one.get("system") == _ACT_CODE and one["code"] in _CLASSES:
            return {"system": _ACT_CODE, "code": one["code"]}
    for one in codings:
        for row in rows("encounter_classes"):
            if one.get("system") == row["system"] and row["first"] <= one["code"] <= row["last"]:
                return {"system": _ACT_CODE, "code": row["class"]}
    return dict(_UNKNOWN_CLASS)


def _participants(node: Node, found: Resource, ctx: Context) -> None:
    people: list[dict[str, Any]] = []
    for part in node.all("performer"):
        _take(people, practitioner(child(part, "assignedEntity"), ctx), part, "PPRF", ctx)
    put(found, participant=people)


def _take(people: list[dict[str, Any]], who: str, part: Element, code: str, ctx: Context) -> None:
    if who.partition("/")[0] not in ("Practitioner", "PractitionerRole", "RelatedPerson"):
        return
    one: dict[str, Any] = {"type": [{"coding": [{"system": _PARTICIPATION, "code": code}]}]}
    function = concept(child(part, "sdtc:functionCode"), ctx) or concept(child(part, "functionCode"), ctx)
    if function:
        one["type"].append(function)
    span = period(child(part, "time"), ctx.clock)
    put(one, period=span)
    one["individual"] = {"reference": who}
    if one not in people:
        people.append(one)


def _discharge(node: Node, found: Resource, ctx: Context) -> None:
    for name in ("dischargeDispositionCode", "sdtc:dischargeDispositionCode"):
        disposition = concept(node.one(name), ctx)
        if disposition:
            found["hospitalization"] = {"dischargeDisposition": disposition}
            return


def encompassing(element: Element, ctx: Context) -> str:
    """The reference to the header's Encounter; empty where the header names none."""
    node = Node(element)
    found: Resource = {"resourceType": "Encounter"}
    put(found, identifier=identifiers(node.all("id")))
    time = node.one("effectiveTime")
    span = period(time, ctx.clock) if time is not None and time.get("value") is None else {}
    moment = ctx.clock.date_time(point(time))
    if not span and moment:
        span = {"start": moment}
    found["status"] = "finished" if _is_over(time) else "unknown"
    kind = concept(node.one("code"), ctx)
    found["class"] = class_of(kind)
    put(found, type=[kind] if kind else None, subject={"reference": ctx.patient} if ctx.patient else None)
    people: list[dict[str, Any]] = []
    for part in node.all("responsibleParty"):
        _take(people, practitioner(child(part, "assignedEntity"), ctx), part, "PPRF", ctx)
    for part in node.all("encounterParticipant"):
        code = part.get("typeCode") or ""
        code = code if code in ("ADM", "ATND", "CON", "DIS", "REF") else "PART"
        _take(people, practitioner(child(part, "assignedEntity"), ctx), part, code, ctx)
    put(found, participant=people, period=span)
    _discharge(node, found, ctx)
    facility = child(node.one("location"), "healthCareFacility")
    place = location(facility, ctx)
    put(found, location=[{"location": {"reference": place}}] if place else None)
    keeper = organization(child(facility, "serviceProviderOrganization"), ctx)
    put(found, serviceProvider={"reference": keeper} if keeper else None)
    if not any(
        name in found for name in ("identifier", "type", "period", "participant", "location", "serviceProvider")
    ):
        return ""
    return ctx.add(found)
