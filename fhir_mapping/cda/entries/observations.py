"""observation to Observation: results, vital signs, social history, functional and mental status, scales, findings."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import authors, of_types, performers
from fhir_mapping.cda.attachments import content_of
from fhir_mapping.cda.coded import absent, absent_reason, concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, Node, all_text, child, children, squeeze, xsi_type
from fhir_mapping.cda.entries.common import (
    COMMENT,
    INDICATION,
    REASON,
    Section,
    base,
    code_or_words,
    is_negated,
    nested,
    notes,
    put,
    status,
    time_into,
    walk_rest,
)
from fhir_mapping.cda.quantities import bounded, decimal, quantity, ratio, simple_range
from fhir_mapping.cda.times import period
from fhir_mapping.document import Resource

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
STATUS = {
    "completed": "final",
    "active": "preliminary",
    "held": "registered",
    "new": "registered",
    "suspended": "registered",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "nullified": "entered-in-error",
    "obsolete": "entered-in-error",
}
_TRUTH = {"true": True, "1": True, "t": True, "y": True, "是": True, "有": True} | {
    "false": False,
    "0": False,
    "f": False,
    "n": False,
    "否": False,
    "无": False,
}
"""BL, and as systems write it that keep letters or Chinese words for it."""
_UNITS = "246514001"
_PREGNANCY = "2.16.840.1.113883.10.20.15.3.8"
_PERFORMERS = ("Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson")
_CODED = {"CD", "CE", "CV", "CO", "CS", "CR"}


def observation(node: Node, ctx: Context, section: Section) -> list[str]:
    """One Observation, with those nested below it as members; empty where neither code nor value say anything."""
    found = observation_resource(node, ctx, section.observation_category)
    if not found:
        return walk_rest(node, ctx, section)
    below: list[str] = []
    for _, act in nested(node):
        if act.code() == _UNITS:
            _name_unit(found, act, ctx)
        elif not act.has(COMMENT, INDICATION) and act.code() != REASON:
            below += ctx.walk(act, section)
    members = of_types(below, "Observation")
    if members:
        found["hasMember"] = members
    return [ctx.add(found), *(one for one in below if not one.startswith("Observation/"))]


def _name_unit(found: Resource, told: Node, ctx: Context) -> None:
    """An observation of the units is no finding: its words are how the unit of the value is shown."""
    words = concept(told.one("value"), ctx).get("text")
    if words and "valueQuantity" in found:
        found["valueQuantity"] = {**found["valueQuantity"], "unit": words}


def group(node: Node, ctx: Context, section: Section) -> list[str]:
    """An organizer of observations (functional status, mental status ...): an Observation over its members.

    Without a code, or where its parts are no observations, it is nothing by itself.
    """
    below = walk_rest(node, ctx, section, (COMMENT,))
    members = of_types(below, "Observation")
    code = concept(node.one("code"), ctx)
    if not members or "coding" not in code:
        return below
    found = observation_resource(node, ctx, section.observation_category)
    found["hasMember"] = members
    return [ctx.add(found), *(one for one in below if not one.startswith("Observation/"))]


def observation_resource(node: Node, ctx: Context, category: str) -> Resource:
    """The resource without members, not yet added; empty where the act says nothing."""
    code = code_or_words(node, ctx)
    values = [value for one in node.all("value") if not _is_file(one) and (value := value_of(one, ctx))]
    files = [made for one in node.all("value") if _is_file(one) and (made := _file(one, node, code, ctx))]
    found = base("Observation", node)
    found["status"] = STATUS.get(status(node), "final")
    if category:
        found["category"] = [{"coding": [{"system": CATEGORY, "code": category}]}]
    if not code and not values:
        return {}
    put(found, derivedFrom=files)
    found["code"] = _with_pregnancy(node, code) or absent(node.one("code"))
    put(found, subject={"reference": ctx.patient} if ctx.patient else None)
    time_into(found, "effective", node.one("effectiveTime"), ctx)
    _put_values(node, found, values, ctx)
    _put_context(node, found, ctx)
    return found


def _is_file(value: Element) -> bool:
    return value.get("representation") == "B64"


def _file(value: Element, node: Node, code: dict[str, Any], ctx: Context) -> dict[str, str]:
    """A value that is a file (a PDF, a picture) as the document that the finding comes from."""
    content = content_of(value, ctx)
    if not content:
        return {}
    found: Resource = {"resourceType": "DocumentReference", "status": "current"}
    put(found, type=code, subject={"reference": ctx.patient} if ctx.patient else None)
    found["content"] = [{"attachment": content}]
    return {"reference": ctx.add(found)}


def _with_pregnancy(node: Node, code: dict[str, Any]) -> dict[str, Any]:
    """A pregnancy observation, which C-CDA only asserts, has a code of its own in FHIR."""
    if not node.has(_PREGNANCY) or any(one["code"] == "82810-3" for one in code.get("coding", ())):
        return code
    asked = {"system": "http://loinc.org", "code": "82810-3", "display": "Pregnancy status"}
    return {**code, "coding": [asked, *code.get("coding", ())]}


def _put_values(node: Node, found: Resource, values: list[tuple[str, Any]], ctx: Context) -> None:
    raw = node.one("value")
    if is_negated(node):
        _negate(found, values)
        return
    if len(values) == 1:
        found["value" + values[0][0]] = values[0][1]
    elif values:
        found["component"] = [{"code": found["code"], "value" + kind: value} for kind, value in values]
    elif raw is not None and raw.get("nullFlavor"):
        found["dataAbsentReason"] = absent_reason(raw.get("nullFlavor"))
    meanings = [one for part in node.all("interpretationCode") if (one := concept(part, ctx))]
    put(found, interpretation=meanings)


def _negate(found: Resource, values: list[tuple[str, Any]]) -> None:
    """``negationInd``: the finding is not there. Its code becomes the question, ``false`` the answer."""
    coded = next((value for kind, value in values if kind == "CodeableConcept"), None)
    codes = [one.get("code") for one in found["code"].get("coding", ())]
    if coded is not None and ("ASSERTION" in codes or not codes):
        found["code"] = coded
        found["valueBoolean"] = False
    elif coded is not None:
        words = coded.get("text") or coded["coding"][0].get("display") or coded["coding"][0]["code"]
        found["valueString"] = f"Not present: {words}"
    else:
        found["dataAbsentReason"] = {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "not-performed"}]
        }


def _put_context(node: Node, found: Resource, ctx: Context) -> None:
    done_by = of_types(performers(node, ctx) or authors(node, ctx), *_PERFORMERS)
    methods = [one for part in node.all("methodCode") if (one := concept(part, ctx))]
    sites = [one for part in node.all("targetSiteCode") if (one := concept(part, ctx))]
    ranges = [one for part in node.all("referenceRange") if (one := _reference_range(part, ctx))]
    put(
        found,
        performer=done_by,
        note=notes(node, ctx),
        bodySite=sites[0] if sites else None,
        method=methods[0] if methods else None,
        specimen=specimen(node, ctx),
        referenceRange=ranges,
    )


def specimen(node: Node, ctx: Context) -> dict[str, str]:
    """A reference to the Specimen that the act names; empty where it names none."""
    for holder, role_name, player_name in (
        ("specimen", "specimenRole", "specimenPlayingEntity"),
        ("participant", "participantRole", "playingEntity"),
    ):
        for part in node.all(holder):
            if holder == "participant" and part.get("typeCode") not in ("SPC", "SBJ"):
                continue
            role = child(part, role_name)
            player = child(role, player_name) if role is not None else None
            name = all_text(child(player, "name"))
            kind = concept(child(player, "code"), ctx) or ({"text": name} if name else {})
            if not kind or role is None or (holder == "participant" and role.get("classCode") != "SPEC"):
                continue
            found: Resource = {"resourceType": "Specimen"}
            put(found, identifier=identifiers(list(children(role, "id"))), type=kind)
            put(found, subject={"reference": ctx.patient} if ctx.patient else None)
            amount = quantity(child(player, "quantity"))
            words = all_text(child(player, "desc"))
            put(found, collection={"quantity": amount} if amount else None, note=[{"text": words}] if words else None)
            return {"reference": ctx.add(found)}
    return {}


def _reference_range(element: Element, ctx: Context) -> dict[str, Any]:
    inner = child(element, "observationRange")
    if inner is None:
        return {}
    node = Node(inner)
    found: dict[str, Any] = {}
    value = node.one("value")
    if value is not None and xsi_type(value) not in _CODED:
        limits = simple_range(value)
        found.update({name: limit for name, limit in limits.items()})
    meaning = concept(node.one("interpretationCode"), ctx)
    text = ctx.words(node.one("text"))
    if not text and value is not None and not found:
        text = all_text(value) or squeeze(value.get("displayName"))
    put(found, text=text)
    if found and meaning and (meaning.get("coding") or [{}])[0].get("code") not in ("N", None):
        found["type"] = meaning
    return found


def value_of(element: Element, ctx: Context) -> tuple[str, Any] | None:
    """``("Quantity", {...})``: the value[x] of a value element, or None where it says nothing."""
    kind = xsi_type(element) or _guess(element)
    if kind in _CODED:
        coded = concept(element, ctx)
        return ("CodeableConcept", coded) if coded else None
    if kind == "PQ" or kind == "REAL" or kind == "MO":
        amount = quantity(element)
        if amount:
            return "Quantity", amount
        return _as_words(element, ctx)
    if kind == "INT":
        number = decimal(element.get("value"))
        return ("Integer", number) if isinstance(number, int) and abs(number) < 2**31 else _as_words(element, ctx)
    if kind == "BL":
        said = _TRUTH.get((element.get("value") or "").strip().lower())
        return ("Boolean", said) if said is not None else _as_words(element, ctx)
    if kind.startswith("IVL_PQ") or kind in ("IVL_INT", "IVL_REAL"):
        shape, value = bounded(element)
        return (shape, value) if value else _as_words(element, ctx)
    if kind.startswith("RTO"):
        parts = ratio(element)
        return ("Ratio", parts) if parts else None
    if kind == "TS":
        moment = ctx.clock.date_time(element.get("value"))
        return ("DateTime", moment) if moment else None
    if kind == "IVL_TS":
        span = period(element, ctx.clock)
        return ("Period", span) if span else None
    return _as_words(element, ctx)


def _as_words(element: Element, ctx: Context) -> tuple[str, str] | None:
    text = ctx.words(element) or squeeze(element.get("value")) or squeeze(element.get("extension"))
    unit = squeeze(element.get("unit"))
    original = child(element, "translation", "originalText")
    if not ctx.words(element) and original is not None and text:
        unit = unit or all_text(original)
    return ("String", f"{text} {unit}".strip() if unit and element.get("value") else text) if text else None


def _guess(element: Element) -> str:
    if element.get("code") or child(element, "originalText") is not None:
        return "CD"
    if element.get("unit") is not None or (element.get("value") and decimal(element.get("value")) is not None):
        return "PQ"
    if child(element, "low") is not None or child(element, "high") is not None:
        return "IVL_PQ"
    return "ST"
