"""Problem, diagnosis and health-concern acts to Condition, one a problem observation.

``clinicalStatus`` comes from a problem status observation, else from the times and the concern's statusCode;
a negated problem is ``refuted``, "no known problems" is its own code.
Source: HL7 C-CDA on FHIR, problems; C-CDA R2.1 templates 4.3, 4.4, 4.33, 4.34, 4.51, 4.65, 4.80, 4.132, 4.136.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.coded import absent, concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child, squeeze
from fhir_mapping.cda.entries.common import (
    CCDA,
    COMMENT,
    Section,
    base,
    is_negated,
    nested,
    notes,
    put,
    status,
    walk_rest,
)
from fhir_mapping.cda.entries.links import HEALTH_CONCERN, name, pointed_concerns, remember
from fhir_mapping.cda.entries.observations import observation
from fhir_mapping.cda.quantities import decimal, quantity
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_US_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
_STATUS_CODES = {
    "55561003": "active",
    "73425007": "inactive",
    "413322009": "resolved",
    "246455001": "recurrence",
    "263855007": "relapse",
    "277022003": "remission",
}
_PROBLEM = CCDA + "4"
ALLERGY = (CCDA + "7", CCDA + "90")
_STATUS = CCDA + "6"
_AGE = CCDA + "31"
_NO_KNOWN = {"55607006": "160245001", "64572001": "160245001", "404684003": "160245001", "409586006": "160245001"}
_KIND_CODES = """
ASSERTION 55607006 64572001 404684003 409586006 282291009 418799008 248536006 29308-4 75326-9 75325-1 75324-4 75323-6
75322-8 75321-0 75319-4 75318-6 75315-2 75314-5
"""
_KINDS = frozenset(_KIND_CODES.split())
"""Codes of problem observations: problem, condition, finding, complaint, diagnosis, symptom ... (SNOMED CT, LOINC)."""
_OF_THE_VISIT = frozenset({"46241-6", "11535-2", "42347-5"})
"""Sections whose diagnoses are the document's encounter's: admission and discharge."""
_RANK = "2.16.840.1.113883.10.20.24.3.166"
_PARTS = (_RANK, _STATUS, _AGE, COMMENT, CCDA + "143")


def concern(node: Node, ctx: Context, section: Section) -> list[str]:
    """The Conditions of a problem or diagnosis concern act, and what else the act holds."""
    return _concern(node, ctx, section, section.condition_category or "problem-list-item")


def diagnosis(node: Node, ctx: Context, section: Section) -> list[str]:
    """The Conditions of a diagnosis act (encounter, admission, discharge, pre- and postoperative)."""
    return _concern(node, ctx, section, "encounter-diagnosis")


def health_concern(node: Node, ctx: Context, section: Section) -> list[str]:
    """The Conditions of a health concern or risk concern act."""
    found = _concern(node, ctx, section, HEALTH_CONCERN)
    if not any(one.startswith("Condition/") for one in found):
        pointed_concerns(node, ctx)
    return found


def _concern(node: Node, ctx: Context, section: Section, category: str) -> list[str]:
    found: list[str] = []
    by = authors(node, ctx)
    for _, act in nested(node):
        if is_problem(act) or (act.name == "observation" and not act.templates() and act.one("value") is not None):
            given = condition(act, ctx, section, category, outer=node, by=by)
            remember(act, given, ctx)
            found += given
        elif not act.has(*_PARTS):
            found += ctx.walk(act, section)
    name(node, found, ctx)
    return found


def is_problem(act: Node) -> bool:
    """Whether an observation claims to be a problem; IHE's allergies claim it too and are none."""
    return act.name == "observation" and act.has(_PROBLEM) and not act.has(*ALLERGY)


def tells_problem(act: Node) -> bool:
    """Whether an observation without template names a problem: a coded value, and as its code what kind of problem."""
    value = act.one("value")
    return (act.code() in _KINDS) and value is not None and bool(value.get("code") or len(value))


def problem(node: Node, ctx: Context, section: Section) -> list[str]:
    """The Condition of a problem observation that stands by itself."""
    return condition(node, ctx, section, section.condition_category or "problem-list-item")


