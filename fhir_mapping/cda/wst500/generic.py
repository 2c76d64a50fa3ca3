"""Data elements without a mapping of their own: an Observation by the element's code, measurements with LOINC too."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, performers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import rows
from fhir_mapping.cda.entries.common import put
from fhir_mapping.cda.times import has_width, period, point
from fhir_mapping.cda.wst500.facts import Fact
from fhir_mapping.document import Resource
from fhir_mapping.terminology.ucum import ucum_code

_PERFORMERS = ("Practitioner", "PractitionerRole", "Organization")
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
# Units that the FHIR vital-signs profiles ask for; with another unit the element keeps its own code alone.
_VITAL_UNITS = {
    "8310-5": ("Cel", "[degF]"),
    "8867-4": ("/min",),
    "9279-1": ("/min",),
    "8480-6": ("mm[Hg]",),
    "8462-4": ("mm[Hg]",),
    "8302-2": ("cm", "[in_i]"),
    "29463-7": ("g", "kg", "[lb_av]"),
    "2708-6": ("%",),
}


def observation(fact: Fact, ctx: Context, *, part_of: str = "") -> list[str]:
    """The Observation of a fact, with those nested in it as members; nothing where the element has no value."""
    members = [one for below in fact.below for one in observation(below, ctx)]
    told = fact.value(ctx)
    if told is None and not members:
        return []
    found: Resource = {"resourceType": "Observation"}
    put(found, partOf=[{"reference": part_of}] if part_of else None)
    found["status"] = "final"
    row = next((one for one in rows("cn_elements") if one["element"] == fact.element), None)
    category, loinc = (row["category"], row["loinc"]) if row else ("", "")
    time = fact.node.one("effectiveTime")
    span = period(time, ctx.clock) if time is not None and has_width(time) else {}
    moment = None if len(span) == 2 else ctx.clock.date_time(point(time))
    moment = span.get("start") or moment or (_day_of_visit(ctx) if category else None)
    loinc = loinc if loinc and _fits(loinc, told, moment) else ""
    put(found, category=[{"coding": [{"system": _CATEGORY, "code": category}]}] if category else None)
    codings = [{"system": "http://loinc.org", "code": loinc}] if loinc else []
    found["code"] = {"coding": [*codings, fact.coding()], **({"text": fact.label} if fact.label else {})}
    found["subject"] = {"reference": ctx.patient}
    put(
        found,
        encounter={"reference": ctx.encounter} if ctx.encounter else None,
        **{"effectivePeriod": span} if len(span) == 2 else {"effectiveDateTime": moment},
    )
    put(found, performer=of_types(performers(fact.node, ctx) or authors(fact.node, ctx), *_PERFORMERS))
    if told is not None:
        found["value" + told[0]] = told[1]
    put(found, hasMember=[{"reference": one} for one in members])
    return [ctx.add(found)]


def _fits(loinc: str, told: tuple[str, Any] | None, moment: str | None) -> bool:
    """Whether the vital-signs profile of that code is met: a time, and a number in one of its units."""
    units = _VITAL_UNITS.get(loinc)
    if units is None:
        return True
    if told is None or told[0] != "Quantity" or moment is None:
        return False
    return ucum_code(str(told[1].get("unit", ""))) in units


def _day_of_visit(ctx: Context) -> str | None:
    """The day of an outpatient visit: when what was measured there was measured. A stay of many days tells no day."""
    if not ctx.encounter:
        return None
    visit = ctx.resource(ctx.encounter)
    start = visit.get("period", {}).get("start")
    return str(start)[:10] if start and visit["class"]["code"] in ("AMB", "EMER") else None
