"""Organizations with what they are part of, and places, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.demographics import addresses, telecoms
from fhir_mapping.cda.element import Element, Node, all_text, child, children


def organization(element: Element | None, ctx: Context, *, ids: Sequence[Element] = ()) -> str:
    """The reference to an organization, with its ``partOf`` chain; empty where it has no name or id.

    ``ids`` are further numbers of it, told of its role.
    """
    if element is None:
        return ""
    node = Node(element)
    found: dict[str, Any] = {"resourceType": "Organization"}
    numbers = identifiers([*node.all("id"), *ids])
    titles = [text for one in node.all("name") if (text := all_text(one))]
    whole = _whole(node, ctx)
    if not numbers and not titles:
        return whole
    if numbers:
        found["identifier"] = numbers
    kind = concept(node.one("standardIndustryClassCode"), ctx)
    if kind:
        found["type"] = [kind]
    if titles:
        found["name"] = titles[0]
    if len(titles) > 1:
        found["alias"] = titles[1:]
    # org-3: the address of an organization is never a home; what a system marked so keeps no use.
    contact = [
        {k: v for k, v in one.items() if not (k == "use" and v == "home")} for one in telecoms(node.all("telecom"))
    ]
    places = [
        {k: v for k, v in one.items() if not (k == "use" and v == "home")}
        for one in addresses(node.all("addr"), ctx.clock)
    ]
    if contact:
        found["telecom"] = contact
    if places:
        found["address"] = places
    if whole:
        found["partOf"] = {"reference": whole}
    return ctx.add(found)


def _whole(node: Node, ctx: Context) -> str:
    part = node.one("asOrganizationPartOf")
    return organization(child(part, "wholeOrganization"), ctx) if part is not None else ""


def location(role: Element | None, ctx: Context) -> str:
    """The reference to the place of a participantRole (SDLOC) or healthCareFacility; empty where nothing tells it."""
    if role is None:
        return ""
    node = Node(role)
    place = node.one("playingEntity")
    if place is None:
        place = node.one("location")
    found: dict[str, Any] = {"resourceType": "Location"}
    ids = identifiers(node.all("id"))
    titles = [text for one in (children(place, "name") if place is not None else ()) if (text := all_text(one))]
    kind = concept(node.one("code"), ctx)
    where = addresses([*node.all("addr"), *(children(place, "addr") if place is not None else ())], ctx.clock)
    contact = telecoms([*node.all("telecom"), *(children(place, "telecom") if place is not None else ())])
    if not (ids or titles or where or kind):
        return ""
    owner = organization(node.one("serviceProviderOrganization"), ctx)
    for name, value in (
        ("identifier", ids),
        ("name", titles[0] if titles else None),
        ("type", [kind] if kind else None),
        ("telecom", contact),
        ("address", where[0] if where else None),
        ("managingOrganization", {"reference": owner} if owner else None),
    ):
        if value:
            found[name] = value
    return ctx.add(found)
