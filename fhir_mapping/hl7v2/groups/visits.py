"""The visit and who takes part in it: PV1, PV2, ARV, ROL, PRT."""

from __future__ import annotations

from typing import Any

from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Draft, Walk, handles, key_of, without_number

_DELETED = {"A23": "entered-in-error"}
# Where a role stands in each resource: element, and the key inside its items (None: the item is the reference).
_PART: dict[str, tuple[str, str | None]] = {
    "Patient": ("generalPractitioner", None),
    "Encounter": ("participant", "individual"),
    "Observation": ("performer", None),
    "DiagnosticReport": ("performer", None),
    "ServiceRequest": ("performer", None),
    "Procedure": ("performer", "actor"),
    "Immunization": ("performer", "actor"),
    "MedicationDispense": ("performer", "actor"),
    "Appointment": ("participant", "actor"),
    "DocumentReference": ("author", None),
    "ChargeItem": ("performer", "actor"),
}
_FIRST_ONLY: dict[str, str] = {"MedicationRequest": "requester", "AllergyIntolerance": "asserter"}


@handles("PV1")
def visit(walk: Walk, segment: Segment) -> None:
    """An Encounter; its status is what the trigger event says, else what the patient class says."""
    if _is_no_visit(segment):
        return
    patient = walk.patient
    owner = str(patient.root["id"]) if patient else ""
    identity = segment.raw(19) or segment.raw(50)
    found = walk.draft("Encounter", owner, identity or without_number(segment))
    code, event = walk.kind
    known = walk.context.code("Event[EncounterStatus]", event) if code in ("ADT", "SIU") else None
    if known and known.code:
        found.root["status"] = known.code
    elif segment.raw(45):
        found.root["status"] = "finished"
    more = next((s for s in walk.following(frozenset({"PID", "PV1"})) if s.name == "PV2"), None)
    walk.context.scope.pop("PV2", None)
    if more is not None:
        walk.context.scope["PV2"] = more
    walk.apply("PV1[Encounter]", segment, found)
    if walk.prior_visit is not None:
        _add_prior_numbers(walk, found)
    if walk.account is not None:
        walk.link(found, "account", walk.account)
    if segment.raw(20) and walk.tables_have("PV1[Coverage]"):
        _class_coverage(walk, segment, owner)
    walk.visit = walk.host = found
    # In a referral the notes at the end, behind the visit, are the referral's.
    walk.notes = walk.referral or found


def _add_prior_numbers(walk: Walk, found: Draft) -> None:
    """The numbers that the visit had before (MRG-5, MRG-6): old ones, where it has another now."""
    assert walk.prior_visit is not None
    before = Draft.of("Encounter")
    walk.apply("MRG[Encounter]", walk.prior_visit, before)
    numbers = found.root.setdefault("identifier", [])
    now = {number["value"] for number in numbers}
    numbers.extend({"use": "old", **number} for number in before.root["identifier"] if number["value"] not in now)
    walk.prior_visit = None


def _is_no_visit(segment: Segment) -> bool:
    """Whether the segment is there for the message's form only: its class is "not applicable", and it says no more."""
    return segment.raw(2) == "N" and not any(segment.raw(number) for number in range(3, len(segment.fields)))


def _class_coverage(walk: Walk, segment: Segment, owner: str) -> None:
    """A financial class alone tells a coverage's type only when no insurance segment follows."""
    if any(s.name == "IN1" for s in walk.segments) or walk.patient is None:
        return
    coverage = walk.draft("Coverage", owner, "class", segment.raw(20))
    coverage.root["payor"] = [walk.reference(walk.patient)]
    walk.apply("PV1[Coverage]", segment, coverage)


@handles("PV2")
def visit_more(walk: Walk, segment: Segment) -> None:
    """More of the visit; without a PV1 there is none to add to."""
    if walk.visit is None:
        walk.visit = walk.draft("Encounter", "PV2", without_number(segment))
    walk.apply("PV2[Encounter]", segment, walk.visit)


@handles("ARV")
def restriction(walk: Walk, segment: Segment) -> None:
    """Access restrictions are security labels of what they follow."""
    host = walk.visit or walk.patient
    if host is not None and segment.raw(3):
        labels = Draft.of("Encounter")
        walk.apply("ARV[Encounter]", segment, labels)
        if "meta" in labels.root:
            host.root.setdefault("meta", {}).setdefault("security", []).extend(labels.root["meta"]["security"])


@handles("ROL")
def role(walk: Walk, segment: Segment) -> None:
    """A PractitionerRole that takes part in the patient, visit or procedure before it."""
    take_part(walk, segment, "ROL[PractitionerRole]", walk.host)


@handles("PRT")
def participation(walk: Walk, segment: Segment) -> None:
    """A role as of ROL, or a device."""
    if any(segment.raw(number) for number in (5, 8, 9)):
        take_part(walk, segment, "PRT[PractitionerRole]", walk.host)
    if segment.raw(10) or segment.raw(16):
        device = walk.draft("Device", key_of(segment, 10, 16, 20), text=without_number(segment))
        walk.apply("PRT[Device]", segment, device)
        udi = segment.components(16)
        if udi and udi[0]:
            device.root["udiCarrier"] = [{"deviceIdentifier": walk.context.text(udi[0])}]
        if walk.host is not None and walk.host.root["resourceType"] == "Observation":
            walk.link(walk.host, "device", device)


def take_part(walk: Walk, segment: Segment, name: str, host: Draft | None) -> None:
    """Make the role and put it where its host has a place for it."""
    made = walk.draft("PractitionerRole", without_number(segment))
    walk.apply(name, segment, made)
    if host is None:
        return
    type_ = str(host.root["resourceType"])
    reference = walk.reference(made)
    if type_ in _FIRST_ONLY:
        host.root.setdefault(_FIRST_ONLY[type_], reference)
    elif type_ in _PART:
        element, inner = _PART[type_]
        item: Any = {inner: reference} if inner else reference
        if type_ == "Encounter" and "code" in made.root:
            item["type"] = made.root["code"]
        values = host.root.setdefault(element, [])
        if item not in values:
            values.append(item)
