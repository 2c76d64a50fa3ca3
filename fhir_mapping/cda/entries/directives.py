"""Advance directive observations to Consent, with the document that holds the directive."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, practitioner
from fhir_mapping.cda.coded import concept, identifier
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child, children, squeeze
from fhir_mapping.cda.entries.common import Section, base, is_negated, put, status
from fhir_mapping.cda.entries.observations import observation
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_STATUS = {"nullified": "entered-in-error", "aborted": "inactive", "cancelled": "inactive", "active": "active"}


def directive(node: Node, ctx: Context, section: Section) -> list[str]:
    """A Consent of scope advance directive; a negated or uncoded observation stays an Observation."""
    value = concept(node.one("value"), ctx)
    kind = concept(node.one("code"), ctx)
    if is_negated(node) or not ctx.patient or not (value or kind):
        return observation(node, ctx, section)
    found = base("Consent", node)
    found["status"] = _STATUS.get(status(node), "active")
    found["scope"] = {"coding": [{"system": _SCOPE, "code": "adr"}]}
    found["category"] = [
        {"coding": [{"system": "http://loinc.org", "code": "42348-3", "display": "Advance directives"}]}
    ]
    found["patient"] = {"reference": ctx.patient}
    time = node.one("effectiveTime")
    put(found, dateTime=ctx.clock.date_time(point(time)))
    by = of_types(authors(node, ctx), "Organization", "Patient", "Practitioner", "RelatedPerson", "PractitionerRole")
    put(found, performer=by)
    sources = external_documents(node, ctx)
    put(found, sourceReference={"reference": sources[0]} if sources else None)
    # ppc-1 wants a policy: the directive's own kind, in words, is what the source tells of it.
    found["policyRule"] = kind or value
    provision: dict[str, Any] = {}
    span = period(time, ctx.clock)
    put(provision, period=span, actor=_custodians(node, ctx), code=[value] if value else None)
    put(found, verification=_verifications(node, ctx), provision=provision)
    return [ctx.add(found), *sources]


def _verifications(node: Node, ctx: Context) -> list[dict[str, Any]]:
    found = []
    for part in node.all("participant"):
        if part.get("typeCode") != "VRF":
            continue
        who = practitioner(child(part, "participantRole"), ctx)
        time = child(part, "time")
        when = ctx.clock.date_time(point(time)) if time is not None else None
        one: dict[str, Any] = {"verified": True}
        # Consent.verification.verifiedWith is the patient or a relative; who verified is known as a Practitioner only.
        if who.startswith("RelatedPerson/"):
            one["verifiedWith"] = {"reference": who}
        put(one, verificationDate=when)
        if one not in found:
            found.append(one)
    return found


def _custodians(node: Node, ctx: Context) -> list[dict[str, Any]]:
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "CST"}]}
    found = []
    for part in node.all("participant"):
        if part.get("typeCode") == "CST":
            who = practitioner(child(part, "participantRole"), ctx)
            if who:
                found.append({"role": role, "reference": {"reference": who}})
    return found


def external_documents(node: Node, ctx: Context) -> list[str]:
    """DocumentReferences to the external documents that an act refers to."""
    found = []
    for link in node.all("reference"):
        for document in children(link, "externalDocument"):
            reference = _document(document, ctx)
            if reference:
                found.append(reference)
    return found


def _document(element: Element, ctx: Context) -> str:
    node = Node(element)
    text = node.one("text")
    pointer = child(text, "reference")
    url = squeeze(pointer.get("value")) if pointer is not None else ""
    ids = [one for part in node.all("id") if (one := identifier(part))]
    if not url and not ids:
        return ""
    found: Resource = {"resourceType": "DocumentReference"}
    put(found, masterIdentifier=ids[0] if ids else None)
    found["status"] = "current"
    put(found, type=concept(node.one("code"), ctx), subject={"reference": ctx.patient} if ctx.patient else None)
    attachment: dict[str, str] = {}
    media = squeeze(text.get("mediaType")) if text is not None else ""
    put(attachment, contentType=media, url=url if " " not in url else "", title="" if url else "External document")
    found["content"] = [{"attachment": attachment}]
    return ctx.add(found)
