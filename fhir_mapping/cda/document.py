"""The whole of a C-CDA document: header, sections, Composition, and the DocumentReference that catalogues it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from fhir_mapping.cda.agents import PERSONAL, of_types, practitioner, related_person
from fhir_mapping.cda.attachments import content_of
from fhir_mapping.cda.coded import concept, identifier, identifiers
from fhir_mapping.cda.composition import composition, custodian_of, related, section_of
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, all_text, child, children, local_name, squeeze
from fhir_mapping.cda.entries.common import Section, put
from fhir_mapping.cda.entries.encounters import encompassing
from fhir_mapping.cda.entries.procedures import request
from fhir_mapping.cda.patient import add_patient
from fhir_mapping.cda.places import location, organization
from fhir_mapping.cda.times import period, point
from fhir_mapping.cda.wst500.demographics import add_particulars
from fhir_mapping.cda.wst500.encounter import add_encounter, belongs
from fhir_mapping.cda.wst500.sections import Sections
from fhir_mapping.document import Resource

_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def convert_whole(root: Element, data: bytes, ctx: Context) -> None:
    """Header and body of a ClinicalDocument into ``ctx``."""
    node = Node(root)
    _language(node, ctx)
    chinese = Sections(node, ctx) if is_chinese(node) else None
    for target in node.all("recordTarget"):
        if not ctx.patient:
            add_patient(target, ctx, own=lambda one: chinese is None or belongs(one) == "patient")
            if chinese is not None and ctx.patient:
                add_particulars(target, ctx)
    if chinese is not None:
        if not ctx.patient:
            ctx.patient = ctx.add({"resourceType": "Patient"})
        ctx.encounter = add_encounter(node, ctx)
        ctx.entries = chinese.entries
    else:
        ctx.encounter = _encounter(node, ctx)
    written_by = _authors(node, ctx)
    if chinese is not None:
        chinese.written_by = of_types(written_by, "Practitioner")
    keeper = custodian_of(node, ctx)
    header_people(node, ctx)
    sections = [one for element in section_elements(node) if (one := section_of(element, ctx))]
    if chinese is not None:
        chinese.finish()
    main = ctx.add(composition(node, sections, ctx, written_by, keeper))
    _catalogue(node, data, ctx, written_by, keeper, chinese.orders() if chinese is not None else [])
    _provenance(node, main, ctx, written_by)


def is_chinese(root: Node) -> bool:
    """Whether the document is one of China's: by realm, template or the code system of its type."""
    realm, code = root.one("realmCode"), root.one("code")
    if realm is not None and squeeze(realm.get("code")).upper() == "CN":
        return True
    if any(one.startswith("2.16.156.10011.") for one in root.templates()):
        return True
    return code is not None and (code.get("codeSystem") or "").startswith("2.16.156.")


def section_elements(root: Node) -> list[Element]:
    """The top sections of the body; also where ``structuredBody`` was left out."""
    found = []
    for part in root.all("component"):
        for body in part:
            name = local_name(body)
            if name == "structuredBody":
                for inner in body:
                    inside = [inner] if local_name(inner) == "section" else list(children(inner, "section"))
                    found += inside
            elif name == "section":
                found.append(body)
    found += root.all("section")
    for body in root.all("structuredBody"):
        found += [one for inner in children(body, "component") for one in children(inner, "section")]
    return found


def _language(node: Node, ctx: Context) -> None:
    element = node.one("languageCode")
    tag = squeeze(element.get("code")) if element is not None else ""
    if tag and all(part.isalnum() and len(part) <= 8 for part in tag.split("-")) and tag.split("-")[0].isalpha():
        ctx.language = tag


def _encounter(node: Node, ctx: Context) -> str:
    for part in node.all("componentOf"):
        element = child(part, "encompassingEncounter")
        if element is not None:
            return encompassing(element, ctx)
    return ""


def _authors(node: Node, ctx: Context) -> list[str]:
    found: list[str] = []
    for part in node.all("author"):
        reference = practitioner(child(part, "assignedAuthor"), ctx)
        if reference and reference not in found:
            found.append(reference)
    return found


def header_people(node: Node, ctx: Context) -> None:
    """Everybody else whom the header names."""
    for part in node.all("informant"):
        close = child(part, "relatedEntity")
        if close is not None:
            related_person(close, child(close, "relatedPerson"), ctx, class_code=close.get("classCode") or "")
    for part in node.all("informationRecipient"):
        entity = child(part, "intendedRecipient")
        practitioner(entity, ctx)
        organization(child(entity, "receivedOrganization"), ctx)
    for part in node.all("participant"):
        _participant(part, ctx)
    for part in node.all("documentationOf"):
        event = child(part, "serviceEvent")
        if event is not None:
            _performers(Node(event), ctx)
    for part in node.all("inFulfillmentOf"):
        order = child(part, "order")
        if order is not None and (child(order, "code") is not None):
            request(Node(order), ctx, Section())


