"""Which drug: a coded or named material, with its maker, lot, form and vehicle."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.coded import concept, identifiers, named
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, all_text, child, local_name
from fhir_mapping.cda.entries.common import participants, put
from fhir_mapping.cda.places import organization
from fhir_mapping.document import Resource


def medication_choice(node: Node, ctx: Context) -> Resource:
    """``medicationCodeableConcept``, or a reference to a Medication where maker, lot, form or vehicle is told."""
    holder = node.one("consumable")
    if holder is None:
        holder = node.one("product")
    whole = holder is not None and local_name(holder) == "manufacturedProduct"
    made = holder if whole else child(holder, "manufacturedProduct")
    if made is None:
        return {}
    product = Node(made)
    material = product.node("manufacturedMaterial") or product.node("manufacturedLabeledDrug")
    if material is None:
        return {}
    code = concept(material.one("code"), ctx)
    name = next((text for one in material.all("name") if (text := all_text(one))), "")
    code = named(code, name)
    if not code:
        return {}
    details: Resource = {"resourceType": "Medication", "code": code}
    maker = organization(product.one("manufacturerOrganization"), ctx)
    form = concept(node.one("administrationUnitCode"), ctx)
    lot = all_text(material.one("lotNumberText"))
    put(details, manufacturer={"reference": maker} if maker else None, form=form)
    vehicles = [
        {"itemCodeableConcept": what, "isActive": False}
        for role in participants(node, "CSM")
        if (what := _vehicle(role, ctx))
    ]
    parts = [
        {"itemCodeableConcept": what}
        for element in material.all("ingredient")
        if (what := concept(child(element, "ingredientSubstance", "code"), ctx))
    ]
    put(details, ingredient=[*parts, *vehicles], batch={"lotNumber": lot} if lot else None)
    if len(details) == 2:
        return {"medicationCodeableConcept": code}
    put(details, identifier=identifiers(product.all("id")))
    return {"medicationReference": {"reference": ctx.add(details)}}


def _vehicle(role: Node, ctx: Context) -> dict[str, Any]:
    entity = role.one("playingEntity")
    words = all_text(child(entity, "name"))
    return concept(child(entity, "code"), ctx) or concept(role.one("code"), ctx) or ({"text": words} if words else {})
