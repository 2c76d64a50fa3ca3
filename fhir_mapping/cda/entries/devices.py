"""Product instances, implants and supplies to Device, DeviceUseStatement, DeviceRequest; UDI from its parts.

Source: templates 4.37 (product instance), 4.50 (non-medicinal supply), 4.135 (medical equipment organizer),
4.43 (planned supply); UDI organizer 4.311 with its observations.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, all_text, child, squeeze
from fhir_mapping.cda.entries.common import (
    COMMENT,
    INDICATION,
    INSTRUCTION,
    Section,
    base,
    instructions,
    is_negated,
    mood,
    nested,
    notes,
    participants,
    put,
    reasons,
    status,
    walk_rest,
)
from fhir_mapping.cda.entries.drugs import medication_choice
from fhir_mapping.cda.entries.medications import supply as drug_supply
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_FDA = "2.16.840.1.113883.3.3719"
_USE = {
    "active": "active",
    "completed": "completed",
    "nullified": "entered-in-error",
    "aborted": "stopped",
    "cancelled": "stopped",
    "suspended": "on-hold",
    "held": "on-hold",
    "new": "intended",
}
_REQUEST = {
    "active": "active",
    "completed": "completed",
    "nullified": "entered-in-error",
    "aborted": "revoked",
    "cancelled": "revoked",
    "suspended": "on-hold",
    "held": "on-hold",
    "new": "draft",
}
_UDI_ORGANIZER = "2.16.840.1.113883.10.20.22.4.311"
UDI_PARTS = {
    _UDI_ORGANIZER: "",
    "2.16.840.1.113883.10.20.22.4.301": "brand-name",
    "2.16.840.1.113883.10.20.22.4.302": "catalog",
    "2.16.840.1.113883.10.20.22.4.303": "company",
    "2.16.840.1.113883.10.20.22.4.304": "device-identifier",
    "2.16.840.1.113883.10.20.22.4.308": "distinct",
    "2.16.840.1.113883.10.20.22.4.309": "expiration",
    "2.16.840.1.113883.10.20.22.4.315": "lot",
    "2.16.840.1.113883.10.20.22.4.316": "manufactured",
    "2.16.840.1.113883.10.20.22.4.317": "model",
    "2.16.840.1.113883.10.20.22.4.319": "serial",
}


def product_instance(role: Node, ctx: Context, udi: dict[str, Element] | None = None) -> str:
    """The Device of a participantRole (MANU); empty where neither kind nor identifier is told."""
    device = role.node("playingDevice")
    kind = concept(device.one("code"), ctx) if device is not None else {}
    model = all_text(device.one("manufacturerModelName")) if device is not None else ""
    plain = [one for one in role.all("id") if (one.get("root") or "") != _FDA]
    ids = identifiers(plain)
    carrier = next((squeeze(one.get("extension")) for one in role.all("id") if one.get("root") == _FDA), "")
    if not kind and not model and not carrier:
        return ""
    found: Resource = {"resourceType": "Device"}
    put(found, identifier=ids)
    if carrier:
        di = _told(udi, "device-identifier", "extension") or _di(carrier)
        found["udiCarrier"] = [{**({"deviceIdentifier": di} if di else {}), "carrierHRF": carrier}]
    owner = child(role.one("scopingEntity"), "desc")
    put(found, manufacturer=all_text(owner) or _words(udi, "company"))
    _put_udi(found, udi, ctx)
    brand = _words(udi, "brand-name")
    labels = [
        {"name": name, "type": what} for name, what in ((brand, "user-friendly-name"), (model, "model-name")) if name
    ]
    put(found, deviceName=labels, modelNumber=_words(udi, "model"), type=kind)
    put(found, patient={"reference": ctx.patient} if ctx.patient else None)
    return ctx.add(found)


def _put_udi(found: Resource, udi: dict[str, Element] | None, ctx: Context) -> None:
    put(
        found,
        distinctIdentifier=_told(udi, "distinct", "extension"),
        manufactureDate=ctx.clock.date_time(_told(udi, "manufactured", "value")),
        expirationDate=ctx.clock.date_time(_told(udi, "expiration", "value")),
        lotNumber=_words(udi, "lot"),
        serialNumber=_words(udi, "serial"),
    )


def _told(udi: dict[str, Element] | None, name: str, attribute: str) -> str:
    element = (udi or {}).get(name)
    return squeeze(element.get(attribute)) if element is not None else ""


def _words(udi: dict[str, Element] | None, name: str) -> str:
    element = (udi or {}).get(name)
    return (all_text(element) or squeeze(element.get("extension"))) if element is not None else ""


def _di(carrier: str) -> str:
    """The GS1 device identifier of a human-readable UDI: the 14 digits after ``(01)``."""
    head = carrier.partition("(01)")[2][:14]
    return head if len(head) == 14 and head.isdigit() else ""


def udi_parts(node: Node) -> dict[str, Element]:
    """The values of a UDI organizer's observations by their name."""
    found: dict[str, Element] = {}
    for _, act in nested(node):
        name = next((UDI_PARTS[one] for one in act.templates() if UDI_PARTS.get(one)), "")
        value = act.one("value")
        if name and value is not None:
            found[name] = value
        elif act.name == "organizer" and act.has(_UDI_ORGANIZER):
            found.update(udi_parts(act))
    return found


