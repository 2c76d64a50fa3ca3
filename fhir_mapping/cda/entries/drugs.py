"""Which drug: a coded or named material, with its maker, lot, form and vehicle."""

from __future__ import annotations

from fhir_mapping.cda.coded import concept
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
    if name and "text" not in code:
        code = {**code, "text": name}
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
        if (what := concept(child(role.one("playingEntity"), "code"), ctx))
    ]
    put(details, ingredient=vehicles, batch={"lotNumber": lot} if lot else None)
    if len(details) == 2:
        return {"medicationCodeableConcept": code}
    return {"medicationReference": {"reference": ctx.add(details)}}
