"""Appointments: SCH, RGS, AIS, AIG, AIL, AIP."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from fhir_mapping.hl7v2.compile import Draft, merge
from fhir_mapping.hl7v2.datatypes import moments, numbers
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles, key_of

# What an SIU trigger event says of the appointment when SCH-25 is silent (HL7 v2.8.2 chapter 10.4).
_STATUS = {"S12": "booked", "S13": "booked", "S14": "booked", "S15": "cancelled", "S16": "cancelled",
           "S17": "entered-in-error", "S18": "booked", "S19": "booked", "S20": "booked", "S21": "booked",
           "S22": "booked", "S26": "noshow"}  # fmt: skip
_REQUEST = {
    "cancelled": "revoked",
    "noshow": "revoked",
    "entered-in-error": "entered-in-error",
    "fulfilled": "completed",
}
_MINUTES = {"S": 1 / 60, "SEC": 1 / 60, "MIN": 1, "M": 1, "MINUTES": 1, "H": 60, "HR": 60, "D": 1440}


@handles("SCH")
def schedule(walk: Walk, segment: Segment) -> None:
    """The appointment; the trigger event of a cancellation prevails over a status that was sent along."""
    found = walk.draft("Appointment", key_of(segment, 1, 2) if segment.raw(1) or segment.raw(2) else segment.text)
    status = _STATUS.get(walk.kind[1])
    if status in ("cancelled", "entered-in-error", "noshow"):
        found.root["status"] = status
    walk.apply("SCH[Appointment]", segment, found)
    if status:
        found.root.setdefault("status", status)
    walk.appointment = walk.notes = walk.host = found


@handles("RGS")
def group(walk: Walk, segment: Segment) -> None:
    """A group of resources: it has nothing of its own in FHIR."""


@handles("AIS")
def service(walk: Walk, segment: Segment) -> None:
    """The service: what is done, and when."""
    if walk.appointment is None:
        return
    walk.apply("AIS[Appointment]", segment, walk.appointment)
    _time(walk, segment, 4, 5, 7)
    if segment.raw(3):
        request = walk.draft("ServiceRequest", str(walk.appointment.root["id"]), key_of(segment, 3, 4))
        request.root.update(status=_REQUEST.get(str(walk.appointment.root.get("status")), "active"), intent="order")
        walk.apply("AIS[ServiceRequest]", segment, request)
        walk.link(walk.appointment, "basedOn", request)
    walk.notes = walk.appointment


@handles("AIG", "AIL", "AIP")
def participant(walk: Walk, segment: Segment) -> None:
    """Equipment, a place or a person that takes part."""
    if walk.appointment is None:
        return
    scratch = Draft.of("Appointment")
    walk.apply(f"{segment.name}[Appointment]", segment, scratch)
    status = segment.raw({"AIG": 14, "AIL": 12, "AIP": 12}[segment.name]).split(segment.delimiters.component)[0]
    for item in scratch.root.get("participant", []):
        if "actor" in item:
            item["status"] = {
                "BOOKED": "accepted",
                "CONFIRMED": "accepted",
                "CANCELLED": "declined",
                "DC": "declined",
            }.get(status.upper(), "needs-action")
    merge(walk.appointment.root, {"participant": scratch.root.get("participant", [])})
    first = {"AIG": (8, 9, 11), "AIL": (6, 7, 9), "AIP": (6, 7, 9)}[segment.name]
    _time(walk, segment, *first)
    walk.notes = walk.appointment


def _time(walk: Walk, segment: Segment, start: int, offset: int, duration: int) -> None:
    """The first resource with a time tells the appointment's, when SCH-11 or TQ1 do not."""
    appointment = walk.appointment
    assert appointment is not None
    context = walk.context
    context.where = f"{segment.name}-{start}"
    if segment.raw(start) and (found := moments.instant(context, segment.raw(start))):
        appointment.root.setdefault("start", found)
    length = numbers.integer(context.text(segment.raw(duration)))
    unit = (context.text(segment.raw(duration + 1).split(segment.delimiters.component)[0]) or "MIN").upper()
    if length and unit in _MINUTES:
        minutes = int(length * _MINUTES[unit])
        if minutes > 0:
            appointment.root.setdefault("minutesDuration", minutes)


def complete(appointment: Draft) -> None:
    """Start and end go together: the end follows from the duration; a start alone is the period asked for."""
    root = appointment.root
    start, minutes = root.get("start"), root.get("minutesDuration")
    if start and "end" not in root and minutes:
        root["end"] = _later(start, minutes)
    if ("start" in root) != ("end" in root):
        period = {key: root.pop(key) for key in ("start", "end") if key in root}
        root.setdefault("requestedPeriod", []).append(period)
    if "start" in root and root["end"] < root["start"] and root["end"][-6:] == root["start"][-6:]:
        del root["end"]
        complete(appointment)
    if "start" not in root and root.get("status") not in ("proposed", "cancelled", "waitlist"):
        # FHIR asks for start and end of every other status.
        if root.get("status") in ("booked", "pending", None):
            root["status"] = "proposed"
        else:
            root["status"] = "cancelled" if root["status"] in ("entered-in-error", "noshow") else "proposed"
    if root.get("status") != "cancelled":
        root.pop("cancelationReason", None)


def _later(start: str, minutes: int) -> str:
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", start)
    assert match is not None
    end = datetime.fromisoformat(match[1]) + timedelta(minutes=minutes)
    return f"{end:%Y-%m-%dT%H:%M:%S}{match[2] or ''}{match[3]}"
