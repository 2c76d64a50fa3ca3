"""Allergies, diagnoses, problems, goals, pathways, procedures, accidents: AL1, IAM, IAR, DG1, PRB, GOL, PTH, PR1 ..."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fhir_mapping.hl7v2.datatypes import codes, numbers
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Draft, Walk, handles, key_of, without_number
from fhir_mapping.terminology.code_system import code_systems
from fhir_mapping.terminology.editions import diagnosis_edition, procedure_edition

_ORDERS = frozenset({"ORM", "OML", "OMG", "OMI", "OMP", "OMB", "RDE", "RDS", "RGV", "RAS", "ORR", "ORL", "ORG", "PPR"})
_WITH_REASON = frozenset({"ServiceRequest", "MedicationRequest", "MedicationAdministration", "SupplyRequest"})
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


@dataclass(frozen=True)
class _ChineseList:
    """The list that Chinese codes of a kind belong to.

    Attributes:
        shape: codes that no other list has.
        root: the system where no edition is named.
        edition: the system of the edition that a text names, or empty.
        named: beginnings of the systems that senders name for want of a better one.
    """

    shape: re.Pattern[str]
    root: str
    edition: Callable[[str], str]
    named: tuple[str, ...]


_DIAGNOSES = _ChineseList(
    re.compile(r"[A-TV-Z]\d{2}\.(?:(?:\d{3}|[xX]\d{2})[xX]\d{3}|[xX]\d{2})(?:[+*†].*)?"),
    code_systems()["icd10_gbt"].uri,
    diagnosis_edition,
    ("urn:id:", "http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.156.10011.2.3.3.11"),
)
_PROCEDURES = _ChineseList(
    re.compile(r"\d{2}\.\d{2,4}[xX]\d{2,3}"),
    code_systems()["icd9cm3_gbt"].uri,
    procedure_edition,
    ("urn:id:", "http://hl7.org/fhir/sid/icd-9", "urn:oid:2.16.156.10011.2.3.3.12"),
)


@handles("AL1", "IAM")
def allergy(walk: Walk, segment: Segment) -> None:
    """An AllergyIntolerance; IAM-6 ``D`` deletes it."""
    patient = walk.ensure_patient()
    is_deleted = segment.name == "IAM" and segment.raw(6)[:1] == "D"
    if not is_deleted and _is_empty(walk, segment, "AllergyIntolerance", 3, 5, 27):
        walk.allergy = None
        return
    found = walk.draft(
        "AllergyIntolerance", str(patient.root["id"]), key_of(segment, 2, 3), text=without_number(segment)
    )
    walk.apply(f"{segment.name}[AllergyIntolerance]", segment, found)
    if is_deleted:
        found.root.pop("clinicalStatus", None)
        code = {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"}
        found.root["verificationStatus"] = {"coding": [{**code, "code": "entered-in-error"}]}
    if _is_wrong(found.root.get("verificationStatus")):
        found.root.pop("clinicalStatus", None)
    walk.allergy = walk.notes = walk.host = found


def _is_empty(walk: Walk, segment: Segment, type_: str, *fields: int) -> bool:
    """Whether a segment names nothing, with a problem: its code is a null or not there, and so are its words."""
    if any(segment.raw(number) for number in fields):
        return False
    walk.notes = None
    walk.context.problem(f"missing:{type_}.code")
    return True


def _is_wrong(status: object) -> bool:
    return "entered-in-error" in str(status)


@handles("IAR")
def reaction(walk: Walk, segment: Segment) -> None:
    """A reaction of the allergy before it."""
    if walk.allergy is not None:
        walk.apply("IAR[AllergyIntolerance]", segment, walk.allergy)


@handles("DG1")
def diagnosis(walk: Walk, segment: Segment) -> None:
    """A Condition; with a visit it is the visit's diagnosis, too."""
    if _is_empty(walk, segment, "Condition", 3, 4):
        return
    patient = walk.ensure_patient()
    # One diagnosis on admission and in the end is one Condition, in two uses.
    text = key_of(segment, *(n for n in range(2, len(segment.fields)) if n not in (6, 15) and segment.raw(n)))
    found = walk.draft("Condition", str(patient.root["id"]), key_of(segment, 3, 4, 20), text=text)
    walk.apply("DG1[Condition]", segment, found)
    _name_system(walk, segment, found, _DIAGNOSES)
    walk.notes = found
    if segment.raw(21)[:1] == "D":
        return
    order = walk.order.request if walk.order is not None else None
    if order is not None and walk.kind[0] in _ORDERS and order.root["resourceType"] in _WITH_REASON:
        # Behind an order the diagnosis is what it is for.
        reasons = order.root.setdefault("reasonReference", [])
        if walk.reference(found) not in reasons:
            reasons.append(walk.reference(found))
        walk.link(found, "encounter", walk.visit)
    elif walk.visit is not None:
        use = {"condition": walk.reference(found), **_use(walk, segment)}
        if use not in (uses := walk.visit.root.setdefault("diagnosis", [])):
            uses.append(use)
        walk.link(found, "encounter", walk.visit)


