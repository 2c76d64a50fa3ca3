"""Note activities and media in a section to DocumentReference and Media; instructions to CommunicationRequest."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child, squeeze
from fhir_mapping.cda.entries.common import Section, base, is_negated, mood, put, status, walk_rest
from fhir_mapping.cda.entries.directives import external_documents
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_STATUS = {"nullified": "entered-in-error", "obsolete": "superseded"}
_REQUEST = {
    "active": "active",
    "completed": "completed",
    "aborted": "revoked",
    "cancelled": "revoked",
    "suspended": "on-hold",
    "held": "on-hold",
    "new": "draft",
    "nullified": "entered-in-error",
}


def note(node: Node, ctx: Context, section: Section) -> list[str]:
    """A DocumentReference over the words of the note; without words or document there is none."""
    attachment = content_of(node.one("text"), ctx)
    others = external_documents(node, ctx)
    if not attachment:
        return [*others, *walk_rest(node, ctx, section)]
    found = base("DocumentReference", node)
    found["status"] = _STATUS.get(status(node), "current")
    put(found, type=concept(node.one("code"), ctx), subject={"reference": ctx.patient} if ctx.patient else None)
    author = node.one("author")
    time = child(author, "time") if author is not None else None
    when = ctx.clock.instant(time.get("value")) if time is not None else None
    put(found, date=when)
    by = of_types(
        authors(node, ctx), "Practitioner", "PractitionerRole", "Organization", "Device", "Patient", "RelatedPerson"
    )
    put(found, author=by)
    found["content"] = [{"attachment": attachment}]
    told = node.one("effectiveTime")
    span = period(told, ctx.clock)
    put(found, context={"period": span} if span else None)
    return [ctx.add(found), *others, *walk_rest(node, ctx, section)]


def content_of(text: Element | None, ctx: Context) -> dict[str, Any]:
    """An Attachment of an ED: embedded bytes, a link, or its words as plain text."""
    if text is None:
        return {}
    media = squeeze(text.get("mediaType"))
    if text.get("representation") == "B64":
        data = "".join("".join(str(part) for part in text.itertext()).split())
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            ctx.problem("bad_base64", text)
            return {}
        if not raw:
            return {}
        return {"contentType": media or "application/octet-stream", "data": data, "size": len(raw)}
    words = ctx.words(text)
    if words:
        return {"contentType": "text/plain", "data": base64.b64encode(words.encode("utf-8", "replace")).decode()}
    pointer = child(text, "reference")
    url = squeeze(pointer.get("value")) if pointer is not None else ""
    if url and " " not in url and not url.startswith("#"):
        return {**({"contentType": media} if media else {}), "url": url}
    return {}


def media(node: Node, ctx: Context, section: Section) -> list[str]:
    """An image or sound in a section as Media."""
    value = node.one("value")
    attachment = content_of(value, ctx) if value is not None else {}
    if not attachment:
        return []
    found = base("Media", node)
    found["status"] = "entered-in-error" if status(node) == "nullified" else "completed"
    put(found, subject={"reference": ctx.patient} if ctx.patient else None)
    found["content"] = attachment
    return [ctx.add(found)]


def instruction(node: Node, ctx: Context, section: Section) -> list[str]:
    """What the patient is or was told: a CommunicationRequest (intent) or Communication (event)."""
    kind = concept(node.one("code"), ctx)
    words = ctx.words(node.one("text"))
    if not ctx.patient or not (kind or words) or is_negated(node):
        return walk_rest(node, ctx, section)
    event = mood(node) == "EVN"
    found: Resource = base("Communication" if event else "CommunicationRequest", node)
    if event:
        found["status"] = "entered-in-error" if status(node) == "nullified" else "completed"
    else:
        found["status"] = _REQUEST.get(status(node), "active")
    put(found, reasonCode=[kind] if kind else None)
    found["subject"] = {"reference": ctx.patient}
    put(found, payload=[{"contentString": words}] if words else None)
    when = ctx.clock.date_time(point(node.one("effectiveTime")))
    if event:
        put(found, sent=when)
    else:
        put(found, occurrenceDateTime=when)
    return [ctx.add(found), *walk_rest(node, ctx, section)]