def _performers(event: Node, ctx: Context) -> None:
    """Who did what is documented; of the provision of care (PCPR) they are the patient's care team."""
    members: list[dict[str, Any]] = []
    for part in event.all("performer"):
        who = practitioner(child(part, "assignedEntity"), ctx)
        if who.partition("/")[0] not in ("Practitioner", "Organization", "Patient", "RelatedPerson"):
            continue
        function = concept(child(part, "functionCode"), ctx) or concept(child(part, "sdtc:functionCode"), ctx)
        one: dict[str, Any] = {"role": [function]} if function else {}
        one["member"] = {"reference": who}
        put(one, period=period(child(part, "time"), ctx.clock))
        if one not in members:
            members.append(one)
    if members and ctx.patient and event.get("classCode") == "PCPR":
        team: Resource = {"resourceType": "CareTeam", "subject": {"reference": ctx.patient}}
        put(team, period=period(event.one("effectiveTime"), ctx.clock), participant=members)
        ctx.add(team)


def _participant(part: Element, ctx: Context) -> None:
    entity = child(part, "associatedEntity")
    entity = child(part, "assignedEntity") if entity is None else entity  # dialect
    if entity is None:
        return
    person = child(entity, "associatedPerson")
    person = child(entity, "assignedPerson") if person is None else person
    kind = entity.get("classCode") or ""
    if kind == "SDLOC":
        location(entity, ctx)
    elif person is not None and kind in PERSONAL:
        related_person(entity, person, ctx, class_code=kind, function=child(part, "functionCode"))
        organization(child(entity, "scopingOrganization"), ctx)
    elif person is not None:
        practitioner(entity, ctx)
    else:
        organization(child(entity, "scopingOrganization"), ctx)


def _catalogue(
    node: Node, data: bytes, ctx: Context, written_by: list[str], keeper: str, ordered: list[dict[str, Any]]
) -> None:
    """The DocumentReference: what the document is, not its bytes; an unstructured body is its content."""
    found: Resource = {"resourceType": "DocumentReference"}
    number = node.one("id")
    put(found, masterIdentifier=identifier(number) if number is not None else None)
    found["status"] = "current"
    found["docStatus"] = "final"
    put(found, type=concept(node.one("code"), ctx), subject={"reference": ctx.patient} if ctx.patient else None)
    time = node.one("effectiveTime")
    when = ctx.clock.instant(point(time))
    put(found, date=when)
    by = of_types(written_by, "Practitioner", "PractitionerRole", "Organization", "Device", "Patient", "RelatedPerson")
    put(found, author=by, custodian={"reference": keeper} if keeper else None)
    put(found, relatesTo=related(node, "target"), description=all_text(node.one("title")))
    secrecy = concept(node.one("confidentialityCode"), ctx)
    put(found, securityLabel=[secrecy] if secrecy else None)
    body = next((one for part in node.all("component") for one in children(part, "nonXMLBody")), None)
    content = content_of(child(body, "text"), ctx) if body is not None else {}
    if not content:
        content = {
            "contentType": "text/xml",
            "size": len(data),
            "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
        }
    put(content, language=ctx.language, title=all_text(node.one("title")))
    found["content"] = [{"attachment": content}]
    context: dict[str, Any] = {}
    orders = [element for part in node.all("inFulfillmentOf") for one in children(part, "order") for element in one]
    numbers = identifiers([element for element in orders if local_name(element) == "id"])
    put(context, encounter=[{"reference": ctx.encounter}] if ctx.encounter else None, period=_covered(node, ctx))
    put(context, related=[{"identifier": number} for number in [*numbers, *ordered]])
    put(found, context=context)
    ctx.add(found)


def unstructured(body: Element, ctx: Context) -> None:
    """The DocumentReference of a nonXMLBody whose header is not there."""
    content = content_of(child(body, "text"), ctx)
    if content:
        found: Resource = {"resourceType": "DocumentReference", "status": "current"}
        put(found, subject={"reference": ctx.patient}, content=[{"attachment": content}])
        ctx.add(found)


def _covered(node: Node, ctx: Context) -> dict[str, str]:
    for part in node.all("documentationOf"):
        span = period(child(part, "serviceEvent", "effectiveTime"), ctx.clock)
        if span:
            return span
    return {}


def _provenance(node: Node, main: str, ctx: Context, written_by: list[str]) -> None:
    """Who authored, entered, informed and keeps the document, with its own time."""
    agents: list[dict[str, Any]] = []

    def take(code: str, who: str) -> None:
        kinds = ("Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Device", "Organization")
        one = {"type": {"coding": [{"system": _AGENT, "code": code}]}, "who": {"reference": who}}
        if who.partition("/")[0] in kinds and one not in agents:
            agents.append(one)

    for who in written_by:
        take("author", who)
    for part in node.all("dataEnterer"):
        take("enterer", practitioner(child(part, "assignedEntity"), ctx))
    for part in node.all("informant"):
        close = child(part, "relatedEntity")
        if close is None:
            take("informant", practitioner(child(part, "assignedEntity"), ctx))
        else:
            take(
                "informant",
                related_person(close, child(close, "relatedPerson"), ctx, class_code=close.get("classCode") or ""),
            )
    recorded = ctx.clock.instant(point(node.one("effectiveTime")))
    if agents and recorded:
        found: Resource = {"resourceType": "Provenance", "target": [{"reference": main}]}
        put(found, occurredDateTime=_written(node, ctx), recorded=recorded, agent=agents)
        ctx.add(found)


def _written(node: Node, ctx: Context) -> str | None:
    """When the first author wrote, where that is told."""
    for part in node.all("author"):
        if when := ctx.clock.date_time(point(child(part, "time"))):
            return when
    return None
