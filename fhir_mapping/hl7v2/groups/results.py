"""Observations: OBX, wherever it stands."""

from __future__ import annotations

from fhir_mapping.hl7v2.groups.documents import DELETED
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles, without_number

_QUESTIONS = frozenset({"QST", "SCI", "AOE"})


@handles("OBX")
def observation(walk: Walk, segment: Segment) -> None:
    """An Observation of the order, document, visit or patient at hand."""
    if (walk.in_document and _is_document(walk, segment)) or not (segment.raw(3) or segment.raw(5)):
        return
    if _is_blank_line(walk, segment):
        return
    current = walk.order
    owner = _owner(walk)
    code, sub_id = segment.raw(3), segment.raw(4)
    if segment.raw(2).strip().upper() in ("ED", "RP"):
        _attachment(walk, segment, owner)
        return
    found = walk.draft("Observation", owner, code, sub_id, text=without_number(segment))
    if walk.in_document and walk.kind[1] in DELETED:
        found.root["status"] = "entered-in-error"
    walk.apply("OBX[Observation]", segment, found)
    walk.link_one(found, "encounter", walk.visit)
    if current is not None:
        _belong(walk, segment)
        current.observations.append(found)
    if walk.after_specimen and walk.specimen is not None:
        walk.link_one(found, "specimen", walk.specimen)
    elif current is not None and current.specimen is not None and current.specimens <= 1:
        walk.link_one(found, "specimen", current.specimen)
    _inherit_time(walk, segment)
    walk.observation = walk.notes = walk.host = found


def _is_blank_line(walk: Walk, segment: Segment) -> bool:
    """Whether a text without words goes on with the text before it: a blank line of a report is no finding."""
    before = walk.segments[walk.index - 1]
    return (
        segment.raw(2) in ("TX", "FT")
        and not segment.raw(5)
        and before.name == "OBX"
        and all(before.raw(number) == segment.raw(number) for number in (2, 3, 4))
    )


def _attachment(walk: Walk, segment: Segment, owner: str) -> None:
    """R4 has no observation whose value is a file: an image or document is a report of its own, with that form."""
    found = walk.draft("DiagnosticReport", owner, segment.raw(3), segment.raw(4), text=without_number(segment))
    walk.apply("OBX[DiagnosticReport]", segment, found)
    walk.link_one(found, "encounter", walk.visit)
    if walk.order is not None and walk.order.request is not None:
        if walk.order.request.root["resourceType"] == "ServiceRequest":
            walk.link(found, "basedOn", walk.order.request)
        walk.link(found, "specimen", walk.specimen if walk.after_specimen else walk.order.specimen)
    walk.observation = None
    walk.notes = walk.host = found


def _owner(walk: Walk) -> str:
    """What tells equal codes of one message apart: the report, request, or patient."""
    if walk.order is not None:
        draft = walk.order.report or walk.order.request
        if draft is not None:
            return str(draft.root["id"])
    host = walk.document or walk.patient
    return str(host.root["id"]) if host else walk.context.message.header.text


def _belong(walk: Walk, segment: Segment) -> None:
    """Link the result with its order."""
    current = walk.order
    assert current is not None
    found = walk.last_draft
    report = current.report
    if walk.after_specimen and report is not None and "result" not in report.root:
        # No result stands before the specimen: what stands behind it are the results.
        current.results_behind = True
    is_result = segment.raw(29).upper() not in _QUESTIONS and (not walk.after_specimen or current.results_behind)
    if report is not None and is_result:
        walk.link(report, "result", found)
    elif current.request is not None:
        type_ = current.request.root["resourceType"]
        if type_ == "ServiceRequest":
            walk.link(current.request, "supportingInfo", found)
        elif type_ in ("Immunization", "MedicationAdministration"):
            part = found.root.setdefault("partOf", [])
            if walk.reference(current.request) not in part:
                part.append(walk.reference(current.request))
        elif type_ == "MedicationRequest":
            information = current.request.root.setdefault("supportingInformation", [])
            if walk.reference(found) not in information:
                information.append(walk.reference(found))


def _inherit_time(walk: Walk, segment: Segment) -> None:
    """A result without its own time has that of the report (OBR-7), when there is one."""
    found, current = walk.last_draft, walk.order
    if segment.raw(14) or current is None or current.report is None:
        return
    for element in ("effectiveDateTime", "effectivePeriod"):
        if element in current.report.root and "effectiveDateTime" not in found.root:
            found.root.setdefault(element, current.report.root[element])


def _is_document(walk: Walk, segment: Segment) -> bool:
    """The body of a document (MDM): ED and RP are its attachment, text its text."""
    kind = segment.raw(2).strip().upper()
    if walk.document is None or kind not in ("ED", "RP", "TX", "FT", "ST"):
        return False
    walk.body.append(segment)
    return kind in ("ED", "RP")
