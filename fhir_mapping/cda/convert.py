"""One document, or a fragment of one, to FHIR R4 resources."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from fhir_mapping.cda.agents import practitioner, related_person
from fhir_mapping.cda.composition import part_of_document, section_of
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.document import convert_whole, header_people, is_chinese, unstructured
from fhir_mapping.cda.element import ACTS, Element, Node, child, children, local_name
from fhir_mapping.cda.entries.common import Section
from fhir_mapping.cda.entries.drugs import medication_choice
from fhir_mapping.cda.entries.encounters import encompassing
from fhir_mapping.cda.entries.links import resolve
from fhir_mapping.cda.entries.walk import entries, handle, walk
from fhir_mapping.cda.patient import add_patient
from fhir_mapping.cda.places import location, organization
from fhir_mapping.cda.safe_xml import parse_document
from fhir_mapping.cda.times import Clock, offset_of, point
from fhir_mapping.cda.wrapped import document_in, plain_bytes
from fhir_mapping.document import Converted, RecordError, Resource

_HEADER = frozenset(
    {
        "recordTarget",
        "author",
        "dataEnterer",
        "informant",
        "custodian",
        "informationRecipient",
        "legalAuthenticator",
        "authenticator",
        "participant",
        "inFulfillmentOf",
        "documentationOf",
        "componentOf",
        "relatedDocument",
    }
)
_WRAPPERS = ("fragment", "component", "structuredBody", "entry", "entryRelationship", "ClinicalDocument")
_KNOWN_ROOTS = _HEADER | ACTS | {"section", "nonXMLBody", *_WRAPPERS}
_FRAGMENT_PATIENT: Resource = {"resourceType": "Patient"}


def convert_document(data: bytes, *, zone: str | None = None) -> Converted:
    """A CDA document (C-CDA, WS/T 500) or a part of one to FHIR R4 resources.

    Args:
        data: the file's bytes, in the encoding they declare.
        zone: where times without an offset were told; without it the document's own offset serves, for Chinese
            documents China's time.

    Raises:
        RecordError: ``unsafe_xml``, ``bad_encoding``, ``bad_xml``, ``not_a_clinical_document``, ``several_documents``.
    """
    data = plain_bytes(data)
    root = parse_document(data)
    if local_name(root) not in _KNOWN_ROOTS:
        root, data = document_in(root, data)
    try:
        return _convert(root, data, zone)
    except RecursionError:
        raise RecordError("unsafe_xml", "/") from None


def _convert(root: Element, data: bytes, zone: str | None) -> Converted:
    clock = Clock(zone)
    ctx = Context(root, _document_key(root, data), clock)
    ctx.walk = lambda node, section: handle(node, ctx, section)
    ctx.entries = lambda section, here: entries(section, ctx, here)
    if local_name(root) == "ClinicalDocument":
        clock.offset = offset_of(point(child(root, "effectiveTime")))
        if clock.zone is None and is_chinese(Node(root)):
            clock.zone = ZoneInfo("Asia/Shanghai")
        convert_whole(root, data, ctx)
    else:
        _fragment(root, ctx)
    resolve(ctx)
    if not ctx.resources:
        raise RecordError("not_a_clinical_document", "/" + local_name(root))
    return Converted(ctx.resources, tuple(ctx.problems))


def _document_key(root: Element, data: bytes) -> str:
    number = child(root, "id")
    if local_name(root) == "ClinicalDocument" and number is not None and number.get("root"):
        return f"{number.get('root')}|{number.get('extension') or ''}"
    return blake2b(data, digest_size=16).hexdigest()


def _fragment(root: Element, ctx: Context) -> None:
    """A section, an entry or a part of a header by itself; its clinical facts belong to a patient without a name."""
    targets = [root] if local_name(root) == "recordTarget" else list(children(root, "recordTarget"))
    for target in targets[:1]:
        add_patient(target, ctx)
    placeholder = ""
    if not ctx.patient:
        placeholder = ctx.patient = ctx.add(dict(_FRAGMENT_PATIENT))
    if not _understood(root, ctx) and placeholder:
        ctx.drop(placeholder)


def _understood(root: Element, ctx: Context) -> bool:
    """Handle what is known; whether anything but the patient without a name came of it."""
    before = len(ctx.resources)
    sections: list[dict[str, Any]] = []
    for element in _pieces(root):
        name = local_name(element)
        if name in _HEADER:
            _header_part(element, ctx)
        elif name == "section":
            told = section_of(element, ctx)
            if told:
                sections.append(told)
        elif name == "nonXMLBody":
            unstructured(element, ctx)
        elif name in ACTS:
            walk(element, ctx, Section())
        else:
            _part(element, ctx)
    if sections:
        ctx.add(part_of_document(sections, ctx))
    return len(ctx.resources) > before or "name" in ctx.resource(ctx.patient)


def _pieces(root: Element) -> list[Element]:
    """What a fragment holds: itself, or what stands in a wrapper such as entry, component or structuredBody."""
    if local_name(root) in _WRAPPERS:
        return [piece for kid in root for piece in _pieces(kid)]
    return [root]


def _header_part(element: Element, ctx: Context) -> None:
    name = local_name(element)
    if name == "author":
        practitioner(child(element, "assignedAuthor"), ctx)
    elif name in ("legalAuthenticator", "authenticator", "dataEnterer"):
        practitioner(child(element, "assignedEntity"), ctx)
    elif name == "custodian":
        organization(child(element, "assignedCustodian", "representedCustodianOrganization"), ctx)
    elif name == "componentOf":
        whole = child(element, "encompassingEncounter")
        if whole is not None:
            encompassing(whole, ctx)
    elif name != "recordTarget":
        holder = Node(element)
        holder.kids = {name: [element]}
        header_people(holder, ctx)
        if name == "informant":
            practitioner(child(element, "assignedEntity"), ctx)
        elif name == "participant" and child(element, "participantRole") is not None:
            _part(child(element, "participantRole"), ctx)


def _part(element: Element | None, ctx: Context) -> None:
    if element is None:
        return
    name = local_name(element)
    if name == "assignedAuthor":
        practitioner(element, ctx)
    elif name == "performer":
        practitioner(child(element, "assignedEntity"), ctx)
    elif name == "participantRole" and element.get("classCode") == "SDLOC":
        location(element, ctx)
    elif name == "participantRole" and element.get("classCode") in ("PRS", "NOK", "CAREGIVER"):
        related_person(element, child(element, "playingEntity"), ctx)
    elif name == "participantRole":
        from fhir_mapping.cda.entries.devices import product_instance

        product_instance(Node(element), ctx)
    elif name == "manufacturedProduct":
        holder = Node(element)
        holder.kids = {"product": [element]}
        medication_choice(holder, ctx)
    elif name == "serviceEvent":
        for performer in children(element, "performer"):
            practitioner(child(performer, "assignedEntity"), ctx)
