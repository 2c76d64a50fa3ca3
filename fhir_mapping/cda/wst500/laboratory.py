"""Examined items and their results (DE04.30.*) to Observation, Specimen and DiagnosticReport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fhir_mapping.cda.coded import absent_reason
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, all_text
from fhir_mapping.cda.entries.common import put
from fhir_mapping.cda.quantities import decimal, unit_parts
from fhir_mapping.cda.times import period, point
from fhir_mapping.cda.wst500.facts import ELEMENT_SYSTEM, Fact, flatten
from fhir_mapping.cda.wst500.pairing import Unpaired, pair
from fhir_mapping.document import Resource

_RESULTS = ("item_result", "item_quantity", "item_unit")
_SPECIMEN = ("specimen_type", "specimen_state")
PARTS = frozenset({"item", *_RESULTS, *_SPECIMEN})
REPORT_PARTS = frozenset(
    {"report_kind", "report_method", "report_conclusion", "report_findings", "report_department", "report_organization"}
)
_WHERE = frozenset({"report_department", "report_organization"})
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_MEANINGS = {"正常": "N", "异常": "A", "偏高": "H", "偏低": "L", "阳性": "POS", "阴性": "NEG", "不确定": "IND"} | {
    "高": "H",
    "低": "L",
    "↑": "H",
    "↓": "L",
}


@dataclass
class Report:
    """What the sections of an examination or laboratory document say of the one report they are."""

    category: str
    results: list[str] = field(default_factory=list)
    specimens: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


def observations(facts: list[Fact], ctx: Context, section: Element, report: Report) -> list[str]:
    """An Observation for each item; flat items and results whose counts differ are left out with a problem."""
    listed = [fact for fact in flatten(facts) if fact.part in PARTS]
    method = next((fact.words(ctx) for fact in flatten(facts) if fact.part == "report_method"), "")
    found: list[str] = []
    for number in dict.fromkeys(fact.group for fact in listed):
        own = [fact for fact in listed if fact.group == number]
        specimens = [fact for fact in own if fact.part in _SPECIMEN]
        nested = {id(inner) for fact in own for inner in flatten(fact.below)}
        loose = [fact for fact in own if fact.part not in _SPECIMEN and id(fact) not in nested]
        try:
            groups = pair(loose, "item", _RESULTS)
        except Unpaired:
            ctx.problem("unpaired_results", section)
            continue
        for group in groups:
            whole = [*group, *(inner for fact in group for inner in flatten(fact.below))]
            taken = _specimen([f for f in whole if f.part in _SPECIMEN] or _shared(specimens, whole), ctx, report)
            found.append(_observation(whole, ctx, taken, method, report.category))
    report.results += [one for one in found if one not in report.results]
    return found


def _shared(specimens: list[Fact], whole: list[Fact]) -> list[Fact]:
    """A specimen told beside the items of a group is the specimen of them all."""
    return [] if any(fact.part in _SPECIMEN for fact in whole) else [f for f in specimens if f.below == []][:2]


def _observation(facts: list[Fact], ctx: Context, specimen: str, method: str, category: str) -> str:
    parts: dict[str, Fact] = {}
    for fact in facts:
        parts.setdefault(fact.part, fact)
    item = parts["item"]
    found: Resource = {"resourceType": "Observation", "status": "final"}
    found["category"] = [{"coding": [{"system": _CATEGORY, "code": category}]}]
    found["code"] = item_code(item, ctx)
    found["subject"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    moment = next((at for f in facts if f.part != "specimen_type" and (at := _moment(f, ctx))), None)
    put(found, effectiveDateTime=moment)
    amount = _amount(parts.get("item_quantity"), parts.get("item_unit"), ctx)
    result = parts.get("item_result")
    told = result.value(ctx) if result is not None else None
    if amount:
        found["value" + amount[0]] = amount[1]
        put(found, interpretation=_interpretation(told))
    elif told is not None:
        found["value" + told[0]] = told[1]
        put(found, interpretation=_interpretation(told) if told[0] == "CodeableConcept" else None)
    else:
        found["dataAbsentReason"] = absent_reason(None)
    put(found, method={"text": method} if method else None, specimen={"reference": specimen} if specimen else None)
    return ctx.add(found)


def item_code(item: Fact, ctx: Context) -> dict[str, Any]:
    """What was examined: the item's own code or name; without either the data element itself."""
    told = item.value(ctx)
    if told is None:
        return {"coding": [item.coding()]}
    kind, value = told
    return value if kind == "CodeableConcept" else {"text": str(value)}


def _moment(fact: Fact, ctx: Context) -> str | None:
    return ctx.clock.date_time(point(fact.node.one("effectiveTime")))


def _amount(quantity: Fact | None, unit: Fact | None, ctx: Context) -> tuple[str, Any] | None:
    if quantity is None:
        return None
    raw = quantity.node.one("value")
    told = quantity.value(ctx)
    number = decimal(raw.get("value") or (raw.text or "")) if raw is not None else None
    if number is None:
        return told
    value: dict[str, Any] = dict(told[1]) if told is not None and told[0] == "Quantity" else {"value": number}
    if "unit" not in value and unit is not None:
        value.update(unit_parts(unit.words(ctx)))
    return "Quantity", value


