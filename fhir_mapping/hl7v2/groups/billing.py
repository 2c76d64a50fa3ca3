"""Guarantors, insurance, charges: GT1, IN1, IN2, IN3, FT1, BLG."""

from __future__ import annotations

from fhir_mapping.hl7v2.compile import Draft, merge
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles, key_of, without_number

_SELF = frozenset({"SEL", "SLF", "SELF", "18", "01", "本人"})


def _is_self(segment: Segment, field: int) -> bool:
    """Whether somebody is the patient: by the code of the relation, or by its words where the code is a local one."""
    code, words, *_ = [part.strip().upper() for part in segment.components(field)] + ["", ""]
    return words in _SELF or (code in _SELF and not (code == "01" and words))


@handles("GT1")
def guarantee(walk: Walk, segment: Segment) -> None:
    """Who pays: a RelatedPerson, or an Organization; the account names it."""
    patient = walk.ensure_patient()
    party = None
    if _is_self(segment, 11):
        # The patient pays: what the segment says of the guarantor is said of the patient.
        party = patient
        scratch = Draft.of("RelatedPerson")
        walk.apply("GT1[RelatedPerson]", segment, scratch)
        merge(patient.root, {key: scratch.root.get(key) for key in ("identifier", "name", "telecom", "address")})
    elif segment.raw(3) or segment.raw(2):
        key = key_of(segment, 2, 3)
        party = walk.draft("RelatedPerson", str(patient.root["id"]), key, text=without_number(segment))
        walk.apply("GT1[RelatedPerson]", segment, party)
    if segment.raw(16) or segment.raw(51):
        employer = walk.draft("Organization", "employer", key_of(segment, 16, 51), text=without_number(segment))
        walk.apply("GT1[Organization]", segment, employer)
    if segment.raw(21):
        guarantor = walk.draft("Organization", "guarantor", segment.raw(21))
        walk.apply("GT1[Organization-Guarantor]", segment, guarantor)
        party = party or guarantor
    if walk.account is not None and party is not None:
        item = {"party": walk.reference(party)}
        if item not in walk.account.root.setdefault("guarantor", []):
            walk.account.root["guarantor"].append(item)


@handles("IN1")
def insurance(walk: Walk, segment: Segment) -> None:
    """A Coverage, and its subscriber when that is not the patient."""
    if not any(segment.raw(number) for number in range(2, len(segment.fields))):
        walk.coverage = walk.insured = None
        return
    patient = walk.ensure_patient()
    owner = str(patient.root["id"])
    walk.coverage = walk.draft("Coverage", owner, key_of(segment, 2, 3, 36, 49), text=without_number(segment))
    walk.apply("IN1[Coverage]", segment, walk.coverage)
    walk.insured = None
    is_self = _is_self(segment, 17)
    if is_self or not (segment.raw(16) or segment.raw(49)):
        if is_self:
            walk.coverage.root.setdefault("subscriber", walk.reference(patient))
    else:
        walk.insured = walk.draft("RelatedPerson", owner, key_of(segment, 16, 49, 18), text=without_number(segment))
        walk.apply("IN1[RelatedPerson]", segment, walk.insured)
        walk.coverage.root.setdefault("subscriber", walk.reference(walk.insured))
    if walk.account is not None:
        item = {"coverage": walk.reference(walk.coverage)}
        if item not in walk.account.root.setdefault("coverage", []):
            walk.account.root["coverage"].append(item)
    if segment.raw(30):
        verified = walk.draft("Provenance", "IN1", segment.text)
        walk.apply("IN1[Provenance]", segment, verified)
        verified.root["target"] = [walk.reference(walk.coverage)]
    walk.host = None


@handles("IN2", "IN3")
def insurance_more(walk: Walk, segment: Segment) -> None:
    """More of the coverage before it and of its insured."""
    if walk.coverage is None:
        return
    walk.apply(f"{segment.name}[Coverage]", segment, walk.coverage)
    if segment.name == "IN2":
        walk.apply("IN2[Patient]", segment, walk.ensure_patient())
        if walk.insured is not None:
            walk.apply("IN2[RelatedPerson]", segment, walk.insured)
        if any(segment.raw(number) for number in (3, 49, 69, 70)):
            employer = walk.draft("Organization", "insured's employer", key_of(segment, 3, 49, 69, 70))
            walk.apply("IN2[Organization]", segment, employer)


@handles("FT1")
def charge(walk: Walk, segment: Segment) -> None:
    """A ChargeItem; with a procedure code of its own also the Procedure."""
    patient = walk.ensure_patient()
    # Without a number of the transaction only the set id tells two equal charges from one that is said twice.
    text = without_number(segment) if segment.raw(2) else segment.text
    found = walk.draft("ChargeItem", str(patient.root["id"]), key_of(segment, 2, 4, 7), text=text)
    kind = segment.raw(6).split(segment.delimiters.component)[0].upper()
    found.root["status"] = {"CD": "aborted", "CG": "billable", "PY": "billed"}.get(kind, "unknown")
    walk.apply("FT1[ChargeItem]", segment, found)
    walk.link_one(found, "context", walk.visit)
    walk.link(found, "account", walk.account)
    walk.charge = walk.charged = None
    if segment.raw(25):
        done = walk.draft("Procedure", str(patient.root["id"]), key_of(segment, 25, 4))
        walk.apply("FT1[Procedure]", segment, done)
        walk.link_one(done, "encounter", walk.visit)
        found.root.setdefault("service", []).append(walk.reference(done))
        walk.charge, walk.charged = found, done
    walk.notes = walk.host = found


@handles("BLG")
def billing(walk: Walk, segment: Segment) -> None:
    """The account an order is charged to."""
    if not segment.raw(3):
        return
    account = walk.draft("Account", "billing", segment.raw(3))
    account.root["status"] = "active"
    if walk.patient is not None:
        account.root["subject"] = [walk.reference(walk.patient)]
    walk.apply("BLG[Account]", segment, account)
