"""Result organizers to DiagnosticReport, vital-signs organizers to a panel; blood pressure as one Observation."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, performers
from fhir_mapping.cda.coded import absent, concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node
from fhir_mapping.cda.entries.common import COMMENT, Section, base, code_or_words, nested, put, status, time_into
from fhir_mapping.cda.entries.observations import CATEGORY, STATUS, observation, observation_resource, specimen
from fhir_mapping.document import Resource

_LOINC = "http://loinc.org"
_REPORT_STATUS = {**STATUS, "active": "partial"}
_PRESSURES = ("8480-6", "8462-4")


def result_organizer(node: Node, ctx: Context, section: Section) -> list[str]:
    """A DiagnosticReport over the organizer's observations; one without code, id and members is none."""
    if section.observation_category == "vital-signs":
        # Documents of the older guides give the organizer of vital signs both templates.
        return vital_organizer(node, ctx, section)
    category = section.observation_category or "laboratory"
    inner = Section(code=section.code or "30954-2", templates=section.templates)
    results: list[str] = []
    others: list[str] = []
    taken = specimen(node, ctx)
    for _, act in nested(node):
        if act.name == "observation":
            below = observation(act, ctx, inner)
        elif act.has(COMMENT):
            continue
        else:
            below = ctx.walk(act, inner)
        results += [one for one in below if one.startswith("Observation/")]
        others += [one for one in below if not one.startswith("Observation/")]
    for one in results if taken else ():
        ctx.resource(one).setdefault("specimen", taken)
    for one in results if status(node) == "nullified" else ():
        ctx.resource(one)["status"] = "entered-in-error"
    code = code_or_words(node, ctx)
    if not code and not results:
        return others
    found = base("DiagnosticReport", node)
    found["status"] = _REPORT_STATUS.get(status(node), "final")
    kind = {"laboratory": "LAB", "imaging": "RAD"}.get(category)
    if kind:
        found["category"] = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": kind}]}]
    found["code"] = code or absent(node.one("code"))
    put(found, subject={"reference": ctx.patient} if ctx.patient else None)
    time_into(found, "effective", node.one("effectiveTime"), ctx)
    if "effectiveDateTime" not in found and "effectivePeriod" not in found:
        _time_of_results(found, results, ctx)
    put(
        found,
        performer=of_types(performers(node, ctx) or authors(node, ctx), "Practitioner", "Organization"),
        specimen=[taken] if taken else None,
        result=[{"reference": one} for one in dict.fromkeys(results)],
    )
    return [ctx.add(found), *others]


def _time_of_results(found: Resource, results: list[str], ctx: Context) -> None:
    """The time all results share, where they do."""
    for name in ("effectiveDateTime", "effectivePeriod"):
        times = [ctx.resource(one).get(name) for one in results]
        if times and times[0] is not None and all(one == times[0] for one in times):
            found[name] = times[0]


def vital_organizer(node: Node, ctx: Context, section: Section) -> list[str]:
    """The panel Observation over the measurements; each without its own time takes the organizer's."""
    members: list[str] = []
    others: list[str] = []
    pressures: dict[str, tuple[Resource, Node]] = {}
    inner = Section(code="8716-3", templates=section.templates)
    for _, act in nested(node):
        if act.name != "observation":
            others += [] if act.has(COMMENT) else ctx.walk(act, inner)
            continue
        code = act.code()
        if code in _PRESSURES and code not in pressures:
            resource = observation_resource(act, ctx, "vital-signs")
            if resource:
                _inherit_time(resource, node, ctx)
                pressures[code] = (resource, act)
        else:
            members += _measurement(act, node, ctx, inner)
    members += _pressure(pressures, ctx)
    refs = of_types(members, "Observation")
    if not refs:
        return [*members, *others]
    return [_panel(node, refs, ctx), *(one for one in members if not one.startswith("Observation/")), *others]


def _panel(node: Node, members: list[dict[str, str]], ctx: Context) -> str:
    found = base("Observation", node)
    found["status"] = STATUS.get(status(node), "final")
    found["category"] = [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}]
    code = concept(node.one("code"), ctx)
    panel = {"system": _LOINC, "code": "85353-1"}
    codings = list(code.get("coding", []))
    if not any(one.get("code") == "85353-1" for one in codings):
        codings.insert(0, panel)
    found["code"] = {**code, "coding": codings}
    put(found, subject={"reference": ctx.patient} if ctx.patient else None)
    time_into(found, "effective", node.one("effectiveTime"), ctx)
    if "effectiveDateTime" not in found and "effectivePeriod" not in found:
        _time_of_results(found, [one["reference"] for one in members], ctx)
    found["hasMember"] = list({one["reference"]: one for one in members}.values())
    put(found, performer=of_types(performers(node, ctx) or authors(node, ctx), "Practitioner", "Organization"))
    if "effectiveDateTime" not in found and "effectivePeriod" not in found:
        # A panel without any time cannot be a vital-signs Observation (the profile wants one): the plain code stays.
        found["code"] = code or {"text": "Vital signs"}
    return ctx.add(found)


def _measurement(act: Node, organizer: Node, ctx: Context, inner: Section) -> list[str]:
    references = observation(act, ctx, inner)
    if references and references[0].startswith("Observation/"):
        _inherit_time(ctx.resource(references[0]), organizer, ctx)
    return references


def _inherit_time(resource: Resource, organizer: Node, ctx: Context) -> None:
    if "effectiveDateTime" not in resource and "effectivePeriod" not in resource:
        time_into(resource, "effective", organizer.one("effectiveTime"), ctx)


def _pressure(pressures: dict[str, tuple[Resource, Node]], ctx: Context) -> list[str]:
    """Systolic and diastolic of one moment as one Observation (85354-9) with two components; else each by itself."""
    found = [resource for resource, _ in pressures.values()]
    if len(found) < 2 or not _one_measurement(found):
        return [ctx.add(resource) for resource in found]
    systolic, diastolic = pressures["8480-6"][0], pressures["8462-4"][0]
    whole: Resource = {"resourceType": "Observation"}
    ids = [
        *systolic.get("identifier", []),
        *(i for i in diastolic.get("identifier", []) if i not in systolic.get("identifier", [])),
    ]
    put(whole, identifier=ids)
    whole.update({name: value for name, value in systolic.items() if name in ("status", "category")})
    whole["code"] = {
        "coding": [{"system": _LOINC, "code": "85354-9", "display": "Blood pressure panel with all children optional"}]
    }
    for name in (
        "subject",
        "encounter",
        "effectiveDateTime",
        "effectivePeriod",
        "performer",
        "bodySite",
        "method",
        "note",
    ):
        value = systolic.get(name, diastolic.get(name))
        put(whole, **{name: value})
    whole["component"] = [_component(systolic), _component(diastolic)]
    return [ctx.add(whole)]


def _component(resource: Resource) -> dict[str, Any]:
    kept = ("code", "dataAbsentReason", "interpretation", "referenceRange")
    return {name: value for name, value in resource.items() if name in kept or name.startswith("value")}


def _one_measurement(pair: list[Resource]) -> bool:
    shared = ("effectiveDateTime", "effectivePeriod", "status", "bodySite", "performer", "method")
    return all(pair[0].get(name) == pair[1].get(name) or name in ("bodySite", "method") for name in shared)