def supply(node: Node, ctx: Context, section: Section) -> list[str]:
    """A thing in use (DeviceUseStatement) or wanted (DeviceRequest); a supply of a drug is none of this."""
    if medication_choice(node, ctx):
        return drug_supply(node, ctx, section)
    if is_negated(node):  # FHIR has no word for a thing that is not used
        ctx.problem("negated_supply", node.element)
        return walk_rest(node, ctx, section, (COMMENT, INDICATION, INSTRUCTION, *UDI_PARTS))
    udi = udi_parts(node)
    things = [one for role in participants(node, "PRD", "DEV") if (one := product_instance(role, ctx, udi))]
    below = walk_rest(node, ctx, section, (COMMENT, INDICATION, INSTRUCTION, *UDI_PARTS))
    code = concept(node.one("code"), ctx)
    if not ctx.patient or not (things or code):
        return below
    if mood(node) != "EVN":
        return [_device_request(node, things, code, ctx), *below]
    if not things:
        things = [ctx.add({"resourceType": "Device", "type": code, "patient": {"reference": ctx.patient}})]
    return [*things, *(_use(node, one, ctx) for one in things), *below]


def _use(node: Node, device: str, ctx: Context) -> str:
    found = base("DeviceUseStatement", node)
    found["status"] = _USE.get(status(node), "active")
    found["subject"] = {"reference": ctx.patient}
    time = node.one("effectiveTime")
    span = period(time, ctx.clock) if time is not None and time.get("value") is None else {}
    moment = ctx.clock.date_time(point(time))
    if span:
        found["timingPeriod"] = span
    elif moment:
        found["timingDateTime"] = moment
    found["device"] = {"reference": device}
    put(found, reasonCode=reasons(node, ctx), note=notes(node, ctx))
    return ctx.add(found)


def _device_request(node: Node, things: list[str], code: dict[str, Any], ctx: Context) -> str:
    found = base("DeviceRequest", node)
    found["status"] = _REQUEST.get(status(node), "unknown")
    found["intent"] = {"RQO": "order", "PRP": "proposal"}.get(mood(node), "plan")
    if things:
        found["codeReference"] = {"reference": things[0]}
    else:
        found["codeCodeableConcept"] = code
    found["subject"] = {"reference": ctx.patient}
    time = node.one("effectiveTime")
    moment = ctx.clock.date_time(point(time))
    put(found, occurrenceDateTime=moment)
    by = of_types(authors(node, ctx), "Practitioner", "PractitionerRole", "Organization", "Device")
    put(found, requester=by[0] if by else None, reasonCode=reasons(node, ctx))
    said = instructions(node, ctx)
    put(found, note=[*notes(node, ctx), *([{"text": said}] if said else [])])
    return ctx.add(found)
