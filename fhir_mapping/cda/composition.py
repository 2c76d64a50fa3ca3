"""Sections to the Composition, with their narrative as XHTML and references to what their entries became."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, practitioner
from fhir_mapping.cda.coded import absent, concept, identifier, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, all_text, child, local_name, squeeze
from fhir_mapping.cda.entries.common import Section, put
from fhir_mapping.cda.narrative import plain, xhtml
from fhir_mapping.cda.places import organization
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_VERSION = "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber"
_CONFIDENTIALITY = frozenset("ULMNRV")
RELATIONS = {"RPLC": "replaces", "APND": "appends", "XFRM": "transforms"}
_AUTHORS = ("Practitioner", "PractitionerRole", "Device", "Patient", "RelatedPerson", "Organization")


def section_of(element: Element, ctx: Context, inherited: Section | None = None) -> dict[str, Any]:
    """A Composition section with its entries handled; empty where it says nothing (cmp-1)."""
    node = Node(element)
    code_element = node.one("code")
    code = squeeze(code_element.get("code")) if code_element is not None else ""
    here = Section(code=code or (inherited.code if inherited else ""), templates=frozenset(node.templates()))
    found: dict[str, Any] = {}
    title = all_text(node.one("title"))
    put(found, title=title, code=concept(code_element, ctx), author=of_types(authors(node, ctx), *_AUTHORS))
    text = node.one("text")
    div = xhtml(text) if text is not None else ""
    entries = ctx.entries(node, here)
    below = [
        one
        for part in node.all("component")
        for inner in part
        if local_name(inner) == "section" and (one := section_of(inner, ctx, here))
    ]
    if not div and not entries and not below:
        words = title or found.get("code", {}).get("text") or _display(found.get("code", {}))
        if not words:
            return {}
        div = plain(words)
    status = "additional" if text is not None and all_text(text) else "generated"
    put(found, text={"status": status, "div": div} if div else None)
    put(found, entry=[{"reference": one} for one in dict.fromkeys(entries)], section=below)
    return found


def _display(code: dict[str, Any]) -> str:
    return next((one["display"] for one in code.get("coding", []) if "display" in one), "")


def composition(
    root: Node, sections: list[dict[str, Any]], ctx: Context, written_by: list[str], custodian: str
) -> Resource:
    """The Composition of a document; what FHIR requires and the header leaves out is marked as absent."""
    found: Resource = {"resourceType": "Composition"}
    put(found, language=ctx.language)
    version = root.one("versionNumber")
    edition = squeeze(version.get("value")) if version is not None else ""
    put(found, extension=[{"url": _VERSION, "valueString": edition}] if edition else None)
    family = root.one("setId")
    source = family if family is not None and family.get("root") else root.one("id")
    number = identifier(source) if source is not None else {}
    put(found, identifier=number)
    found["status"] = "final"
    kind = concept(root.one("code"), ctx)
    found["type"] = kind or absent(root.one("code"))
    put(found, subject={"reference": ctx.patient} if ctx.patient else None)
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    time = root.one("effectiveTime")
    date = ctx.clock.date_time(point(time))
    if date:
        found["date"] = date
    else:
        ctx.problem("bad_date", time if time is not None else root.element)
        found["_date"] = absent()
    by = of_types(written_by, *_AUTHORS)
    found["author"] = by or [absent()]
    found["title"] = all_text(root.one("title")) or _display(kind) or kind.get("text") or "Clinical document"
    secrecy = root.one("confidentialityCode")
    level = squeeze(secrecy.get("code")) if secrecy is not None else ""
    put(found, confidentiality=level if level in _CONFIDENTIALITY else None)
    put(found, attester=_attesters(root, ctx), custodian={"reference": custodian} if custodian else None)
    put(found, relatesTo=related(root, "targetIdentifier"), event=_events(root, ctx), section=sections)
    return found


def part_of_document(sections: list[dict[str, Any]], ctx: Context) -> Resource:
    """The Composition around sections whose document is not there; what only its header could tell is absent."""
    first = sections[0]
    return {
        "resourceType": "Composition",
        "status": "preliminary",
        "type": first.get("code") or absent(),
        "subject": {"reference": ctx.patient},
        "_date": absent(),
        "author": [absent()],
        "title": first.get("title") or _display(first.get("code", {})) or "Section",
        "section": sections,
    }


def related(root: Node, target: str) -> list[dict[str, Any]]:
    """What the document replaces, appends or transforms, by its identifier."""
    found = []
    for link in root.all("relatedDocument"):
        code = RELATIONS.get(link.get("typeCode") or "")
        parent = child(link, "parentDocument")
        number = (
            next((one for part in Node(parent).all("id") if (one := identifier(part))), {})
            if parent is not None
            else {}
        )
        if code and number:
            found.append({"code": code, target: number if target == "targetIdentifier" else {"identifier": number}})
    return found


def _attesters(root: Node, ctx: Context) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, mode in (("legalAuthenticator", "legal"), ("authenticator", "professional")):
        for part in root.all(name):
            who = practitioner(child(part, "assignedEntity"), ctx)
            if who.partition("/")[0] not in (
                "Practitioner",
                "PractitionerRole",
                "Organization",
                "Patient",
                "RelatedPerson",
            ):
                who = ""
            time = child(part, "time")
            when = ctx.clock.date_time(point(time))
            one: dict[str, Any] = {"mode": mode}
            put(one, time=when, party={"reference": who} if who else None)
            if len(one) > 1 and one not in found:
                found.append(one)
    return found


def _events(root: Node, ctx: Context) -> list[dict[str, Any]]:
    found = []
    for part in root.all("documentationOf"):
        event = child(part, "serviceEvent")
        if event is None:
            continue
        node = Node(event)
        one: dict[str, Any] = {}
        code = concept(node.one("code"), ctx)
        span = period(node.one("effectiveTime"), ctx.clock)
        ids = [{"identifier": number} for number in identifiers(node.all("id"))]
        put(one, code=[code] if code else None, period=span, detail=ids)
        if one and one not in found:
            found.append(one)
    return found


def custodian_of(root: Node, ctx: Context) -> str:
    """The organization that keeps the document."""
    keeper = child(root.one("custodian"), "assignedCustodian")
    if keeper is None:
        return ""
    return organization(child(keeper, "representedCustodianOrganization"), ctx)
