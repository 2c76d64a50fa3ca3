"""Policy activities to Coverage, with payer, subscriber and member numbers; templates 4.60 and 4.61."""

from __future__ import annotations

from fhir_mapping.cda.agents import practitioner, related_person
from fhir_mapping.cda.coded import concept, identifier
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child, squeeze
from fhir_mapping.cda.entries.common import CCDA, Section, base, nested, put, status
from fhir_mapping.cda.places import organization
from fhir_mapping.cda.times import period
from fhir_mapping.document import Resource

_POLICY, _GUARANTOR = CCDA + "61", CCDA + "88"
_RELATION = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
_RELATIONS = {
    "SELF": "self",
    "SPS": "spouse",
    "SPO": "spouse",
    "CHILD": "child",
    "CHD": "child",
    "PRN": "parent",
    "FAMDEP": "other",
}
_STATUS = {"nullified": "entered-in-error", "cancelled": "cancelled", "aborted": "cancelled", "new": "draft"}


def coverage(node: Node, ctx: Context, section: Section) -> list[str]:
    """The policies of a coverage activity, in their order."""
    found: list[str] = []
    for _, act in nested(node):
        found += policy(act, ctx, section) if act.has(_POLICY) else ctx.walk(act, section)
    return found


def policy(node: Node, ctx: Context, section: Section) -> list[str]:
    """A Coverage; without a payer or a patient, which FHIR requires, it is left out with a problem."""
    payors: list[str] = []
    for part in node.all("performer"):
        entity = child(part, "assignedEntity")
        if entity is None:
            continue
        if _role(entity) == "GUAR" or Node(part).has(_GUARANTOR):
            organization(child(entity, "representedOrganization"), ctx)
            _guarantor(entity, ctx)
        else:
            place = organization(child(entity, "representedOrganization"), ctx, ids=Node(entity).all("id"))
            who = place or practitioner(entity, ctx)
            if who and who.partition("/")[0] in ("Organization", "Patient", "RelatedPerson") and who not in payors:
                payors.append(who)
    if not payors or not ctx.patient:
        ctx.problem("no_payer" if ctx.patient else "no_patient", node.element)
        return []
    found = base("Coverage", node)
    found["status"] = _STATUS.get(status(node), "active")
    put(found, type=concept(node.one("code"), ctx))
    _members(node, found, ctx)
    found["beneficiary"] = {"reference": ctx.patient}
    found["payor"] = [{"reference": one} for one in payors]
    plan = _plan(node, ctx)
    if plan:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}]}
        found["class"] = [{"type": kind, **plan}]
    return [ctx.add(found)]


def _role(entity: Element) -> str:
    code = child(entity, "code")
    return squeeze(code.get("code")) if code is not None else ""


def _guarantor(entity: Element, ctx: Context) -> None:
    person = child(entity, "assignedPerson")
    if person is not None:
        related_person(entity, person, ctx, class_code="GUAR" if _role(entity) != "GUAR" else "")


def _members(node: Node, found: Resource, ctx: Context) -> None:
    for part in node.all("participant"):
        role = child(part, "participantRole")
        if role is None:
            continue
        ids = [one for element in Node(role).all("id") if (one := identifier(element))]
        if part.get("typeCode") == "COV":
            relation = child(role, "code")
            code = _RELATIONS.get(squeeze(relation.get("code")) if relation is not None else "")
            told = concept(relation, ctx)
            if code:
                found["relationship"] = {"coding": [{"system": _RELATION, "code": code}]}
            elif told:
                found["relationship"] = told
            if ids:
                found["subscriberId"] = ids[0]["value"]
            span = period(child(part, "time"), ctx.clock)
            put(found, period=span)
        elif part.get("typeCode") == "HLD":
            person = child(role, "playingEntity")
            holder = related_person(role, person, ctx, class_code="POLHOLD") if person is not None else ""
            if holder:
                found["policyHolder"] = {"reference": holder}
            if ids and "subscriberId" not in found:
                found["subscriberId"] = ids[0]["value"]


def _plan(node: Node, ctx: Context) -> dict[str, str]:
    """Number and name of the plan that the policy refers to."""
    for kind, act in nested(node):
        if kind == "REFR" and act.get("moodCode") == "DEF":
            words = ctx.words(act.one("text"))
            number = next((one["value"] for element in act.all("id") if (one := identifier(element))), "")
            if words or number:
                return {"value": number or words, **({"name": words} if words and number else {})}
    return {}