def _interpretation(told: tuple[str, Any] | None) -> list[dict[str, Any]]:
    if told is None:
        return []
    kind, value = told
    words = value if kind == "String" else value.get("text") if kind == "CodeableConcept" else ""
    codings = list(value.get("coding", [])) if kind == "CodeableConcept" else []
    words = words or next((one.get("display", "") for one in codings), "")
    if words in _MEANINGS:
        codings.append({"system": _INTERPRETATION, "code": _MEANINGS[words]})
    return (
        [{**({"coding": codings} if codings else {}), **({"text": words} if words else {})}] if codings or words else []
    )


def _specimen(facts: list[Fact], ctx: Context, report: Report) -> str:
    kind = next((fact for fact in facts if fact.part == "specimen_type"), None)
    state = next((fact.words(ctx) for fact in facts if fact.part == "specimen_state"), "")
    words = kind.words(ctx) if kind is not None else ""
    if not words and not state:
        return ""
    found: Resource = {"resourceType": "Specimen"}
    told = kind.value(ctx) if kind is not None else None
    if told is not None:
        found["type"] = told[1] if told[0] == "CodeableConcept" else {"text": words}
    found["subject"] = {"reference": ctx.patient}
    span = period(kind.node.one("effectiveTime"), ctx.clock) if kind is not None else {}
    put(found, receivedTime=span.get("end") if span.get("end") != span.get("start") else None)
    put(found, collection={"collectedDateTime": span["start"]} if "start" in span else None)
    put(found, condition=[{"text": state}] if state else None)
    reference = ctx.add(found)
    if reference not in report.specimens:
        report.specimens.append(reference)
    return reference


def add_report(report: Report, document: Node, ctx: Context, identifiers: list[dict[str, Any]]) -> str:
    """The DiagnosticReport over all sections; empty where nothing was reported."""
    if not report.results and all(fact.part in _WHERE for fact in report.facts):
        return ""  # departments and hospitals are named in documents without a report too
    words: dict[str, list[str]] = {}
    for fact in report.facts:
        if (text := fact.words(ctx)) and text not in words.setdefault(fact.part, []):
            words[fact.part].append(text)
    found: Resource = {"resourceType": "DiagnosticReport"}
    put(found, identifier=identifiers)
    found["status"] = "final"
    kind = {"laboratory": "LAB", "imaging": "OTH"}[report.category]
    found["category"] = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": kind}]}]
    code = document.one("code")
    title = all_text(document.one("title"))
    label = "; ".join(words.get("report_kind", [])) or title
    number = (code.get("code") or "").strip() if code is not None else ""
    coding = [{"system": "urn:oid:2.16.156.10011.2.4", "code": number}] if number else []
    found["code"] = {**({"coding": coding} if coding else {}), "text": label or number or "检查检验报告"}
    found["subject"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    _time(found, report, document, ctx)
    put(found, performer=_performers(words, ctx), specimen=[{"reference": one} for one in report.specimens])
    results = [*report.results, *_findings(report, found, ctx)]
    put(found, result=[{"reference": one} for one in results], conclusion="\n".join(words.get("report_conclusion", [])))
    return ctx.add(found)


def _time(found: Resource, report: Report, document: Node, ctx: Context) -> None:
    times = sorted({at for one in report.results if (at := ctx.resource(one).get("effectiveDateTime"))})
    put(found, effectiveDateTime=times[0] if len(times) == 1 else None)
    put(found, issued=ctx.clock.instant(point(document.one("effectiveTime"))))


def _findings(report: Report, found: Resource, ctx: Context) -> list[str]:
    """The findings in words (客观所见) as an Observation of the report, with the method that no item has."""
    made = []
    of_items = {str(ctx.resource(one).get("method", {}).get("text", "")) for one in report.results}
    methods = [words for fact in report.facts if fact.part == "report_method" and (words := fact.words(ctx))]
    method = "; ".join(dict.fromkeys(words for words in methods if words not in of_items))
    for fact in report.facts:
        text = fact.words(ctx) if fact.part == "report_findings" else ""
        if text:
            one: Resource = {"resourceType": "Observation", "status": "final"}
            one["category"] = [{"coding": [{"system": _CATEGORY, "code": report.category}]}]
            one["code"] = {
                "coding": [{"system": ELEMENT_SYSTEM, "code": fact.element, "display": fact.label or "客观所见"}]
            }
            one["subject"] = {"reference": ctx.patient}
            put(
                one,
                encounter=found.get("encounter"),
                effectiveDateTime=found.get("effectiveDateTime"),
                valueString=text,
                method={"text": method} if method else None,
            )
            made.append(ctx.add(one))
    return made


def _performers(words: dict[str, list[str]], ctx: Context) -> list[dict[str, str]]:
    """The reporting department, as a part of the reporting organization."""
    hospital = ""
    for name in words.get("report_organization", [])[:1]:
        hospital = ctx.add({"resourceType": "Organization", "name": name})
    for name in words.get("report_department", [])[:1]:
        part = {"partOf": {"reference": hospital}} if hospital else {}
        return [{"reference": ctx.add({"resourceType": "Organization", "name": name, **part})}]
    return [{"reference": hospital}] if hospital else []
