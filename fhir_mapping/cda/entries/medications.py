"""substanceAdministration and supply to MedicationStatement, -Request, -Administration and -Dispense.

By mood and place: what was or is being taken is a MedicationStatement, in a section of medications administered a
MedicationAdministration; intents and orders are MedicationRequests, as is a supply order; a supply event of a drug is a
MedicationDispense. Source: HL7 C-CDA on FHIR, medications; templates 4.16, 4.42, 4.17, 4.18, 4.43.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, performers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, child
from fhir_mapping.cda.entries.common import (
    CCDA,
    COMMENT,
    INDICATION,
    INSTRUCTION,
    REASON,
    Section,
    base,
    instructions,
    is_negated,
    mood,
    nested,
    notes,
    put,
    reasons,
    requested_by,
    status,
    walk_rest,
)
from fhir_mapping.cda.entries.dosage import dosage, taken_time
from fhir_mapping.cda.entries.drugs import medication_choice
from fhir_mapping.cda.quantities import decimal, quantity
from fhir_mapping.cda.times import period
from fhir_mapping.document import Resource

_ADMINISTERED = frozenset({"2.16.840.1.113883.10.20.22.2.38", "2.16.840.1.113883.10.20.22.2.25"})
_SIG = CCDA + "147"
_PARTS = (COMMENT, INDICATION, INSTRUCTION, _SIG, CCDA + "25", CCDA + "24", CCDA + "23", CCDA + "54", CCDA + "53")
_STATEMENT = {
    "active": "active",
    "completed": "completed",
    "aborted": "stopped",
    "cancelled": "stopped",
    "suspended": "on-hold",
    "held": "on-hold",
    "nullified": "entered-in-error",
    "new": "intended",
}
_REQUEST = {
    "active": "active",
    "completed": "completed",
    "aborted": "stopped",
    "cancelled": "cancelled",
    "suspended": "on-hold",
    "held": "on-hold",
    "nullified": "entered-in-error",
    "new": "draft",
}
_ADMINISTRATION = {
    "active": "in-progress",
    "completed": "completed",
    "aborted": "stopped",
    "cancelled": "stopped",
    "suspended": "on-hold",
    "held": "on-hold",
    "nullified": "entered-in-error",
}
_DISPENSE = {
    "active": "in-progress",
    "completed": "completed",
    "aborted": "stopped",
    "cancelled": "cancelled",
    "suspended": "on-hold",
    "held": "on-hold",
    "nullified": "entered-in-error",
}
_INTENT = {"RQO": "order", "INT": "plan", "PRP": "proposal", "PRMS": "order"}


def medication(node: Node, ctx: Context, section: Section) -> list[str]:
    """The resource of one administration, and what hangs below it; left out with a problem where no drug is named."""
    drug = medication_choice(node, ctx)
    if not drug and (words := ctx.words(node.one("text"))):
        drug = {"medicationCodeableConcept": {"text": words}}
    if not drug:
        ctx.problem("no_medication", node.element)
        return walk_rest(node, ctx, section, _PARTS)
    if not ctx.patient:
        ctx.problem("no_patient", node.element)
        return []
    if mood(node) != "EVN":
        found = _request(node, drug, ctx)
    elif section.templates & _ADMINISTERED and not is_negated(node):
        found = _administration(node, drug, ctx)
    else:
        found = _statement(node, drug, ctx)
    if not found:
        found = _statement(node, drug, ctx)
    reference = ctx.add(found)
    below: list[str] = []
    for _, act in nested(node):
        if act.name == "supply":
            below += supply(act, ctx, section, drug=drug)
        elif not act.has(*_PARTS) and act.code() != REASON:
            below += ctx.walk(act, section)
    return [reference, *below]


def _statement(node: Node, drug: Resource, ctx: Context) -> Resource:
    found = base("MedicationStatement", node)
    found["status"] = "not-taken" if is_negated(node) else _STATEMENT.get(status(node), "unknown")
    found.update(drug)
    found["subject"] = {"reference": ctx.patient}
    taken_time(node, found, "effective", ctx)
    by = authors(node, ctx)
    source = of_types(by, "Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson")
    author = node.one("author")
    told = child(author, "time") if author is not None else None
    put(found, dateAsserted=ctx.clock.date_time(told.get("value")) if told is not None else None)
    why = reasons(node, ctx)
    put(found, statusReason=why if is_negated(node) else None)
    put(found, informationSource=source[0] if source else None, reasonCode=None if is_negated(node) else why)
    put(found, note=notes(node, ctx))
    how = dosage(node, ctx, sig=_sig(node, ctx), advice=instructions(node, ctx), bounds=False)
    put(found, dosage=[how] if how else None)
    return found


def _request(node: Node, drug: Resource, ctx: Context) -> Resource:
    found = base("MedicationRequest", node)
    found["status"] = _REQUEST.get(status(node), "unknown")
    found["intent"] = _INTENT.get(mood(node), "plan")
    put(found, doNotPerform=True if is_negated(node) else None)
    found.update(drug)
    found["subject"] = {"reference": ctx.patient}
    requested_by(node, found, ctx)
    put(found, reasonCode=reasons(node, ctx), note=notes(node, ctx))
    how = dosage(node, ctx, sig=_sig(node, ctx), advice=instructions(node, ctx), bounds=True)
    count = _count(node)  # of an order: how often it may be given
    if count:
        how.setdefault("timing", {}).setdefault("repeat", {}).setdefault("count", count)
    put(found, dosageInstruction=[how] if how else None)
    return found


def _administration(node: Node, drug: Resource, ctx: Context) -> Resource:
    """Empty where the time, which FHIR requires, is not told; then it stays a statement."""
    found = base("MedicationAdministration", node)
    found["status"] = _ADMINISTRATION.get(status(node), "completed")
    found.update(drug)
    found["subject"] = {"reference": ctx.patient}
    taken_time(node, found, "effective", ctx)
    if "effectiveDateTime" not in found and "effectivePeriod" not in found:
        return {}
    actors = of_types(performers(node, ctx), "Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Device")
    put(found, performer=[{"actor": one} for one in actors], reasonCode=reasons(node, ctx), note=notes(node, ctx))
    how = dosage(node, ctx, sig=_sig(node, ctx), advice="", bounds=False)
    given: dict[str, Any] = {name: how[name] for name in ("text", "site", "route") if name in how}
    rate = (how.get("doseAndRate") or [{}])[0]
    put(given, dose=rate.get("doseQuantity"), rateRatio=rate.get("rateRatio"), rateQuantity=rate.get("rateQuantity"))
    if given and ("dose" in given or "rateQuantity" in given or "rateRatio" in given or "text" in given):  # mad-1
        if "text" in given and "dose" not in given and not any(name.startswith("rate") for name in given):
            found.setdefault("note", []).append({"text": given["text"]})
        else:
            found["dosage"] = given
    return found


def supply(node: Node, ctx: Context, section: Section, *, drug: Resource | None = None) -> list[str]:
    """A supply order as MedicationRequest, a supply event as MedicationDispense, of its own or the parent's drug."""
    own = medication_choice(node, ctx) or drug
    if not own or not ctx.patient:
        return walk_rest(node, ctx, section, _PARTS)
    amount = quantity(node.one("quantity"))
    time = node.all("effectiveTime")
    if mood(node) == "EVN":
        found = base("MedicationDispense", node)
        found["status"] = "declined" if is_negated(node) else _DISPENSE.get(status(node), "unknown")
        found.update(own)
        found["subject"] = {"reference": ctx.patient}
        actors = of_types(
            performers(node, ctx) or authors(node, ctx), "Practitioner", "PractitionerRole", "Organization"
        )
        when = ctx.clock.date_time(time[0].get("value") or _low(time[0])) if time else None
        put(found, performer=[{"actor": one} for one in actors], quantity=amount, whenHandedOver=when)
    else:
        found = base("MedicationRequest", node)
        found["status"] = _REQUEST.get(status(node), "unknown")
        found["intent"] = "order"
        put(found, doNotPerform=True if is_negated(node) else None)
        found.update(own)
        found["subject"] = {"reference": ctx.patient}
        requested_by(node, found, ctx)
        wanted: dict[str, Any] = {}
        put(wanted, validityPeriod=period(time[0], ctx.clock) if time else None)
        count = _count(node)  # in CDA all dispenses count, in FHIR those after the first
        put(wanted, numberOfRepeatsAllowed=count - 1 if count else None, quantity=amount)
        put(found, dispenseRequest=wanted)
        said = instructions(node, ctx)
        put(found, dosageInstruction=[{"patientInstruction": said}] if said else None)
    put(found, note=notes(node, ctx))
    return [ctx.add(found), *walk_rest(node, ctx, section, _PARTS)]


def _count(node: Node) -> int:
    """``repeatNumber`` as a positive number (of an interval its high end), or 0."""
    element = node.one("repeatNumber")
    high = child(element, "high")
    number = decimal((high if high is not None else element).get("value")) if element is not None else None
    return number if isinstance(number, int) and 0 < number < 2**31 else 0


def _low(element: Any) -> str | None:
    found = child(element, "low")
    return found.get("value") if found is not None else None


def _sig(node: Node, ctx: Context) -> str:
    for _, act in nested(node):
        if act.has(_SIG):
            return ctx.words(act.one("text"))
    return ""
