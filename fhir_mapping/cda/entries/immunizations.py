"""Immunization activities to Immunization; a refusal is ``not-done`` with its reason."""

from __future__ import annotations

from fhir_mapping.cda.agents import of_types, performers
from fhir_mapping.cda.coded import concept, named
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, all_text, child
from fhir_mapping.cda.entries.common import (
    CCDA,
    COMMENT,
    INDICATION,
    INSTRUCTION,
    REASON,
    Section,
    base,
    instructions,
    is_negated,
    mood,
    nested,
    notes,
    put,
    reasons,
    status,
)
from fhir_mapping.cda.entries.medications import medication
from fhir_mapping.cda.entries.observations import observation
from fhir_mapping.cda.places import organization
from fhir_mapping.cda.quantities import decimal, quantity
from fhir_mapping.cda.times import point
from fhir_mapping.document import Resource

_REFUSAL, _REACTION = CCDA + "53", CCDA + "9"
_GIVEN = CCDA + "118"
_SERIES = "30973-2"
_STATUS = {"nullified": "entered-in-error", "cancelled": "not-done", "aborted": "not-done"}


def immunization(node: Node, ctx: Context, section: Section) -> list[str]:
    """An Immunization; a planned one is a MedicationRequest; left out with a problem where no vaccine is named."""
    if mood(node) != "EVN":
        return medication(node, ctx, section)
    made = child(node.one("consumable"), "manufacturedProduct")
    product = Node(made) if made is not None else None
    material = product.node("manufacturedMaterial") if product is not None else None
    vaccine = concept(material.one("code"), ctx) if material is not None else {}
    vaccine = named(vaccine, all_text(material.one("name")) if material is not None else "")
    if not vaccine or not ctx.patient:
        ctx.problem("no_vaccine" if ctx.patient else "no_patient", node.element)
        return []
    found = base("Immunization", node)
    found["status"] = "not-done" if is_negated(node) else _STATUS.get(status(node), "completed")
    why = reasons(node, ctx)
    refusal = _refusal(node, ctx) or (why[0] if why else {})
    put(found, statusReason=refusal if found["status"] == "not-done" else None)
    found["vaccineCode"] = vaccine
    found["patient"] = {"reference": ctx.patient}
    when = ctx.clock.date_time(point(node.one("effectiveTime")))
    found.update({"occurrenceDateTime": when} if when else {"occurrenceString": "unknown"})
    lot = all_text(material.one("lotNumberText")) if material is not None else ""
    maker = organization(product.one("manufacturerOrganization"), ctx) if product is not None else ""
    put(found, manufacturer={"reference": maker} if maker else None, lotNumber=lot)
    put(found, site=concept(node.one("approachSiteCode"), ctx), route=concept(node.one("routeCode"), ctx))
    put(found, doseQuantity=quantity(node.one("doseQuantity")))
    actors = of_types(performers(node, ctx), "Practitioner", "PractitionerRole", "Organization")
    said = instructions(node, ctx)
    remarks = [*notes(node, ctx), *([{"text": said}] if said else [])]
    put(found, performer=[{"actor": one} for one in actors], note=remarks)
    put(found, reasonCode=why if found["status"] != "not-done" else None)
    author = node.one("author")
    told = child(author, "time") if author is not None else None
    put(found, recorded=ctx.clock.date_time(told.get("value")) if told is not None else None)
    _reactions(node, found, ctx, section)
    number = _dose_number(node)
    put(found, protocolApplied=[{"doseNumberPositiveInt": number}] if number else None)
    return [ctx.add(found), *_rest(node, ctx, section)]


def _rest(node: Node, ctx: Context, section: Section) -> list[str]:
    below: list[str] = []
    for _, act in nested(node):
        if act.has(_REFUSAL, _REACTION, COMMENT, INDICATION, INSTRUCTION) or act.code() in (_SERIES, REASON):
            continue
        below += ctx.walk(act, section)
    return below


def _refusal(node: Node, ctx: Context) -> dict[str, object]:
    for _, act in nested(node):
        if act.has(_REFUSAL):
            return concept(act.one("code"), ctx)
    return {}


def _reactions(node: Node, found: Resource, ctx: Context, section: Section) -> None:
    reactions = []
    for _, act in nested(node):
        if act.has(_REACTION):
            seen = of_types(observation(act, ctx, Section(templates=section.templates)), "Observation")
            one: Resource = {}
            put(one, date=ctx.clock.date_time(point(act.one("effectiveTime"))), detail=seen[0] if seen else None)
            if one:
                reactions.append(one)
    put(found, reaction=reactions)


def _dose_number(node: Node) -> int:
    repeats = node.one("repeatNumber")
    number = decimal(repeats.get("value")) if repeats is not None else None
    for link in node.all("entryRelationship"):
        order, act_element = child(link, "sequenceNumber"), child(link, "act")
        if order is not None and act_element is not None and Node(act_element).has(_GIVEN):
            number = decimal(order.get("value"))
    for _, act in nested(node):
        if act.code() == _SERIES and (value := act.one("value")) is not None:
            number = decimal(value.get("value"))
    return number if isinstance(number, int) and 0 < number < 2**31 else 0