def _name_system(walk: Walk, segment: Segment, draft: Draft, chinese: _ChineseList) -> None:
    """Until 2.3 the coding method (field 2) named the code system; it does where the code itself does not.

    A code of a Chinese list, told by its shape or by what the sender calls it, has the system of that edition.
    """
    method = segment.raw(2).strip()
    system = walk.context.tables.systems.get(method.upper())
    for coding in draft.root.get("code", {}).get("coding", [])[:1]:
        if "code" not in coding:
            continue
        if system:
            coding.setdefault("system", system)
        if coding.get("system", "urn:id:").startswith(chinese.named):
            parts = walk.context.parts(segment.raw(3))
            said = " ".join([method, *(walk.context.at(parts, n) or "" for n in (3, 7))])
            found = chinese.edition(said) or (chinese.root if chinese.shape.fullmatch(coding["code"]) else "")
            coding.update({"system": found} if found else {})


def _use(walk: Walk, segment: Segment) -> dict[str, object]:
    found: dict[str, object] = {}
    walk.context.where = "DG1-6"
    if segment.raw(6) and (use := codes.concept(walk.context, segment.raw(6), "DiagnosisType")):
        found["use"] = use
    rank = numbers.integer(walk.context.text(segment.raw(15)))
    if rank and rank > 0:
        found["rank"] = rank
    return found


@handles("PRB")
def problem(walk: Walk, segment: Segment) -> None:
    """A problem of the problem list; action code ``DE`` deletes it."""
    patient = walk.ensure_patient()
    found = walk.draft("Condition", str(patient.root["id"]), key_of(segment, 3, 4), text=without_number(segment))
    walk.apply("PRB[Condition]", segment, found)
    if segment.raw(1)[:2] == "DE":
        found.root["verificationStatus"] = {"coding": [{"system": _VERIFIED, "code": "entered-in-error"}]}
    if "entered-in-error" in str(found.root.get("verificationStatus")):
        found.root.pop("clinicalStatus", None)
    walk.link_one(found, "encounter", walk.visit)
    walk.problem = walk.notes = walk.host = found


@handles("GOL")
def goal(walk: Walk, segment: Segment) -> None:
    """A Goal; the problem before it is what it addresses. Action code ``DE`` deletes it."""
    patient = walk.ensure_patient()
    found = walk.draft("Goal", str(patient.root["id"]), key_of(segment, 3, 4), text=without_number(segment))
    if segment.raw(1)[:2] == "DE":
        found.root["lifecycleStatus"] = "entered-in-error"
    walk.apply("GOL[Goal]", segment, found)
    if walk.problem is not None:
        found.root["addresses"] = [walk.reference(walk.problem)]
    walk.notes = walk.host = found


@handles("PTH")
def pathway(walk: Walk, segment: Segment) -> None:
    """A clinical pathway is a CarePlan; the problem before it is what it addresses. Action code ``DE`` deletes it."""
    patient = walk.ensure_patient()
    found = walk.draft("CarePlan", str(patient.root["id"]), key_of(segment, 2, 3), text=without_number(segment))
    if segment.raw(1)[:2] == "DE":
        found.root["status"] = "entered-in-error"
    walk.apply("PTH[CarePlan]", segment, found)
    if walk.problem is not None:
        found.root["addresses"] = [walk.reference(walk.problem)]
    walk.link_one(found, "encounter", walk.visit)
    walk.notes = walk.host = found


@handles("PR1")
def procedure(walk: Walk, segment: Segment) -> None:
    """A Procedure of the visit; PR1-20 ``D`` deletes it."""
    if _is_empty(walk, segment, "Procedure", 3, 4):
        return
    patient = walk.ensure_patient()
    found = walk.draft("Procedure", str(patient.root["id"]), key_of(segment, 3, 5, 19), text=without_number(segment))
    walk.apply("PR1[Procedure]", segment, found)
    _name_system(walk, segment, found, _PROCEDURES)
    if segment.raw(20)[:1] == "D":
        found.root["status"] = "entered-in-error"
    walk.link(found, "encounter", walk.visit)
    _take_charged(walk, found)
    walk.procedure = walk.notes = walk.host = found


def _take_charged(walk: Walk, done: Draft) -> None:
    """A charge names the procedure (FT1-25) that a segment behind it describes: one Procedure, which it points at."""
    charge, charged = walk.charge, walk.charged
    if charge is None or charged is None or not _codes(charged) & _codes(done):
        return
    walk.forget(charged)
    for element, value in charged.root.items():
        done.root.setdefault(element, value)
    charge.root["service"] = [walk.reference(done)]
    walk.charged = None


def _codes(draft: Draft) -> set[str]:
    return {coding["code"] for coding in draft.root.get("code", {}).get("coding", []) if "code" in coding}


@handles("ACC")
def accident(walk: Walk, segment: Segment) -> None:
    """An accident as an Observation: when, what kind, where."""
    patient = walk.ensure_patient()
    if not any(segment.raw(number) for number in (1, 2, 3, 8, 9)):
        return
    found = walk.draft("Observation", str(patient.root["id"]), "accident", without_number(segment))
    found.root["status"] = "final"
    code = {"system": "http://loinc.org", "code": "11374-6", "display": "Injury incident description Narrative"}
    found.root["code"] = {"coding": [code]}
    walk.apply("ACC[Observation]", segment, found)
    walk.link(found, "encounter", walk.visit)
    if segment.raw(3) or segment.raw(11):
        place = walk.draft("Location", "accident", key_of(segment, 3, 11))
        place.root["mode"] = "instance"
        walk.apply("ACC[Location]", segment, place)
        url = "http://hl7.org/fhir/StructureDefinition/event-location"
        found.root.setdefault("extension", []).append({"url": url, "valueReference": walk.reference(place)})
