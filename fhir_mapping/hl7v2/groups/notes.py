"""Comments: NTE."""

from __future__ import annotations

from typing import Any

from fhir_mapping.hl7v2.compile import Draft
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles


@handles("NTE")
def note(walk: Walk, segment: Segment) -> None:
    """A comment on what stands before it."""
    host = walk.notes
    if host is None:
        return
    # Trailing separators are no part of a text.
    separator = segment.delimiters.component
    lines = [walk.context.text(line.rstrip(separator)) or "" for line in segment.repetitions(3)]
    for coded in segment.repetitions(9):
        # A coded comment (v2.8.2) instead of a written one.
        parts = walk.context.split(coded)
        lines.append(walk.context.at(parts, 9) or walk.context.at(parts, 2) or walk.context.at(parts, 1) or "")
    text = "\n".join(lines).strip()
    if not text:
        return
    annotation: dict[str, Any] = {"text": text}
    scratch = Draft.of("Observation")
    walk.apply("NTE[Observation]", segment, scratch)
    for found in scratch.root.get("note", [])[:1]:
        annotation = {**found, "text": text}
    _attach_note(host, annotation)


_WITH_NOTE = frozenset({
    "AllergyIntolerance", "CarePlan", "ChargeItem", "Condition", "Device", "Goal", "Immunization",
    "MedicationAdministration", "MedicationDispense", "MedicationRequest", "NutritionOrder", "Observation", "Procedure",
    "ResearchStudy", "ServiceRequest", "Specimen", "Task",
})  # fmt: skip


def _attach_note(host: Draft, annotation: dict[str, Any]) -> None:
    type_ = host.root["resourceType"]
    if type_ in _WITH_NOTE:
        host.root.setdefault("note", []).append(annotation)
    elif type_ == "Appointment":
        before = host.root.get("comment")
        host.root["comment"] = f"{before}\n{annotation['text']}" if before else annotation["text"]
    elif type_ == "DocumentReference":
        before = host.root.get("description")
        host.root["description"] = f"{before}\n{annotation['text']}" if before else annotation["text"]
    else:
        url = "http://hl7.org/fhir/StructureDefinition/note"
        host.root.setdefault("extension", []).append({"url": url, "valueAnnotation": annotation})
