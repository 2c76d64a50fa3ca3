"""Diagnoses: code and name elements to Condition, Western (ICD-10) and Chinese (disease and syndrome)."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import performers
from fhir_mapping.cda.coded import identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import rows
from fhir_mapping.cda.element import Element, squeeze
from fhir_mapping.cda.entries.common import put
from fhir_mapping.cda.times import point
from fhir_mapping.cda.wst500.codes import diagnosis_coding, with_name
from fhir_mapping.cda.wst500.facts import Fact, flatten, qualifier
from fhir_mapping.cda.wst500.generic import observation
from fhir_mapping.document import Resource

_ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_PARTS = {"diagnosis_code": "code", "diagnosis_name": "name", "tcm_code": "code", "tcm_name": "name"} | {
    "cause_code": "code",
    "cause_name": "name",
    "diagnosis_on_admission": "on_admission",
    "diagnosis_outcome": "outcome",
}
PARTS = frozenset(_PARTS)
_NEGATIVE = frozenset({"无", "-", "—", "/", "不详"})


class _Diagnosis:
    """The facts of one diagnosis, by slot: code, name, on_admission, outcome."""

    def __init__(self, kind: str, group: int) -> None:
        self.kind = kind
        self.group = group
        self.slots: dict[str, Fact] = {}


def conditions(facts: list[Fact], ctx: Context, section: Element, loinc: str) -> list[str]:
    """The Conditions of a section's diagnosis facts, and their place in ``Encounter.diagnosis``.

    What is told of a diagnosis where there is none (a result of the whole stay) is an Observation.
    """
    listed = [fact for fact in flatten(facts) if fact.part in PARTS]
    if all(_PARTS[fact.part] in ("on_admission", "outcome") for fact in listed):
        return [one for fact in listed for one in observation(fact, ctx)]
    found = []
    for one in _collect(listed, ctx, section):
        reference = _condition(one, ctx)
        if reference and reference not in found:
            found.append(reference)
            _link(one, reference, ctx, loinc)
    return found


def _kind(fact: Fact) -> str:
    if fact.part.startswith("cause"):
        return "cause"
    if fact.part.startswith("tcm"):
        return "syndrome" if "证" in qualifier(fact) and "病证" not in qualifier(fact) else "tcm"
    if "病理" in fact.label:
        return "pathology"
    return "icd"


def _collect(facts: list[Fact], ctx: Context, section: Element) -> list[_Diagnosis]:
    """Facts put together: within an organizer by adjacency; flat ones by adjacency, or in two blocks by turn."""
    found: list[_Diagnosis] = []
    latest: dict[str, _Diagnosis] = {}
    blocks = _blocks(facts, ctx, section)
    last: _Diagnosis | None = None
    for fact in facts:
        slot = _PARTS[fact.part]
        if slot in ("on_admission", "outcome"):
            if last is not None:
                last.slots.setdefault(slot, fact)
            continue
        kind = _kind(fact)
        if fact.group == 0 and kind in blocks:
            partner = blocks[kind].get(id(fact))
            current = next((one for one in found if partner is not None and partner in one.slots.values()), None)
            if partner is None and slot == "name":
                continue  # counts differ: a name that fits no code is not made a second diagnosis
        else:
            current = latest.get(kind)
            if current is not None and (slot in current.slots or current.group != fact.group):
                current = None
        if current is None:
            current = _Diagnosis(kind, fact.group)
            found.append(current)
        current.slots[slot] = fact
        latest[kind] = last = current
    return found


def _blocks(facts: list[Fact], ctx: Context, section: Element) -> dict[str, dict[int, Fact]]:
    """For each kind whose flat facts come as a block of codes and a block of names: fact -> partner, by turn."""
    found: dict[str, dict[int, Fact]] = {}
    for kind in dict.fromkeys(_kind(fact) for fact in facts if fact.group == 0):
        flat = [f for f in facts if f.group == 0 and _kind(f) == kind and _PARTS[f.part] in ("code", "name")]
        slots = [_PARTS[fact.part] for fact in flat]
        first = slots[0] if slots else ""
        size = next((place for place, slot in enumerate(slots) if slot != first), len(slots))
        if size < 2 or size == len(slots) or first in slots[size:]:
            continue
        one, other = flat[:size], flat[size:]
        found[kind] = {}
        if len(one) != len(other):
            ctx.problem("unpaired_diagnosis", section)
            continue
        for left, right in zip(one, other, strict=True):
            found[kind][id(left)], found[kind][id(right)] = right, left
    return found


def _condition(one: _Diagnosis, ctx: Context) -> str:
    code, name = one.slots.get("code"), one.slots.get("name")
    raw = code.node.one("value") if code is not None else None
    one_coding = diagnosis_coding(raw) if raw is not None else {}
    words = name.words(ctx) if name is not None else ""
    words = words or (squeeze(raw.text) if raw is not None else "")
    if not one_coding and code is not None:
        words = words or code.words(ctx)
    if words in _NEGATIVE or (not one_coding and not words):
        return ""
    found: Resource = {"resourceType": "Condition"}
    numbers = [element for fact in one.slots.values() for element in fact.node.all("id")]  # a pathology number
    put(found, identifier=identifiers(numbers))
    found["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": _clinical(one)}]}
    found["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]}
    found["category"] = [{"coding": [{"system": _CATEGORY, "code": "encounter-diagnosis"}]}]
    found["code"] = with_name(one_coding, words)
    found["subject"] = {"reference": ctx.patient}
    put(found, encounter={"reference": ctx.encounter} if ctx.encounter else None)
    put(found, recordedDate=_when(one, ctx), asserter=_asserter(one, ctx))
    remarks = [
        {"text": f"{fact.label or label}: {words}"}
        for slot, label in (("on_admission", "入院病情"), ("outcome", "治疗结果"))
        if (fact := one.slots.get(slot)) is not None and (words := fact.words(ctx))
    ]
    put(found, note=remarks)
    return ctx.add(found)


def _clinical(one: _Diagnosis) -> str:
    """治疗结果: 1 (cured) is ``resolved``, all else is active."""
    outcome = one.slots.get("outcome")
    value = outcome.node.one("value") if outcome is not None else None
    code = squeeze(value.get("code")) if value is not None else ""
    return {"1": "resolved"}.get(code, "active")


def _asserter(one: _Diagnosis, ctx: Context) -> dict[str, str] | None:
    """Who made the diagnosis; an organization as the role of somebody there."""
    for fact in one.slots.values():
        for who in performers(fact.node, ctx):
            if who.startswith("Organization/"):
                who = ctx.add({"resourceType": "PractitionerRole", "organization": {"reference": who}})
            return {"reference": who}
    return None


def _when(one: _Diagnosis, ctx: Context) -> str | None:
    for fact in one.slots.values():
        moment = ctx.clock.date_time(point(fact.node.one("effectiveTime")))
        if moment:
            return moment
    return None


def _link(one: _Diagnosis, condition: str, ctx: Context, loinc: str) -> None:
    if not ctx.encounter:
        return
    entry: dict[str, Any] = {"condition": {"reference": condition}}
    uses = [row for row in rows("cn_sections") if row["diagnosis_use"]]
    labels = " ".join(fact.label for slot, fact in one.slots.items() if slot in ("code", "name"))
    # The front page lists the diagnoses of the discharge under another section: their elements' names tell.
    named = next((row["diagnosis_use"] for row in uses if row["words"] in labels), "")
    use = named or next((row["diagnosis_use"] for row in uses if row["loinc"] == loinc), "")
    if use:
        entry["use"] = {"coding": [{"system": _ROLE, "code": use}]}
    if any("主要诊断" in fact.label + qualifier(fact) for fact in one.slots.values()):
        entry["rank"] = 1
    encounter = ctx.resource(ctx.encounter)
    listed = encounter.setdefault("diagnosis", [])
    if entry not in listed:
        listed.append(entry)
