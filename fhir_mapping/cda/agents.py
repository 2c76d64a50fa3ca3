"""Participants to Practitioner, PractitionerRole, Organization, RelatedPerson, Device and Location, each once.

An entity that names nobody and carries no identifier makes no resource. A person with an organization or a specialty
makes a PractitionerRole beside the Practitioner; references go to the person.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.demographics import addresses, names, telecoms
from fhir_mapping.cda.element import Element, Node, all_text, child, children
from fhir_mapping.cda.places import organization

_PERSONS = (
    "assignedPerson",
    "associatedPerson",
    "informationRecipient",
    "relatedPerson",
    "playingEntity",
    "guardianPerson",
)
_ORGANIZATIONS = (
    "representedOrganization",
    "representedCustodianOrganization",
    "scopingOrganization",
    "receivedOrganization",
    "providerOrganization",
    "serviceProviderOrganization",
    "manufacturerOrganization",
)
_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_ROLE_CODE = "2.16.840.1.113883.5.111"
_SELF = frozenset({"SELF", "ONESELF"})
_RELATIVE_CODES = """
FAMMEMB CHILD CHLDADOPT DAU DAUC DAUADOPT SON SONC SONADOPT PRN MTH FTH NMTH NFTH MTHFOST FTHFOST STPMTH STPFTH SIB BRO
SIS NSIB SPS HUSB WIFE DOMPART SIGOTHR GRPRN GRMTH GRFTH GRNDCHILD GRNDDAU GRNDSON AUNT UNCLE COUSN NEPHEW NIECE
NIENEPH EXT INLAW MTHINLAW FTHINLAW FRND NBOR ROOM GUADLTM POWATT HPOWATT DPOWATT SPOWATT
"""
_RELATIVES = frozenset(_RELATIVE_CODES.split())
_PROFESSIONS = {"http://nucc.org/provider-taxonomy", "http://snomed.info/sct"}
PERSONAL = frozenset({"NOK", "ECON", "PRS", "GUARD", "GUAR", "CAREGIVER", "CON", "DEPEN", "POLHOLD"})
"""RoleClass of people who are there for the patient and do not treat; each becomes a RelatedPerson."""


def practitioner(entity: Element | None, ctx: Context) -> str:
    """The reference to the person of an assignedEntity, assignedAuthor or the like; empty where there is none.

    A device author gives ``Device/...``, the patient as author ``Patient/...``, an organization alone its own.
    """
    if entity is None:
        return ""
    node = Node(entity)
    device = node.one("assignedAuthoringDevice")
    if device is not None:
        return _authoring_device(node, Node(device), ctx)
    person = next((node.one(name) for name in _PERSONS if node.one(name) is not None), None)
    place = organization(next((node.one(name) for name in _ORGANIZATIONS if node.one(name) is not None), None), ctx)
    found: dict[str, Any] = {"resourceType": "Practitioner"}
    ids = identifiers(node.all("id"))
    if ctx.patient and (_is_patient(ids, ctx) or _relation(node) in _SELF):
        called = names(list(children(person, "name")), ctx.clock) if person is not None else []
        if called:
            ctx.resource(ctx.patient).setdefault("name", called)
        return ctx.patient
    if person is not None and _relation(node) in _RELATIVES and (close := related_person(entity, person, ctx)):
        return close
    called = names(list(children(person, "name")), ctx.clock) if person is not None else []
    if not called and (not ids or (place and _all_of(place, ctx, ids))):
        return place
    if ids:
        found["identifier"] = ids
    if called:
        found["name"] = called
    for name, values in (
        ("telecom", telecoms(node.all("telecom"))),
        ("address", addresses(node.all("addr"), ctx.clock)),
    ):
        if values:
            found[name] = values
    reference = ctx.add(found)
    _role(node, reference, place, ctx)
    return reference


def _all_of(place: str, ctx: Context, ids: list[dict[str, Any]]) -> bool:
    """Whether an organization without a person carries all these numbers itself."""
    return all(one in ctx.resource(place).get("identifier", ()) for one in ids)


def _is_patient(ids: list[dict[str, Any]], ctx: Context) -> bool:
    """Whether the entity carries a number of the patient: then it is the patient, in whatever part."""
    return bool(ids) and any(one in ctx.resource(ctx.patient).get("identifier", ()) for one in ids)


def _relation(node: Node) -> str:
    """The entity's code where it is a personal relationship (RoleCode), else empty."""
    code = node.one("code")
    return (code.get("code") or "") if code is not None and code.get("codeSystem") == _ROLE_CODE else ""


