"""Documents, consents, referrals, providers, authorisations: TXA, CON, RF1, PRD, AUT."""

from __future__ import annotations

import base64
from typing import Any

from fhir_mapping.hl7v2.conform import ABSENT
from fhir_mapping.hl7v2.datatypes import documents, moments, people
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles, key_of, without_number

DELETED = frozenset({"T11"})
_REPLACED = frozenset({"T09", "T10"})


@handles("TXA")
def document(walk: Walk, segment: Segment) -> None:
    """A DocumentReference; what follows it is its body."""
    # In MDM the orders come first and are over; elsewhere a document belongs to the order at hand.
    if walk.kind[0] == "MDM":
        walk.close_order()
    found = walk.draft("DocumentReference", segment.raw(12) or without_number(segment))
    if walk.kind[1] in DELETED:
        found.root["status"] = "entered-in-error"
    walk.apply("TXA[DocumentReference]", segment, found)
    if walk.kind[1] in _REPLACED:
        for related in found.root.get("relatesTo", []):
            related["code"] = "replaces"
    if walk.visit is not None:
        found.root["context"] = {"encounter": [walk.reference(walk.visit)]}
    requests = [d for d in walk.drafts.values() if d.root["resourceType"] == "ServiceRequest"]
    if requests and walk.kind[0] == "MDM":
        found.root.setdefault("context", {})["related"] = [walk.reference(request) for request in requests]
    walk.document = walk.notes = walk.host = found
    walk.txa = segment
    walk.in_document = True


def complete(walk: Walk) -> None:
    """The document's content: its attachments, and its text lines as one text."""
    if walk.document is None:
        return
    title = next(
        (c["attachment"].get("title") for c in walk.document.root.pop("content", []) if "attachment" in c), None
    )
    contents: list[dict[str, Any]] = []
    lines: list[str] = []
    for segment in walk.body:
        for raw in segment.repetitions(5):
            walk.context.where = "OBX-5"
            kind = segment.raw(2).strip().upper()
            if kind in ("ED", "RP"):
                found = (
                    documents.encapsulated(walk.context, raw) if kind == "ED" else documents.pointer(walk.context, raw)
                )
                if found:
                    contents.append({"attachment": found})
            elif text := walk.context.text(raw):
                lines.append(text)
    if lines and not contents:
        data = base64.b64encode("\n".join(lines).encode()).decode()
        contents.append({"attachment": {"contentType": "text/plain", "data": data}})
    if not contents:
        stated = walk.txa and documents.content_type(None, walk.context.text(walk.txa.raw(3)))
        contents.append(
            {"attachment": {"contentType": stated} if stated else {"title": title} if title else {**ABSENT}}
        )
    if title:
        contents[0]["attachment"].setdefault("title", title)
    walk.document.root["content"] = contents


@handles("CON")
def consent(walk: Walk, segment: Segment) -> None:
    """A Consent; one that names no policy says so by the fact of the segment."""
    patient = walk.ensure_patient()
    found = walk.draft("Consent", str(patient.root["id"]), without_number(segment))
    walk.apply("CON[Consent]", segment, found)
    if segment.raw(24) and segment.raw(25).split(segment.delimiters.component)[0] == "1":
        # Table 0548: the consenter is the patient.
        who = {**(walk.reference(patient) or {}), "type": "Patient"}
        name = people.name_text(walk.context, segment.raw(24))
        found.root["performer"] = [{**who, "display": name} if name else who]
    found.root["policyRule"] = {"text": walk.context.text(segment.raw(5)) or "not stated"}


@handles("RF1")
def referral(walk: Walk, segment: Segment) -> None:
    """A referral is a ServiceRequest."""
    found = walk.draft("ServiceRequest", "referral", key_of(segment, 6, 11), text=without_number(segment))
    walk.apply("RF1[ServiceRequest]", segment, found)
    walk.link_one(found, "encounter", walk.visit)
    walk.referral = walk.notes = walk.host = found


@handles("PRD")
def provider(walk: Walk, segment: Segment) -> None:
    """A provider: the one who refers asks, the one referred to performs."""
    made = walk.draft("PractitionerRole", without_number(segment))
    walk.apply("PRD[PractitionerRole]", segment, made)
    role = segment.raw(1).split(segment.delimiters.component)[0].upper()
    if walk.referral is None:
        return
    if role == "RP":
        walk.referral.root.setdefault("requester", walk.reference(made))
    elif role == "RT":
        performers = walk.referral.root.setdefault("performer", [])
        if walk.reference(made) not in performers:
            performers.append(walk.reference(made))


@handles("AUT")
def authorization(walk: Walk, segment: Segment) -> None:
    """A payor's authorisation: the answer to a preauthorisation."""
    found = walk.draft("ClaimResponse", without_number(segment))
    created = moments.moment(walk.context, walk.context.message.header.raw(7))
    found.root.update(status="active", use="preauthorization", outcome="complete",
                      type={"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type",
                                        "code": "professional"}]})  # fmt: skip
    if created:
        found.root["created"] = created
    walk.apply("AUT[ClaimResponse]", segment, found)
