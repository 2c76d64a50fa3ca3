"""Note activities and media in a section to DocumentReference and Media; instructions to CommunicationRequest."""

from __future__ import annotations

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.attachments import content_of
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, child
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
    below = walk_rest(node, ctx, section)
    visit = next((one for one in below if one.startswith("Encounter/")), ctx.encounter)
    context: Resource = {}
    put(context, encounter=[{"reference": visit}] if visit else None)
    put(context, period=period(node.one("effectiveTime"), ctx.clock))
    put(found, context=context)
    return [ctx.add(found), *others, *below]


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
