"""Allergy concern acts to AllergyIntolerance, one an allergy observation.

Source: HL7 C-CDA on FHIR, allergies; C-CDA R2.1 templates 4.30, 4.7, 4.9, 4.8, 4.28, 4.145.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.coded import concept, named
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import rows
from fhir_mapping.cda.element import Element, Node, all_text, child
from fhir_mapping.cda.entries.common import CCDA, Section, base, is_negated, nested, notes, put, status, walk_rest
from fhir_mapping.cda.entries.links import name, remember
from fhir_mapping.cda.entries.problems import ALLERGY
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_REACTION, _SEVERITY, _STATUS, _CRITICALITY = CCDA + "9", CCDA + "8", CCDA + "28", CCDA + "145"
_STATUS_CODES = {"55561003": "active", "73425007": "inactive", "413322009": "resolved"}
_SEVERITIES = {
    "255604002": "mild",
    "371923003": "mild",
    "6736007": "moderate",
    "371924009": "moderate",
    "24484000": "severe",
    "399166001": "severe",
    "442452003": "severe",
}
_CRITICALITIES = {"CRITL": "low", "CRITH": "high", "CRITU": "unable-to-assess"}
_NONE_KNOWN = {
    "medication": ("409137002", "No known drug allergy"),
    "food": ("429625007", "No known food allergy"),
    "environment": ("428607008", "No known environmental allergy"),
    "": ("716186003", "No known allergy"),
}


def concern(node: Node, ctx: Context, section: Section) -> list[str]:
    """The allergies of a concern act."""
    found: list[str] = []
    for _, act in nested(node):
        if act.has(*ALLERGY):
            given = allergy(act, ctx, section, outer=node)
            remember(act, given, ctx)
            found += given
        else:
            found += ctx.walk(act, section)
    name(node, found, ctx)
    return found


def allergy(node: Node, ctx: Context, section: Section, *, outer: Node | None = None) -> list[str]:
    """An AllergyIntolerance; empty where no substance, no kind and no reaction is told."""
    kind = _kind(node.one("value")) or _kind(node.one("code"))  # CCD 1.0 tells the kind by the code
    code = _substance(node, ctx)
    negated = is_negated(node)
    none_known = negated and not code
    if none_known:
        number, display = _NONE_KNOWN.get(kind.get("category", ""), _NONE_KNOWN[""])
        code = {"coding": [{"system": "http://snomed.info/sct", "code": number, "display": display}]}
    reactions = [] if negated else _reactions(node, ctx)
    if not code:
        words = ctx.words(node.one("text"))
        code = {"text": words} if words else concept(node.one("value"), ctx) if reactions else {}
    if not code or not ctx.patient:
        ctx.problem("no_substance" if ctx.patient else "no_patient", node.element)
        return []
    found = base("AllergyIntolerance", node)
    nullified = "nullified" in (status(node), status(outer) if outer is not None else "")
    if not nullified:  # ait-2
        found["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": _clinical(node, outer)}]}
    verification = "entered-in-error" if nullified else ("refuted" if negated and not none_known else "confirmed")
    found["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": verification}]}
    put(found, type=kind.get("type"), category=[kind["category"]] if kind.get("category") else None)
    put(found, criticality=_criticality(node), code=code, patient={"reference": ctx.patient})
    _times(node, found, outer, ctx)
    by = of_types(
        [*authors(node, ctx), *(authors(outer, ctx) if outer else [])],
        "Practitioner",
        "PractitionerRole",
        "Patient",
        "RelatedPerson",
    )
    put(found, recorder=by[0] if by else None, note=notes(node, ctx), reaction=reactions)
    return [ctx.add(found), *walk_rest(node, ctx, section, (_REACTION, _SEVERITY, _STATUS, _CRITICALITY, CCDA + "64"))]


def _kind(value: Element | None) -> dict[str, str]:
    code = value.get("code") if value is not None else None
    row = next((one for one in rows("allergy_kinds") if one["snomed"] == code), None)
    return {name: row[name] for name in ("type", "category") if row[name]} if row else {}


def _substance(node: Node, ctx: Context) -> dict[str, Any]:
    for part in node.all("participant"):
        entity = child(part, "participantRole", "playingEntity")
        if entity is None:
            continue
        code = concept(child(entity, "code"), ctx)
        words = all_text(child(entity, "name"))
        if code or words:
            return named(code, words)
    return {}


def _clinical(node: Node, outer: Node | None) -> str:
    for _, act in nested(node):
        if act.has(_STATUS) or act.code() == "33999-4":
            value = act.one("value")
            told = _STATUS_CODES.get((value.get("code") or "") if value is not None else "")
            if told:
                return told
    time = node.one("effectiveTime")
    high = child(time, "high") if time is not None else None
    if high is not None and high.get("value"):
        return "resolved"
    return "inactive" if outer is not None and status(outer) in ("completed", "aborted", "suspended") else "active"


def _criticality(node: Node) -> str:
    for _, act in nested(node):
        if act.has(_CRITICALITY) or act.code() == "82606-5":
            value = act.one("value")
            return _CRITICALITIES.get((value.get("code") or "") if value is not None else "", "")
    return ""


def _reactions(node: Node, ctx: Context) -> list[dict[str, Any]]:
    """Each reaction with its manifestation (required) and severity; the allergy's own severity where it has none."""
    overall = _severity(node)
    found = []
    for kind, act in nested(node):
        if not (act.has(_REACTION) or kind == "MFST"):
            continue
        shown = concept(act.one("value"), ctx)
        if not shown:
            words = ctx.words(act.one("text"))
            shown = {"text": words} if words else {}
        if not shown:
            continue
        one: dict[str, Any] = {"manifestation": [shown]}
        onset = ctx.clock.date_time(point(act.one("effectiveTime")))
        put(one, onset=onset, severity=_severity(act) or overall)
        said = notes(act, ctx)
        put(one, note=said)
        found.append(one)
    return found


def _severity(node: Node) -> str:
    for _, act in nested(node):
        if act.has(_SEVERITY) or act.code() == "SEV":
            value = act.one("value")
            return _SEVERITIES.get((value.get("code") or "") if value is not None else "", "")
    return ""


def _times(node: Node, found: Resource, outer: Node | None, ctx: Context) -> None:
    time = node.one("effectiveTime")
    if time is not None:
        span = period(time, ctx.clock) if time.get("value") is None else {}
        start = span.get("start") or (ctx.clock.date_time(point(time)) if not span else None)
        if start:
            found["onsetDateTime"] = start
    for holder in (node, outer):
        author = holder.one("author") if holder is not None else None
        told = child(author, "time") if author is not None else None
        recorded = ctx.clock.date_time(told.get("value")) if told is not None else None
        if recorded:
            found["recordedDate"] = recorded
            return
