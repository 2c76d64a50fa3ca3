"""The Chinese header's visit: numbers from the patient's role, class from the patient's kind or number, places."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.agents import practitioner
from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import column
from fhir_mapping.cda.element import Element, Node, all_text, child, squeeze
from fhir_mapping.cda.entries.common import put
from fhir_mapping.cda.places import location
from fhir_mapping.cda.times import period, point
from fhir_mapping.document import Resource

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_PLACES = {"2.16.156.10011.1.22": "bd", "2.16.156.10011.1.21": "ro", "2.16.156.10011.1.27": "wa"}
_PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_KINDS = {"1": "AMB", "2": "EMER", "3": "IMP"}
"""患者类型代码 (WS/T 364): 1 outpatient, 2 emergency, 3 inpatient."""
_ADMISSION = "2.16.156.10011.2.3.1.270"
"""入院途径代码: by what way an inpatient came, no kind of visit."""
_OTHER_KINDS = frozenset({_ADMISSION, "2.16.156.10011.2.3.1.85"})
_INPATIENT = frozenset({"C0032", "C0033", "C0034", "C0053"})
_BY_NUMBER = {"2.16.156.10011.1.11": "AMB", "2.16.156.10011.1.10": "AMB", "2.16.156.10011.1.12": "IMP"}


def belongs(element: Element) -> str:
    """To what an identifier of the header belongs: ``patient``, ``visit``, ``report`` ... by its OID."""
    return column("cn_identifiers", "oid", "belongs").get((element.get("root") or "").strip(), "patient")


def header_ids(root: Node, kind: str) -> list[Element]:
    """The identifiers of the patient's role that belong to something else: the visit, the report, the prescription."""
    role = child(root.one("recordTarget"), "patientRole")
    return [one for one in Node(role).all("id") if belongs(one) == kind] if role is not None else []


def add_encounter(root: Node, ctx: Context) -> str:
    """The reference to the visit; empty where the header says nothing of one."""
    numbers = header_ids(root, "visit")
    numbers = [one for one in numbers if squeeze(one.get("extension"))]
    inner = child(root.one("componentOf"), "encompassingEncounter")
    node = Node(inner) if inner is not None else None
    if node is None and not numbers:
        return ""
    found: Resource = {"resourceType": "Encounter"}
    put(found, identifier=identifiers([*numbers, *(node.all("id") if node else ())]))
    time = node.one("effectiveTime") if node else None
    span = period(time, ctx.clock) if time is not None and time.get("value") is None else {}
    moment = ctx.clock.date_time(point(time))
    if not span and moment:
        span = {"start": moment}
    found["status"] = "finished" if "end" in span else "unknown"
    code = node.one("code") if node else None
    found["class"] = _class(root, code, numbers)
    kind = concept(code, ctx)
    admitted = code is not None and (code.get("codeSystem") or "").strip() == _ADMISSION
    put(found, type=[kind] if kind and not admitted else None, subject={"reference": ctx.patient})
    put(found, hospitalization={"admitSource": kind} if kind and admitted else None)
    if node:
        put(found, participant=_people(node, ctx))
    put(found, period=span)
    facility = child(node.one("location"), "healthCareFacility") if node else None
    if facility is not None:
        where, keeper = places(child(facility, "serviceProviderOrganization"), ctx)
        own = location(facility, ctx) if not where and child(facility, "location") is not None else ""
        listed = where or ([own] if own else [])
        put(found, location=[{"location": {"reference": one}} for one in listed])
        put(found, serviceProvider={"reference": keeper} if keeper else None)
    return ctx.add(found)


def _class(root: Node, code: Element | None, numbers: list[Element]) -> dict[str, str]:
    """By the kind of patient, else by the kind of document or number, else unknown."""
    role = child(root.one("recordTarget"), "patientRole")
    kind = None
    for told in (child(role, "patientType", "patienttypeCode"), child(role, "patientType", "patientTypeCode"), code):
        if told is not None and (told.get("codeSystem") or "").strip() not in _OTHER_KINDS:
            kind = kind or _KINDS.get(squeeze(told.get("code")))
    kind = kind or ("IMP" if root.code() in _INPATIENT else None)
    for number in numbers:
        kind = kind or _BY_NUMBER.get((number.get("root") or "").strip())
    return {"system": _ACT_CODE, "code": kind} if kind else {"system": _NULL, "code": "UNK"}


def _people(node: Node, ctx: Context) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, code in (("responsibleParty", "ATND"), ("encounterParticipant", "")):
        for part in node.all(name):
            told = code or (part.get("typeCode") or "")
            who = practitioner(child(part, "assignedEntity"), ctx)
            if who.startswith("Practitioner/"):
                kind = told if told in ("ADM", "ATND", "CON", "DIS", "REF") else "PART"
                one = {
                    "type": [{"coding": [{"system": _PARTICIPATION, "code": kind}]}],
                    "individual": {"reference": who},
                }
                if one not in found:
                    found.append(one)
    return found


def places(element: Element | None, ctx: Context) -> tuple[list[str], str]:
    """The innermost bed, room or ward of the chain of organizations, and the department or hospital that keeps it."""
    chain: list[Element] = []
    current = element
    while current is not None:
        chain.append(current)
        current = child(current, "asOrganizationPartOf", "wholeOrganization")
    keeper = ""
    inner = ""
    for one in reversed(chain):
        kind = next((_PLACES[root] for part in Node(one).all("id") if (root := part.get("root") or "") in _PLACES), "")
        if not kind:
            keeper = _organization(one, keeper, ctx) or keeper
            continue
        found: Resource = {"resourceType": "Location"}
        put(found, identifier=identifiers(Node(one).all("id")), name=all_text(child(one, "name")))
        found["physicalType"] = {"coding": [{"system": _PHYSICAL, "code": kind}]}
        put(found, managingOrganization={"reference": keeper} if keeper else None)
        put(found, partOf={"reference": inner} if inner else None)
        if "identifier" in found or "name" in found:
            inner = ctx.add(found)
    return ([inner] if inner else []), keeper


def _organization(element: Element, whole: str, ctx: Context) -> str:
    node = Node(element)
    node.kids.pop("asOrganizationPartOf", None)
    ids, name = identifiers(node.all("id")), all_text(node.one("name"))
    if not ids and not name:
        return ""
    found: Resource = {"resourceType": "Organization"}
    put(found, identifier=ids, name=name, partOf={"reference": whole} if whole else None)
    return ctx.add(found)
