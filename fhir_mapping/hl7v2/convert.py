"""One message to FHIR R4: ``convert_message``."""

from __future__ import annotations

import copy
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.errors import UsageError
from fhir_mapping.document import Converted, RecordError
from fhir_mapping.hl7v2.conform import ABSENT
from fhir_mapping.hl7v2.context import SUBJECTS, Context
from fhir_mapping.hl7v2.elements import types
from fhir_mapping.hl7v2.groups import (
    billing,
    clinical,
    documents,
    notes,
    orders,
    people,
    pharmacy,
    results,
    scheduling,
    staff,
    visits,
)
from fhir_mapping.hl7v2.message import Segment, parse
from fhir_mapping.hl7v2.same import unite
from fhir_mapping.hl7v2.tables import Tables
from fhir_mapping.hl7v2.walk import HANDLERS, Draft, Walk, map_finder

GROUPS = (billing, clinical, documents, notes, orders, people, pharmacy, results, scheduling, staff, visits)
"""The modules whose handlers the walk uses."""

_QUIET = frozenset({"BHS", "BTS", "FHS", "FTS", "DSC", "ADD", "QAK", "ERR", "UAC", "QRD", "QRF", "QPD", "RCP"})
_NOBODY = frozenset({"resourceType", "id", "patient"})
"""What a RelatedPerson says when its segment says nothing."""


def convert_message(text: str, tables: Tables | None = None, *, zone: str | None = "Asia/Shanghai") -> Converted:
    """The resources of one message.

    Args:
        text: one message, as ``split_messages`` gives it.
        tables: the mapping; default: the generated tables with our own above them.
        zone: where the sender's clock stands, for times without an offset when MSH-7 has none either; None: such times
            are cut to their date.

    Raises:
        RecordError: there is no header, or no delimiters can be read; nothing of it can be used.
    """
    context = Context(parse(text), tables or Tables.load(), _checked(zone))
    walk = Walk(context, map_finder(context.tables))
    for index, segment in enumerate(context.message.segments):
        walk.index = index
        handler = HANDLERS.get(segment.name)
        context.scope[segment.name] = segment
        if handler is not None:
            context.where = segment.name
            handler(walk, segment)
        elif segment.name not in _QUIET:
            context.problem("unmapped_segment", segment.name)
    for name in context.message.strays:
        context.problem("stray_line", name)
    _finish(walk)
    return Converted(tuple(context.resources.values()), tuple(context.problems))


@cache
def _patient_bound() -> frozenset[str]:
    """The types that cannot be without their patient."""
    return frozenset(type_ for type_, element in SUBJECTS.items() if types()[type_][element].is_required)


def _checked(zone: str | None) -> str | None:
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise UsageError(f"{zone!r} is no time zone; expected a name such as Asia/Shanghai.") from error
    return zone


def _finish(walk: Walk) -> None:
    """Complete the drafts and finish them in the order they were made."""
    context = walk.context
    if walk.first_patient is None and any(
        draft.root["resourceType"] in _patient_bound() for draft in walk.drafts.values()
    ):
        # A message without PID is about a patient that it does not name.
        walk.ensure_patient()
    if walk.first_patient is not None:
        context.patient = walk.reference(walk.first_patient)
    walk.close_order()
    documents.complete(walk)
    _point_provenance(walk)
    for draft in walk.drafts.values():
        _complete(walk, draft)
    for draft in list(walk.drafts.values()):
        if draft.root["resourceType"] == "RelatedPerson" and draft.root.keys() <= _NOBODY:
            continue
        context.where = str(draft.root["resourceType"])
        context.add(draft.root)
        for other in draft.others:
            context.add(other)
    _drop_dangling(context)
    unite(context.resources)


def _complete(walk: Walk, draft: Draft) -> None:
    type_ = draft.root["resourceType"]
    if type_ in SUBJECTS and walk.context.patient:
        draft.root.setdefault(SUBJECTS[type_], walk.context.patient)
    if type_ == "Appointment":
        if walk.context.patient:
            draft.root.setdefault("participant", []).append({"actor": walk.context.patient, "status": "needs-action"})
        scheduling.complete(draft)
    elif type_ == "Patient":
        _drop_bare_identifiers(draft)
    elif type_ == "Coverage":
        draft.root.setdefault("payor", []) or draft.root.update(payor=[copy.deepcopy(ABSENT)])
    elif type_ == "ClaimResponse":
        draft.root.setdefault("insurer", copy.deepcopy(ABSENT))


def _drop_bare_identifiers(patient: Draft) -> None:
    """PID-2 and PID-4 often repeat a number of PID-3, without saying whose it is."""
    identifiers = patient.root.get("identifier", [])
    told = {item.get("value") for item in identifiers if len(item) > 1}
    kept = [item for item in identifiers if len(item) > 1 or item.get("value") not in told]
    if kept:
        patient.root["identifier"] = kept


def _point_provenance(walk: Walk) -> None:
    """The event's provenance is about the visit and patient, an order's about the order."""
    targets = [r for r in (walk.reference(walk.visit), walk.context.patient) if r]
    for draft in walk.provenance:
        if targets:
            draft.root["target"] = targets
        else:
            walk.forget(draft)
    for draft, order in walk.order_provenance:
        target = order and (walk.reference(order.request) or walk.reference(order.report))
        if target and "agent" in draft.root:
            draft.root["target"] = [target]
        else:
            walk.forget(draft)


def _drop_dangling(context: Context) -> None:
    """References to drafts that were left out go with them."""
    known = context.resources.keys()
    for resource in context.resources.values():
        _without(resource, known)


def _without(node: object, known: object) -> None:
    if isinstance(node, list):
        for item in node:
            _without(item, known)
    elif isinstance(node, dict):
        reference = node.get("reference")
        if isinstance(reference, str) and reference not in known:  # type: ignore[operator]
            del node["reference"]
            if not node.keys() & {"identifier", "display"}:
                node.update(copy.deepcopy(ABSENT))
        for value in node.values():
            if isinstance(value, (dict, list)):
                _without(value, known)


__all__ = ["GROUPS", "RecordError", "Segment", "convert_message"]
