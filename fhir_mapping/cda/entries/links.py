"""Acts that point to other acts of the document by id: entry references and indications, resolved at the end.

Source: C-CDA R2.1 Entry Reference (4.122), Indication (4.19). A reference that leads nowhere is left out.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.coded import identifier
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node
from fhir_mapping.cda.entries.common import CCDA, INDICATION, nested
from fhir_mapping.document import Resource

ENTRY_REFERENCE = CCDA + "122"
HEALTH_CONCERN = "health-concern"
_CONCERN = {"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "code": HEALTH_CONCERN}]}
_WRAPPERS = (CCDA + "33", CCDA + "34", CCDA + "80", CCDA + "132", CCDA + "136")
_PERTAINS_TO_GOAL = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
_SUMMARIES = frozenset({"Composition", "Provenance", "Patient", "Practitioner", "PractitionerRole", "Organization"})
_REASONS = {
    "Encounter": ("Condition", "Procedure", "Observation"),
    "Procedure": ("Condition", "Observation", "Procedure", "DiagnosticReport", "DocumentReference"),
    "ServiceRequest": ("Condition", "Observation", "DiagnosticReport", "DocumentReference"),
    "MedicationRequest": ("Condition", "Observation"),
    "MedicationStatement": ("Condition", "Observation", "DiagnosticReport"),
    "MedicationAdministration": ("Condition", "Observation", "DiagnosticReport"),
    "Immunization": ("Condition", "Observation", "DiagnosticReport"),
    "DeviceRequest": ("Condition", "Observation", "DiagnosticReport", "DocumentReference"),
    "DeviceUseStatement": ("Condition", "Observation", "DiagnosticReport", "DocumentReference"),
    "CommunicationRequest": ("Condition", "Observation", "DiagnosticReport", "DocumentReference"),
}
_ADDRESSED = ("Condition", "Observation", "MedicationStatement", "ServiceRequest")
_EVIDENCE = ("Observation", "Condition", "DiagnosticReport", "AllergyIntolerance", "Procedure", "ImagingStudy")


def remember(node: Node, references: list[str], ctx: Context) -> None:
    """Note what an act points to; ``references`` are what it gave, its own resource first."""
    if not references or not node.kids.get("entryRelationship"):
        return
    for kind, act in nested(node):
        if act.has(ENTRY_REFERENCE) or act.has(INDICATION):
            _note(act, kind, references[0], ctx)
        elif act.has(*_WRAPPERS):
            for inner, pointer in nested(act):
                if pointer.has(ENTRY_REFERENCE):
                    _note(pointer, inner, references[0], ctx)


def name(node: Node, references: list[str], ctx: Context) -> None:
    """Note what stands for an act whose ids no resource holds, such as a concern: the first it gave."""
    for element in node.all("id") if references else ():
        if one := identifier(element):
            ctx.named.setdefault(key_of(one), references[0])


def pointed_concerns(node: Node, ctx: Context) -> None:
    """A health concern that only points to problems told elsewhere: these are of that category too."""
    for _, act in nested(node):
        if act.has(ENTRY_REFERENCE):
            _note(act, HEALTH_CONCERN, "", ctx)


def _note(act: Node, kind: str, source: str, ctx: Context) -> None:
    keys = [key_of(one) for element in act.all("id") if (one := identifier(element))]
    if keys:
        ctx.links.append((source, "RSON" if act.has(INDICATION) else kind, keys))


def key_of(number: dict[str, Any]) -> str:
    """By what an act is found: system and value of an identifier."""
    return f"{number.get('system', '')}|{number.get('value', '')}"


def resolve(ctx: Context) -> None:
    """Set the references between resources that the document's acts tell."""
    if not ctx.links:
        return
    known = dict(ctx.named)
    for one in ctx.resources:
        numbers = one.get("identifier")
        if one["resourceType"] not in _SUMMARIES and isinstance(numbers, list):
            for number in numbers:
                known.setdefault(key_of(number), f"{one['resourceType']}/{one['id']}")
    for source, kind, keys in ctx.links:
        target = next((known[key] for key in keys if key in known), "")
        if target and kind == HEALTH_CONCERN and not source:
            if target.startswith("Condition/"):
                _append(ctx.resource(target), "category", _CONCERN)
        elif target and target != source and ctx.has(source):
            _link(ctx.resource(source), kind, target)


def _link(source: Resource, kind: str, target: str) -> None:
    type_of, other = source["resourceType"], target.partition("/")[0]
    reference = {"reference": target}
    if other == "Goal":
        if type_of not in ("Goal", "Condition"):
            _append(source, "extension", {"url": _PERTAINS_TO_GOAL, "valueReference": reference})
    elif type_of == "Goal" and other in _ADDRESSED:
        _append(source, "addresses", reference)
    elif type_of == "Condition" and other in _EVIDENCE:
        _append(source, "evidence", {"detail": [reference]})
    elif type_of == "DocumentReference" and other == "Encounter":
        _append(source.setdefault("context", {}), "encounter", reference)
    elif type_of == "Observation" and other in ("ServiceRequest", "MedicationRequest", "DeviceRequest"):
        _append(source, "basedOn", reference)
    elif type_of == "Observation" and other in ("Procedure", "Immunization", "MedicationStatement"):
        _append(source, "partOf", reference)
    elif type_of == "Encounter" and other == "Condition" and kind != "RSON":
        if not any(one["condition"] == reference for one in source.get("diagnosis", ())):
            _append(source, "diagnosis", {"condition": reference})
    elif other in _REASONS.get(type_of, ()):
        _append(source, "reasonReference", reference)


def _append(holder: dict[str, Any], element: str, value: dict[str, Any]) -> None:
    listed = holder.setdefault(element, [])
    if value not in listed:
        listed.append(value)
