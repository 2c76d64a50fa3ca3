"""What was prescribed, ordered and done: substanceAdministration, procedures and orders; allergies told in words."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import of_types, performers, practitioner
from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Node, all_text, child, squeeze
from fhir_mapping.cda.entries.common import base, put, requested_by, time_into
from fhir_mapping.cda.entries.dosage import dosage, taken_time
from fhir_mapping.cda.entries.drugs import medication_choice
from fhir_mapping.cda.quantities import decimal, quantity
from fhir_mapping.cda.times import period
from fhir_mapping.cda.wst500.codes import procedure_coding, with_name
from fhir_mapping.cda.wst500.encounter import places
from fhir_mapping.cda.wst500.facts import Fact, flatten, nested_facts
from fhir_mapping.cda.wst500.generic import observation
from fhir_mapping.document import Resource
from fhir_mapping.terminology.ucum import ucum_code

PROCEDURE_PARTS = frozenset({"procedure_name", "procedure_code"})
_STATES = ((("取消", "作废", "停止"), "revoked"), (("已执行", "完成", "执行完毕"), "completed"))
"""Words of 医嘱执行状态 and the status of the order."""
ORDER_PARTS = frozenset({"order_kind", "order_content", "order_state"})
ALLERGY_PARTS = frozenset({"allergy_flag", "allergy_words"})
SUPPLY_PARTS = frozenset({"supply_days", "supply_total"})
_A_DAY = frozenset({"次/日", "次/天", "/d", "次/d", "{次}/d"})
_VERIFIER = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
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
    how = _dosage(node, ctx, bounds=use == "order")
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


def _dosage(node: Node, ctx: Context, *, bounds: bool) -> dict[str, Any]:
    """A Dosage whose frequency stands in ``rateQuantity``: a code beside it, words, or times a day."""
    how = dosage(node, ctx, sig="", advice="", bounds=bounds)
    element = node.one("rateQuantity")
    if element is None:
        return how
    for rate in how.get("doseAndRate", ()):
        rate.pop("rateQuantity", None)
    how = {name: value for name, value in how.items() if name != "doseAndRate" or value != [{}]}
    told = concept(child(element, "translation"), ctx)
    value, unit = squeeze(element.get("value")), squeeze(element.get("unit"))
    number = decimal(value)
    if not told and value:
        told = {"text": f"{value}{unit}"}
        if unit in _A_DAY and isinstance(number, int) and number > 0:
            how.setdefault("timing", {})["repeat"] = {"frequency": number, "period": 1, "periodUnit": "d"}
    if told:
        how.setdefault("timing", {})["code"] = told
    return how


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
    shown = concept(element, ctx).get("text", "")
    code = with_name(one, name or ("" if one.get("display") else shown))
    if not code:
        ctx.problem("no_code", node.element)
        return []
    found = base("Procedure", node)
    found["status"] = "completed"
    found["code"] = code
    found["subject"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    time_into(found, "performed", node.one("effectiveTime"), ctx)
    put(found, performer=_operators(node, ctx))
    sites = [site for part in node.all("targetSiteCode") if (site := concept(part, ctx))]
    sites += [{"text": words} for fact in own if fact.part == "procedure_site" and (words := fact.words(ctx))]
    put(found, bodySite=sites)
    reference = ctx.add(found)
    used = PROCEDURE_PARTS | {"procedure_site"}
    details = [fact for fact in nested_facts(node) if fact.part not in used]
    return [reference, *(made for fact in details for made in observation(fact, ctx, part_of=reference))]


def _operators(node: Node, ctx: Context) -> list[dict[str, Any]]:
    """The surgeon and, as participants, the assistants, each with what they were."""
    found: list[dict[str, Any]] = []
    for part in (*node.all("performer"), *node.all("participant")):
        entity = child(part, "assignedEntity")
        entity = child(part, "participantRole") if entity is None else entity
        for who in of_types([practitioner(entity, ctx)], "Practitioner", "Organization"):
            function = concept(child(entity, "code"), ctx)
            one = {**({"function": function} if function else {}), "actor": who}
            if one not in found:
                found.append(one)
    return found


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
        span = period(fact.node.one("effectiveTime"), ctx.clock)
        put(one, occurrencePeriod=span)
        requested_by(fact.node, one, ctx)
        put(one, performer=of_types(performers(fact.node, ctx), "Practitioner", "Organization"))
        state = next((f.words(ctx) for f in fact.below if f.part == "order_state"), "")
        state = state or next(
            (f.words(ctx) for f in facts if f.part == "order_state" and f.group == fact.group and f.group), ""
        )
        one["status"] = next((code for words, code in _STATES if any(word in state for word in words)), "unknown")
        remarks = [f"医嘱执行状态: {state}"] if state else []
        remarks += [words for f in fact.below if f.part == "remark" and (words := f.words(ctx))]
        put(one, note=[{"text": words} for words in remarks])
        reference = ctx.add(one)
        _verified(fact.node, reference, ctx)
        found.append(reference)
    return found


def _verified(node: Node, reference: str, ctx: Context) -> None:
    """Who checked or cancelled an order, and when, as its Provenance."""
    for part in node.all("participant"):
        who = practitioner(child(part, "participantRole"), ctx)
        told = child(part, "time")
        when = ctx.clock.instant(told.get("value")) if told is not None else None
        if who.startswith("Practitioner/") and when:
            agent = {"type": {"coding": [{"system": _VERIFIER, "code": "verifier"}]}, "who": {"reference": who}}
            kept: Resource = {"resourceType": "Provenance", "target": [{"reference": reference}], "recorded": when}
            ctx.add({**kept, "agent": [agent]})


def transfer(node: Node, ctx: Context) -> bool:
    """An act without code whose author is a department: where the patient was in this stay; whether it is one."""
    author = child(node.one("author"), "assignedAuthor")
    place = child(author, "representedOrganization")
    if node.code() or node.one("value") is not None or place is None or child(author, "assignedPerson") is not None:
        return False
    where, keeper = places(place, ctx)
    name = all_text(child(place, "name"))
    if not where and (name or keeper):
        found: Resource = {"resourceType": "Location"}
        put(found, name=name, managingOrganization={"reference": keeper} if keeper else None)
        where = [ctx.add(found)]
    if ctx.encounter:
        listed = ctx.resource(ctx.encounter).setdefault("location", []) if where else []
        listed += [one for ref in where if (one := {"location": {"reference": ref}}) not in listed]
    return True


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
    if fact.part == "stay_destination":
        words = fact.words(ctx)
        if words:
            where = ctx.add({"resourceType": "Organization", "name": words})
            encounter.setdefault("hospitalization", {})["destination"] = {"reference": where}
        return bool(words)
    told = concept(fact.node.one("value"), ctx)
    if not told:
        return False
    name = "dischargeDisposition" if fact.part == "stay_disposition" else "admitSource"
    encounter.setdefault("hospitalization", {}).setdefault(name, told)
    return True