def condition(
    node: Node, ctx: Context, section: Section, category: str, *, outer: Node | None = None, by: list[str] | None = None
) -> list[str]:
    """A Condition with its evidence; an observation whose value is no code stays an Observation."""
    value = node.one("value")
    code = concept(value, ctx)
    if not code:
        words = ctx.words(node.one("text"))
        code = {"text": words} if words else {}
    if not code:
        return observation(node, ctx, section) if value is not None and not value.get("nullFlavor") else []
    found = base("Condition", node)
    negated = is_negated(node)
    main = (code.get("coding") or [{}])[0].get("code", "")
    if negated and main in _NO_KNOWN:
        code = {
            "coding": [{"system": "http://snomed.info/sct", "code": _NO_KNOWN[main], "display": "No known problems"}]
        }
        negated = False
    nullified = "nullified" in (status(node), status(outer) if outer is not None else "")
    clinical = "" if nullified else _clinical(node, outer)
    if clinical:
        found["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": clinical}]}
    verification = "entered-in-error" if nullified else ("refuted" if negated else "confirmed")
    found["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": verification}]}
    found["category"] = [_category(category), *_kind_of_problem(node, ctx)]
    put(found, severity=_severity(node, ctx))
    found["code"] = code
    sites = [one for part in node.all("targetSiteCode") if (one := concept(part, ctx))]
    put(found, bodySite=sites, subject={"reference": ctx.patient} if ctx.patient else None)
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter and section.code in _OF_THE_VISIT else None)
    _times(node, found, outer, ctx)
    recorder = of_types(
        [*authors(node, ctx), *(by or [])], "Practitioner", "PractitionerRole", "Patient", "RelatedPerson"
    )
    put(found, recorder=recorder[0] if recorder else None, note=notes(node, ctx))
    below = walk_rest(node, ctx, section, _PARTS) if any(True for _ in nested(node)) else []
    reference = _add(found, ctx)
    rank = _rank(node)
    if rank:
        ctx.ranks[reference] = rank
    return [reference, *below]


def _rank(node: Node) -> int:
    """The rank of a diagnosis among those of its visit, or 0."""
    for _, act in nested(node):
        if act.has(_RANK):
            value = act.one("value")
            told = decimal(value.get("value")) if value is not None else None
            return told if isinstance(told, int) and 0 < told < 2**31 else 0
    return 0


def _add(found: Resource, ctx: Context) -> str:
    if "subject" not in found:
        found["subject"] = absent()
    return ctx.add(found)


def _category(code: str) -> dict[str, Any]:
    return {"coding": [{"system": _US_CATEGORY if code == HEALTH_CONCERN else _CATEGORY, "code": code}]}


def _kind_of_problem(node: Node, ctx: Context) -> list[dict[str, Any]]:
    """Whether the source calls it a symptom, a complaint, a diagnosis: its code, where that says more than problem."""
    kind = concept(node.one("code"), ctx)
    said = [one for one in kind.get("coding", ()) if one["code"] not in ("ASSERTION", "55607006", "64572001")]
    return [{**kind, "coding": said}] if said else []


def _clinical(node: Node, outer: Node | None) -> str:
    """con-3 to con-5: a status always but for errors; ``resolved`` only where the source says so."""
    for _, act in nested(node):
        if act.has(_STATUS) or act.code() == "33999-4":
            value = act.one("value")
            told = _STATUS_CODES.get((value.get("code") or "") if value is not None else "")
            if told:
                return told
    time = node.one("effectiveTime")
    high = child(time, "high") if time is not None else None
    if high is not None and (high.get("value") or high.get("nullFlavor") == "UNK"):
        return "resolved"
    if outer is not None and status(outer) in ("completed", "aborted", "suspended"):
        return {"completed": "inactive" if outer.has(CCDA + "3") else "active"}.get(status(outer), "inactive")
    return "active"


def _times(node: Node, found: Resource, outer: Node | None, ctx: Context) -> None:
    time = node.one("effectiveTime")
    if time is not None:
        span = period(time, ctx.clock) if time.get("value") is None else {}
        start = span.get("start") or (ctx.clock.date_time(point(time)) if "end" not in span else None)
        if start:
            found["onsetDateTime"] = start
        elif point(time) and "end" not in span:
            ctx.problem("bad_date", time)
        end = span.get("end")
        clinical = found.get("clinicalStatus", {}).get("coding", [{}])[0].get("code")
        if end and clinical in ("resolved", "inactive", "remission"):  # con-4
            found["abatementDateTime"] = end
    age = _onset_age(node)
    if age and "onsetDateTime" not in found:
        found["onsetAge"] = age
    recorded = _recorded(node, outer, ctx)
    if recorded:
        found["recordedDate"] = recorded


def _recorded(node: Node, outer: Node | None, ctx: Context) -> str | None:
    for holder in (node, outer):
        author = holder.one("author") if holder is not None else None
        time: Element | None = child(author, "time") if author is not None else None
        moment = ctx.clock.date_time(time.get("value")) if time is not None else None
        if moment:
            return moment
    return None


def _onset_age(node: Node) -> dict[str, Any]:
    for _, act in nested(node):
        if act.has(_AGE) or act.code() == "445518008":
            return age_of(act.one("value"))
    return {}


def age_of(value: Element | None) -> dict[str, Any]:
    """A FHIR Age: a positive number in a UCUM unit of time (age-1)."""
    found = quantity(value)
    if not found or found.get("code") not in ("a", "mo", "wk", "d", "h", "min", "s") or float(found["value"]) <= 0:
        return {}
    return found


def _severity(node: Node, ctx: Context) -> dict[str, Any]:
    for _, act in nested(node):
        if act.has(CCDA + "8") and squeeze(act.code()):
            return concept(act.one("value"), ctx)
    return {}