def _role(node: Node, person: str, place: str, ctx: Context) -> None:
    specialty = concept(node.one("code"), ctx)
    if not specialty and not place:
        return
    role: dict[str, Any] = {"resourceType": "PractitionerRole", "practitioner": {"reference": person}}
    if place:
        role["organization"] = {"reference": place}
    if specialty:
        # CDA has one code for both: taxonomies of professions are specialties, other codes say the part played.
        systems = {one.get("system", "") for one in specialty.get("coding", ())}
        role["specialty" if systems & _PROFESSIONS else "code"] = [specialty]
    ctx.add(role)


def _authoring_device(node: Node, device: Node, ctx: Context) -> str:
    found: dict[str, Any] = {"resourceType": "Device"}
    ids = identifiers(node.all("id"))
    labels = [
        {"name": name, "type": kind}
        for part, kind in (("manufacturerModelName", "model-name"), ("softwareName", "other"))
        if (name := all_text(device.one(part)))
    ]
    if not ids and not labels:
        return organization(node.one("representedOrganization"), ctx)
    if ids:
        found["identifier"] = ids
    if labels:
        found["deviceName"] = labels
    owner = organization(node.one("representedOrganization"), ctx)
    if owner:
        found["owner"] = {"reference": owner}
    return ctx.add(found)


def related_person(
    entity: Element,
    person: Element | None,
    ctx: Context,
    *,
    class_code: str = "",
    function: Element | None = None,
) -> str:
    """The reference to somebody close to the patient; empty where nobody is named or the patient is unknown."""
    node = Node(entity)
    called = names(list(children(person, "name")), ctx.clock) if person is not None else []
    ids = identifiers(node.all("id"))
    if not ctx.patient or not (called or ids):
        return ""
    found: dict[str, Any] = {"resourceType": "RelatedPerson"}
    if ids:
        found["identifier"] = ids
    found["patient"] = {"reference": ctx.patient}
    relations = []
    relations += [told for one in (node.one("code"), function) if (told := concept(one, ctx))]
    if class_code in PERSONAL and class_code != "PRS":
        relations.append({"coding": [{"system": _ROLE_CLASS, "code": class_code}]})
    if relations:
        found["relationship"] = relations
    if called:
        found["name"] = called
    for name, values in (
        ("telecom", telecoms(node.all("telecom"))),
        ("address", addresses(node.all("addr"), ctx.clock)),
    ):
        if values:
            found[name] = values
    return ctx.add(found)


def performers(node: Node, ctx: Context) -> list[str]:
    """The references of an act's performers, each once."""
    return _each(node.all("performer"), "assignedEntity", ctx)


def authors(node: Node, ctx: Context) -> list[str]:
    """The references of an act's authors, each once."""
    return _each(node.all("author"), "assignedAuthor", ctx)


def _each(elements: list[Element], part: str, ctx: Context) -> list[str]:
    found: list[str] = []
    for element in elements:
        reference = practitioner(child(element, part), ctx)
        if reference and reference not in found:
            found.append(reference)
    return found


def of_types(references: list[str], *types: str) -> list[dict[str, str]]:
    """References as FHIR writes them, of the types that the element takes."""
    return [{"reference": one} for one in references if one.partition("/")[0] in types]
