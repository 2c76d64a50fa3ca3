"""What was prescribed, ordered and done: substanceAdministration, procedures and orders; allergies told in words."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import of_types, performers
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, all_text, child
from fhir_mapping.cda.entries.common import base, put, time_into
from fhir_mapping.cda.entries.dosage import dosage, taken_time
from fhir_mapping.cda.entries.drugs import medication_choice
from fhir_mapping.cda.quantities import decimal, quantity
from fhir_mapping.cda.wst500.codes import procedure_coding, with_name
from fhir_mapping.cda.wst500.facts import Fact, flatten, nested_facts
from fhir_mapping.cda.wst500.generic import observation
from fhir_mapping.document import Resource
from fhir_mapping.terminology.ucum import ucum_code

PROCEDURE_PARTS = frozenset({"procedure_name", "procedure_code"})
ORDER_PARTS = frozenset({"order_kind", "order_content", "order_state"})
ALLERGY_PARTS = frozenset({"allergy_flag", "allergy_words"})
SUPPLY_PARTS = frozenset({"supply_days", "supply_total"})
_NEGATIVE = ("无", "否认", "未发现", "不详")
_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_NO_KNOWN_ALLERGY = {"system": "http://snomed.info/sct", "code": "716186003", "display": "No known allergy"}


def medication(node: Node, ctx: Context, use: str, shared: list[Fact], group: list[dict[str, Any]]) -> list[str]:
    """A prescription line as MedicationRequest (``use`` ``order``), else what was taken as MedicationStatement.

    ``shared`` are facts of the section that hold for all its lines (days of supply, remarks).
    """
    drug = medication_choice(node, ctx)
    if not drug:
        ctx.problem("no_medication", node.element)
        return []
    own = flatten(nested_facts(node))
    how = dosage(node, ctx, sig="", advice="", bounds=use == "order")
    rate = concept(child(node.one("rateQuantity"), "translation"), ctx) if node.one("rateQuantity") is not None else {}
    if rate:
        how.setdefault("timing", {})["code"] = rate
    remarks = [
        {"text": f"{fact.label}: {text}" if fact.label else text}
        for fact in [*own, *shared]
        if fact.part not in SUPPLY_PARTS and (text := fact.words(ctx))
    ]
    if use != "order":
        found = base("MedicationStatement", node)
        found["status"] = "unknown"
        found.update(drug)
        found["subject"] = {"reference": ctx.patient}
        put(found, context={"reference": ctx.encounter} if ctx.encounter else None)
        taken_time(node, found, "effective", ctx)
        put(found, note=remarks, dosage=[how] if how else None)
        return [ctx.add(found)]
    found = base("MedicationRequest", node)
    put(found, groupIdentifier=group[0] if group else None)
    found["status"], found["intent"] = "active", "order"
    found.update(drug)
    found["subject"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None, note=remarks)
    put(found, dosageInstruction=[how] if how else None, dispenseRequest=_dispense([*own, *shared]))
    return [ctx.add(found)]


def _dispense(facts: list[Fact]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fact in facts:
        amount = quantity(fact.node.one("value"))
        if fact.part == "supply_total" and amount:
            found.setdefault("quantity", amount)
        elif fact.part == "supply_days" and amount:
            code = ucum_code(str(amount.get("unit", ""))) or "d"
            length = {"value": amount["value"], "unit": amount.get("unit", "天")}
            if code in ("d", "wk", "mo", "h"):
                found.setdefault(
                    "expectedSupplyDuration", {**length, "system": "http://unitsofmeasure.org", "code": code}
                )
    return found


def procedure(node: Node, ctx: Context) -> list[str]:
    """A Procedure act with what is told of it (level, incision, healing, anaesthesia) as Observations of it."""
    own = flatten(nested_facts(node))
    element = node.one("code")
    one = procedure_coding(element) if element is not None else {}
    name = next((fact.words(ctx) for fact in own if fact.part == "procedure_name"), "")
    code = with_name(one, name or ("" if one.get("display") else all_text(child(element, "originalText"))))
    if not code:
        ctx.problem("no_code", node.element)
        return []
    found = base("Procedure", node)
    found["status"] = "completed"
    found["code"] = code
    found["subject"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    time_into(found, "performed", node.one("effectiveTime"), ctx)
    put(found, performer=[{"actor": who} for who in of_types(performers(node, ctx), "Practitioner", "Organization")])
    sites = [site for part in node.all("targetSiteCode") if (site := concept(part, ctx))]
    put(found, bodySite=sites)
    reference = ctx.add(found)
    details = [fact for fact in nested_facts(node) if fact.part not in PROCEDURE_PARTS]
    return [reference, *(made for fact in details for made in observation(fact, ctx, part_of=reference))]


def flat_procedures(facts: list[Fact], ctx: Context) -> list[str]:
    """Procedures told by name and code elements alone, in order."""
    groups: list[dict[str, Fact]] = []
    for fact in facts:
        slot = fact.part
        if not groups or slot in groups[-1] or any(one.group != fact.group for one in groups[-1].values()):
            groups.append({})
        groups[-1][slot] = fact
    found = []
    for group in groups:
        name, code = group.get("procedure_name"), group.get("procedure_code")
        raw = code.node.one("value") if code is not None else None
        words = name.words(ctx) if name is not None else ""
        told = with_name(procedure_coding(raw) if raw is not None else {}, words)
        if not told or words in _NEGATIVE:
            continue
        one: Resource = {"resourceType": "Procedure", "status": "completed", "code": told}
        one["subject"] = {"reference": ctx.patient}
        put(one, encounter={"reference": ctx.encounter} if ctx.encounter else None)
        first = next(iter(group.values()))
        time_into(one, "performed", first.node.one("effectiveTime"), ctx)
        found.append(ctx.add(one))
    return found


def orders(facts: list[Fact], ctx: Context) -> list[str]:
    """Orders in words: one ServiceRequest a content, its kind beside it in the same organizer or just before it."""
    found = []
    kind: Fact | None = None
    for fact in facts:
        if fact.part == "order_kind":
            kind = fact
            continue
        text = fact.words(ctx) if fact.part == "order_content" else ""
        if not text or text in _NEGATIVE:
            continue
        one: Resource = {"resourceType": "ServiceRequest", "status": "unknown", "intent": "order"}
        told = concept(kind.node.one("value"), ctx) if kind is not None and kind.group == fact.group else {}
        put(one, category=[told] if told else None)
        one["code"] = {"text": text}
        one["subject"] = {"reference": ctx.patient}
        put(one, encounter={"reference": ctx.encounter} if ctx.encounter else None)
        state = next((f.words(ctx) for f in facts if f.part == "order_state" and f.group == fact.group and f.group), "")
        put(one, note=[{"text": f"医嘱执行状态: {state}"}] if state else None)
        found.append(ctx.add(one))
    return found


def allergies(facts: list[Fact], ctx: Context) -> list[str]:
    """The allergy that the flag denies or the words tell; a bare "yes" stays an Observation."""
    words = [text for fact in facts if fact.part == "allergy_words" and (text := fact.words(ctx))]
    flags = [told[1] for fact in facts if fact.part == "allergy_flag" and (told := fact.value(ctx)) is not None]
    denied = False in flags or (bool(words) and all(text.startswith(_NEGATIVE) for text in words))
    substances = [text for text in words if not text.startswith(_NEGATIVE)]
    if substances:
        return [_allergy({"text": text}, ctx) for text in substances]
    if denied:
        return [_allergy({"coding": [dict(_NO_KNOWN_ALLERGY)], **({"text": words[0]} if words else {})}, ctx)]
    return [one for fact in facts for one in observation(fact, ctx)]


def _allergy(code: dict[str, Any], ctx: Context) -> str:
    found: Resource = {"resourceType": "AllergyIntolerance"}
    found["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": "active"}]}
    found["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]}
    found["code"] = code
    found["patient"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    return ctx.add(found)


def stay(fact: Fact, ctx: Context) -> bool:
    """Length of stay, disposition and admit source into the Encounter; whether the fact found its place there."""
    if not ctx.encounter:
        return False
    encounter = ctx.resource(ctx.encounter)
    if fact.part == "stay_length":
        raw = fact.node.one("value")
        number = decimal(raw.get("value")) if raw is not None else None
        if number is None:
            return False
        unit = (raw.get("unit") if raw is not None else None) or "天"
        if ucum_code(unit) != "d":
            return False
        encounter["length"] = {"value": number, "unit": unit, "system": "http://unitsofmeasure.org", "code": "d"}
        return True
    told = concept(fact.node.one("value"), ctx)
    if not told:
        return False
    name = "dischargeDisposition" if fact.part == "stay_disposition" else "admitSource"
    encounter.setdefault("hospitalization", {}).setdefault(name, told)
    return True
