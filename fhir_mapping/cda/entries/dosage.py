"""How a drug is taken: doseQuantity, rateQuantity, routeCode and the effectiveTimes of a substanceAdministration."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, child, squeeze, xsi_type
from fhir_mapping.cda.entries.common import coded_instructions, put
from fhir_mapping.cda.quantities import decimal, quantity, ratio, simple_range
from fhir_mapping.cda.times import period
from fhir_mapping.document import Resource

_UNITS = frozenset({"s", "min", "h", "d", "wk", "mo", "a"})
_DAY = ["MORN", "AFT", "EVE", "NIGHT", "PHS", "HS", "WAKE"]
_EVENTS = frozenset([*_DAY, "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"])
_MEALS = frozenset({"C", "CM", "CD", "CV"})


def dosage(node: Node, ctx: Context, *, sig: str, advice: str, bounds: bool) -> dict[str, Any]:
    """A Dosage; ``bounds`` says whether the period of taking belongs into the timing (orders) or stands elsewhere."""
    found: dict[str, Any] = {}
    put(found, text=sig or ctx.words(node.one("text")), patientInstruction=advice)
    put(found, additionalInstruction=coded_instructions(node, ctx))
    put(found, timing=_timing(node, ctx, bounds))
    needed, wanted = _as_needed(node, ctx)
    if wanted:
        found["asNeededCodeableConcept"] = wanted
    elif needed:
        found["asNeededBoolean"] = True
    site = node.one("approachSiteCode")
    put(found, site=concept(site, ctx), route=concept(node.one("routeCode"), ctx))
    rate = _dose_and_rate(node)
    put(found, doseAndRate=[rate] if rate else None)
    limit = node.one("maxDoseQuantity")
    put(found, maxDosePerPeriod=ratio(limit) if limit is not None else None)
    return found


def _dose_and_rate(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, stem in (("doseQuantity", "dose"), ("rateQuantity", "rate")):
        element = node.one(name)
        if element is None:
            continue
        value = quantity(element)
        limits = simple_range(element) if not value else {}
        if value:
            found[stem + "Quantity"] = value
        elif len(limits) == 2:
            found[stem + "Range"] = limits
        elif limits:
            found[stem + "Quantity"] = next(iter(limits.values()))
    return found


def _as_needed(node: Node, ctx: Context) -> tuple[bool, dict[str, Any]]:
    for precondition in node.all("precondition"):
        criterion = child(precondition, "criterion")
        if criterion is None:
            continue
        value = concept(child(criterion, "value"), ctx) or concept(child(criterion, "code"), ctx)
        codes = [one.get("code") for one in value.get("coding", ())]
        words = ctx.words(child(criterion, "text"))
        if value and codes != ["ASSERTION"]:
            return True, value
        return True, {"text": words} if words else {}
    return False, {}


def _timing(node: Node, ctx: Context, bounds: bool) -> dict[str, Any]:
    repeat: dict[str, Any] = {}
    events: list[str] = []
    for element in node.all("effectiveTime"):
        kind = xsi_type(element)
        if kind == "PIVL_TS":
            for name, value in _periodic(element).items():
                repeat.setdefault(name, value)
        elif kind == "EIVL_TS":
            for name, value in _by_event(element).items():
                repeat.setdefault(name, value)
        elif kind.startswith("IVL_TS") or child(element, "low") is not None or child(element, "high") is not None:
            span = period(element, ctx.clock)
            if bounds and span:
                repeat.setdefault("boundsPeriod", span)
        elif bounds and (moment := ctx.clock.date_time(element.get("value"))):
            events.append(moment)
        for part in element:  # SXPR_TS: the parts of a set expression
            inner = xsi_type(part)
            if inner in ("PIVL_TS", "EIVL_TS"):
                for name, value in (_periodic(part) if inner == "PIVL_TS" else _by_event(part)).items():
                    repeat.setdefault(name, value)
    found: dict[str, Any] = {}
    put(found, event=events, repeat=repeat)
    return found


def _periodic(element: Element) -> dict[str, Any]:
    """``every 6 hours`` as frequency 1, period 6, periodUnit h."""
    every = child(element, "period")
    if every is None:
        return {}
    unit = every.get("unit")
    value = decimal(every.get("value"))
    most = None
    if value is None:
        low, high = child(every, "low"), child(every, "high")
        value = decimal(low.get("value")) if low is not None else None
        most = decimal(high.get("value")) if high is not None else None
        unit = (low.get("unit") if low is not None else None) or unit
    if value is None or unit not in _UNITS or float(value) <= 0:
        return {}
    return {"frequency": 1, "period": value, **({"periodMax": most} if most is not None else {}), "periodUnit": unit}


def _by_event(element: Element) -> dict[str, Any]:
    event = child(element, "event")
    code = squeeze(event.get("code")) if event is not None else ""
    if code not in _EVENTS:
        return {}
    found: dict[str, Any] = {"when": [code]}
    shift = child(element, "offset")
    width = quantity(shift) or (quantity(child(shift, "low")) if shift is not None else {})
    minutes = {"min": 1, "h": 60}.get(str(width.get("code")), 0) if width else 0
    if minutes and code not in _MEALS:  # tim-9
        total = abs(float(width["value"])) * minutes
        if total == int(total) and total > 0:
            found["offset"] = int(total)
    return found


def taken_time(node: Node, found: Resource, stem: str, ctx: Context) -> None:
    """The first effectiveTime that is a moment or interval (no frequency) into ``{stem}DateTime`` or ``Period``."""
    for element in node.all("effectiveTime"):
        if xsi_type(element) in ("PIVL_TS", "EIVL_TS", "SXPR_TS"):
            continue
        span = period(element, ctx.clock) if element.get("value") is None else {}
        if span:
            found[stem + "Period"] = span
            return
        moment = ctx.clock.date_time(element.get("value"))
        if moment:
            found[stem + "DateTime"] = moment
            return
        if element.get("value"):
            ctx.problem("bad_date", element)
