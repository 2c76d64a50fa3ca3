"""PL, DLD and XON: a Location for each level that is named, nested by ``partOf``; organizations."""

from __future__ import annotations

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.codes import system_uri
from fhir_mapping.hl7v2.datatypes.contacts import address
from fhir_mapping.hl7v2.datatypes.identifiers import (
    FACILITY,
    authority,
    cleaned,
    entity,
    named,
    oid_of,
    system_of,
    type_concept,
    universal,
)

_PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_PERSON_LOCATION = "http://terminology.hl7.org/CodeSystem/v2-0305"
# From the whole to the part, by component of PL; point of care has no code of its own in FHIR's list.
_LEVELS = (
    (4, "si", "Site"),
    (7, "bu", "Building"),
    (1, None, "Point of care"),
    (8, "lvl", "Level"),
    (2, "ro", "Room"),
    (3, "bd", "Bed"),
)


def location(context: Context, raw: str) -> Fragment | None:
    """PL as the Location of its smallest part; each larger part is one of its own, by ``partOf``."""
    parts = context.split(raw)
    found: Fragment | None = None
    for number, code, shown in _LEVELS:
        level = _level(context, context.raw_at(parts, number))
        if level is None:
            continue
        kind = {"system": _PHYSICAL, "code": code, "display": shown}
        level["physicalType"] = {"coding": [kind]} if code else {"text": shown}
        if found:
            level["partOf"] = found
        found = level
    return _described(context, parts, found)


def _level(context: Context, raw: str) -> Fragment | None:
    parts = context.subsplit(raw)
    name = context.at(parts, 1) or context.at(parts, 2)
    if name is None:
        return None
    found: Fragment = {"resourceType": "Location", "mode": "instance", "name": name}
    if oid := oid_of(name):
        found["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": oid}]
        del found["name"]
    elif uri := universal(context.at(parts, 2), context.at(parts, 3)):
        found["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": uri}]
    elif context.at(parts, 1) and (other := context.at(parts, 2)):
        found["identifier"] = [{"value": other}]
    return found


def _described(context: Context, parts: list[str], found: Fragment | None) -> Fragment | None:
    """The smallest part's description, identifier and kind; a description alone is a Location too."""
    description = context.at(parts, 9)
    if found is None:
        if description is None:
            return None
        found = {"resourceType": "Location", "mode": "instance", "name": description}
    elif description:
        found["description"] = description
    identifier = entity(context, context.raw_at(parts, 10).replace("&", "^"))
    if identifier:
        namespace = context.subsplit(context.raw_at(parts, 10))[1:]
        owner = context.raw_at(parts, 11) or context.message.delimiters.component.join(namespace)
        if owner and (assigner := authority(context, owner)):
            identifier["assigner"] = assigner
        found.setdefault("identifier", []).append(identifier)
    kind = context.at(parts, 6)
    if kind:
        found["type"] = [{"coding": [{"system": _PERSON_LOCATION, "code": kind}]}]
    return found


def discharge_place(context: Context, raw: str) -> Fragment | None:
    """DLD: the place a patient was discharged to."""
    parts = context.split(raw)
    place = context.subsplit(context.raw_at(parts, 1))
    code, shown = context.at(place, 1), context.at(place, 2)
    if not code and not shown:
        return None
    found: Fragment = {"resourceType": "Location", "mode": "instance", "name": shown or code}
    if code and shown:
        found["identifier"] = [{"value": code}]
    return found


def simple_place(context: Context, raw: str) -> Fragment | None:
    """HD, or a CWE used for a place, as a Location."""
    parts = context.parts(raw)
    identifier = named(context, raw)
    if identifier is None:
        return None
    return {"resourceType": "Location", "mode": "instance", "name": context.at(parts, 1) or identifier["value"]}


def address_place(context: Context, raw: str) -> Fragment | None:
    """XAD as a Location that has this address."""
    found = address(context, raw)
    return {"resourceType": "Location", "mode": "instance", "address": found} if found else None


def organization(context: Context, raw: str) -> Fragment | None:
    """XON as an Organization."""
    parts = context.split(raw)
    name, number = context.at(parts, 1), context.at(parts, 10) or context.at(parts, 3)
    if not name and not number:
        return None
    found: Fragment = {"resourceType": "Organization"}
    if number:
        owner = context.subsplit(context.raw_at(parts, 6))
        identifier: Fragment = {
            "type": type_concept(context, context.at(parts, 7)),
            "system": system_of(context, owner),
            "value": number,
            "assigner": authority(context, context.raw_at(parts, 6)) if any(owner) else None,
        }
        place = simple_place(context, context.raw_at(parts, 8)) if context.raw_at(parts, 8) else None
        if place:
            identifier["extension"] = [{"url": FACILITY, "valueReference": place}]
        found["identifier"] = [cleaned(identifier)]
    if name:
        found["name"] = name
    return found


def organization_place(context: Context, raw: str) -> Fragment | None:
    """XON as a Location."""
    found = organization(context, raw)
    return {**found, "resourceType": "Location", "mode": "instance"} if found else None


def coded_organization(context: Context, raw: str) -> Fragment | None:
    """CWE as an Organization: code and name."""
    parts = context.parts(raw)
    code, shown = context.at(parts, 1), context.at(parts, 2)
    if not code and not shown:
        return None
    found: Fragment = {"resourceType": "Organization", "name": shown or code}
    if code and shown:
        system = context.at(parts, 3)
        found["identifier"] = [cleaned({"system": system_uri(context, system) if system else None, "value": code})]
    return found


def text_organization(context: Context, raw: str) -> Fragment | None:
    """ST as an Organization's name."""
    name = context.at(context.split(raw), 1)
    return {"resourceType": "Organization", "name": name} if name else None
