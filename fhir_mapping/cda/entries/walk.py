"""Which handler an act goes to: by its templates (``tables/templates.csv``), else by its class and mood."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import column
from fhir_mapping.cda.element import ACTS, Element, Node, children, local_name
from fhir_mapping.cda.entries import (
    allergies,
    care_team,
    coverage,
    devices,
    directives,
    encounters,
    family,
    goals,
    imaging,
    immunizations,
    medications,
    notes,
    observations,
    problems,
    procedures,
    results,
)
from fhir_mapping.cda.entries.common import (
    CCDA,
    PLANNED_MOODS,
    Section,
    code_or_words,
    mood,
    nested,
    participants,
    walk_rest,
)
from fhir_mapping.cda.entries.directives import external_documents
from fhir_mapping.cda.entries.links import remember

_IMMUNIZATION = CCDA + "52"
_ALLERGIES = ("48765-2",)
_DONE = frozenset({"2.16.840.1.113883.6.96", "2.16.840.1.113883.6.12", "2.16.840.1.113883.6.285"})
"""SNOMED CT, CPT and HCPCS: an act of no template, with nothing below, coded in them is something that was done."""
Handler = Callable[[Node, Context, Section], list[str]]


def nothing(node: Node, ctx: Context, section: Section) -> list[str]:
    """Acts that their parent has used already."""
    return []


def observed(node: Node, ctx: Context, section: Section) -> list[str]:
    """An observation of no template known: a goal, a request or an event."""
    if mood(node) == "GOL":
        return goals.goal(node, ctx, section)
    if mood(node) in PLANNED_MOODS:
        return procedures.request(node, ctx, section)
    if section.code in _ALLERGIES and any(True for _ in participants(node, "CSM")):
        return allergies.allergy(node, ctx, section)
    if section.condition_category and not node.templates() and problems.tells_problem(node):
        return problems.problem(node, ctx, section)
    return observations.observation(node, ctx, section)


def plain_act(node: Node, ctx: Context, section: Section) -> list[str]:
    """An act of no template known: what is planned is a ServiceRequest, what is below it speaks for itself."""
    if mood(node) in PLANNED_MOODS and code_or_words(node, ctx):
        return procedures.request(node, ctx, section)
    code = node.one("code")
    if code is not None and code.get("codeSystem") in _DONE and not any(True for _ in nested(node)):
        return procedures.procedure(node, ctx, section)
    found = [*external_documents(node, ctx), *walk_rest(node, ctx, section)]
    if not found and not any(True for _ in nested(node)) and code_or_words(node, ctx):
        ctx.problem("unmapped_act", node.element)
    return found


def problem(node: Node, ctx: Context, section: Section) -> list[str]:
    """A problem observation; IHE's allergies claim that template too."""
    return (allergies.allergy if node.has(*problems.ALLERGY) else problems.problem)(node, ctx, section)


def problem_concern(node: Node, ctx: Context, section: Section) -> list[str]:
    """A concern over problems, or over allergies as CCD 1.0 tells them."""
    kinds = [act for _, act in nested(node) if act.has(*problems.ALLERGY)]
    return (allergies.concern if kinds else problems.concern)(node, ctx, section)


def drug(node: Node, ctx: Context, section: Section) -> list[str]:
    """A medication; in a section of immunizations a vaccine, as CCD 1.0 and its kin tell them."""
    given = node.has(_IMMUNIZATION) or (section.code == "11369-6" and mood(node) == "EVN")
    return (immunizations.immunization if given else medications.medication)(node, ctx, section)


def organizer(node: Node, ctx: Context, section: Section) -> list[str]:
    """An organizer of no template known: batteries are reports, clusters only hold their parts."""
    if node.get("classCode") == "BATTERY" and section.observation_category in ("laboratory", "imaging"):
        return results.result_organizer(node, ctx, section)
    if section.observation_category == "vital-signs":
        return results.vital_organizer(node, ctx, section)
    return observations.group(node, ctx, section)


HANDLERS: dict[str, Handler] = {
    "allergy_concern": allergies.concern,
    "allergy": allergies.allergy,
    "problem_concern": problem_concern,
    "diagnosis": problems.diagnosis,
    "health_concern": problems.health_concern,
    "problem": problem,
    "medication": drug,
    "drug_supply": devices.supply,
    "supply": devices.supply,
    "holder": walk_rest,
    "immunization": immunizations.immunization,
    "procedure": procedures.procedure,
    "procedure_observed": procedures.observed,
    "request": procedures.request,
    "observation": observed,
    "result_organizer": results.result_organizer,
    "vital_organizer": results.vital_organizer,
    "organizer": organizer,
    "encounter": encounters.encounter,
    "family_history": family.family_history,
    "coverage": coverage.coverage,
    "policy": coverage.policy,
    "directive": directives.directive,
    "care_team": care_team.care_team,
    "care_team_member": care_team.member,
    "goal": goals.goal,
    "imaging_study": imaging.study,
    "note": notes.note,
    "media": notes.media,
    "instruction": notes.instruction,
    "act": plain_act,
    "nothing": nothing,
}
_BY_CLASS = {
    "act": "act",
    "observation": "observation",
    "organizer": "organizer",
    "procedure": "procedure",
    "substanceAdministration": "medication",
    "supply": "supply",
    "encounter": "encounter",
    "observationMedia": "media",
}


@cache
def _by_template() -> dict[str, Handler]:
    return {oid: HANDLERS[name] for oid, name in column("templates", "template", "handler").items()}


def walk(element: Element, ctx: Context, section: Section) -> list[str]:
    """The references that an act gave; what stands around acts (entry, component) is looked through."""
    name = local_name(element)
    if name not in ACTS:
        found: list[str] = []
        for inner in ("entry", "entryRelationship", "component", *sorted(ACTS)):
            for kid in children(element, inner):
                found += walk(kid, ctx, section)
        return found
    return handle(Node(element), ctx, section)


def handle(node: Node, ctx: Context, section: Section) -> list[str]:
    """The references that one act gave, the one of its own resource first."""
    if node.get("nullFlavor"):
        # The act as a whole is unknown or did not happen; what its parts would be says nothing.
        if node.kids:
            ctx.problem("null_act", node.element)
        return []
    known = _by_template()
    handler = next((known[one] for one in node.templates() if one in known), None)
    if handler is None:
        handler = HANDLERS[_BY_CLASS[node.name]]
    given = handler(node, ctx, section)
    remember(node, given, ctx)
    return given


def entries(section: Node, ctx: Context, here: Section) -> list[str]:
    """The references that a section's entries gave, and acts that stand in it without an entry."""
    found: list[str] = []
    for entry in section.all("entry"):
        found += walk(entry, ctx, here)
    for part in section.all("component"):
        for inner in part:
            if local_name(inner) in ACTS:
                found += walk(inner, ctx, here)
    return found
