"""What Chinese headers tell of a person beyond CDA: nationality, registered address, employer, occupation, age."""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.coded import concept
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.demographics import address, addresses, telecoms
from fhir_mapping.cda.element import Element, Node, all_text, child
from fhir_mapping.cda.entries.common import put
from fhir_mapping.cda.quantities import quantity
from fhir_mapping.document import Resource

_NATIONALITY = "http://hl7.org/fhir/StructureDefinition/patient-nationality"
_NATIVE_PLACE = "urn:cloister:cda:native-place"
"""籍贯: where a family comes from, neither birth place nor address."""
_RELATION = "http://terminology.hl7.org/CodeSystem/v2-0131"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_LOINC = "http://loinc.org"


def add_particulars(record_target: Element, ctx: Context) -> None:
    """Put them into the Patient, and occupation and age, for which it has no element, beside it."""
    person = child(record_target, "patientRole", "patient")
    if person is None:
        return
    node = Node(person)
    patient = ctx.resource(ctx.patient)
    nation = concept(node.one("nationality"), ctx)
    if nation:
        one = {"url": _NATIONALITY, "extension": [{"url": "code", "valueCodeableConcept": nation}]}
        patient.setdefault("extension", []).append(one)
    home = _place(node.one("household"), ctx)
    if home and not any(_same(home, known) for known in patient.get("address", ())):
        patient.setdefault("address", []).append(home)
    origin = _place(node.one("nativePlace"), ctx)
    if origin:
        patient.setdefault("extension", []).append({"url": _NATIVE_PLACE, "valueAddress": origin})
    employer = _employer(node.one("employerOrganization"), ctx)
    if employer:
        patient.setdefault("contact", []).append(employer)
    _observed(node, ctx)


def _place(element: Element | None, ctx: Context) -> dict[str, Any]:
    where = child(element, "place", "addr")
    return address(where, ctx.clock) if where is not None else {}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {k: v for k, v in one.items() if k != "use"} == {k: v for k, v in other.items() if k != "use"}


def _employer(element: Element | None, ctx: Context) -> dict[str, Any]:
    """The employer as a contact, named there alone: an Organization would stay where names of a person must go."""
    name = all_text(child(element, "name"))
    if element is None or not name:
        return {}
    node = Node(element)
    contact, places = telecoms(node.all("telecom")), addresses(node.all("addr"), ctx.clock)
    found: dict[str, Any] = {"relationship": [{"coding": [{"system": _RELATION, "code": "E", "display": "Employer"}]}]}
    put(found, telecom=contact, address=places[0] if places else None)
    found["organization"] = {"display": name}
    return found


def _observed(node: Node, ctx: Context) -> None:
    work = concept(child(node.one("occupation"), "occupationCode"), ctx)
    if work:
        _add("social-history", {"system": _LOINC, "code": "11341-5"}, "职业", "CodeableConcept", work, ctx)
    age = node.one("age")
    years = quantity(age) if age is not None else {}
    if years and "birthDate" not in ctx.resource(ctx.patient):  # else it follows from the date of birth
        _add("", {"system": _LOINC, "code": "30525-0"}, "年龄", "Quantity", years, ctx)


def _add(category: str, coding: dict[str, str], words: str, kind: str, value: Any, ctx: Context) -> None:
    found: Resource = {"resourceType": "Observation", "status": "final"}
    put(found, category=[{"coding": [{"system": _CATEGORY, "code": category}]}] if category else None)
    found["code"] = {**({"coding": [coding]} if coding else {}), "text": words}
    found["subject"] = {"reference": ctx.patient}
    found["value" + kind] = value
    ctx.add(found)
