"""recordTarget to Patient and its guardian to RelatedPerson, with the extensions of US Core and FHIR for persons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_mapping.cda.agents import related_person
from fhir_mapping.cda.coded import coding, concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.demographics import address, addresses, names, telecoms
from fhir_mapping.cda.element import Element, Node, child, squeeze
from fhir_mapping.cda.places import organization

_GENDER = {"M": "male", "F": "female", "UN": "other", "U": "unknown", "O": "other"}
_GENDER_CN = {"1": "male", "2": "female", "0": "unknown", "9": "unknown", "5": "other", "6": "other"}
_GENDER_WORDS = {"男": "male", "男性": "male", "女": "female", "女性": "female", "未知": "unknown", "未说明": "unknown"}
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
_CHINA = "http://hl7.org.cn/fhir/StructureDefinition/ext-person-"
_GENDER_OID, _ETHNIC_OID = "2.16.156.10011.2.3.3.4", "2.16.156.10011.2.3.3.3"
_CDC = "2.16.840.1.113883.6.238"
_OMB_RACE = frozenset({"1002-5", "2028-9", "2054-5", "2076-8", "2106-3"})
_OMB_ETHNICITY = frozenset({"2135-2", "2186-5"})
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_PROFICIENCY = "http://hl7.org/fhir/StructureDefinition/patient-proficiency"
_RELIGION = "http://hl7.org/fhir/StructureDefinition/patient-religion"
_DISPLAY = {
    "1002-5": "American Indian or Alaska Native",
    "2028-9": "Asian",
    "2054-5": "Black or African American",
    "2076-8": "Native Hawaiian or Other Pacific Islander",
    "2106-3": "White",
    "2135-2": "Hispanic or Latino",
    "2186-5": "Not Hispanic or Latino",
}


def add_patient(record_target: Element, ctx: Context, *, own: Callable[[Element], bool] = lambda one: True) -> str:
    """The reference to the document's patient; empty where the role is missing.

    ``own`` says which of the role's identifiers are the patient's: Chinese headers put the visit's among them.
    """
    role = child(record_target, "patientRole")
    if role is None:
        return ""
    node = Node(role)
    person = node.node("patient")
    found: dict[str, Any] = {"resourceType": "Patient"}
    ids = identifiers([one for one in (*node.all("id"), *(person.all("id") if person else ())) if own(one)])
    if person is not None:
        extensions = _extensions(person, ctx)
        if extensions:
            found["extension"] = extensions
    if ids:
        found["identifier"] = ids
    if person is not None:
        found.update(_person(person, ctx))
    for name, values in (
        ("telecom", telecoms(node.all("telecom"))),
        ("address", addresses(node.all("addr"), ctx.clock)),
    ):
        if values:
            found[name] = values
    keeper = organization(node.one("providerOrganization"), ctx)
    if keeper:
        found["managingOrganization"] = {"reference": keeper}
    reference = ctx.add(found)
    ctx.patient = reference
    for guardian in person.all("guardian") if person else ():
        related_person(guardian, child(guardian, "guardianPerson"), ctx, class_code="GUARD")
        organization(child(guardian, "guardianOrganization"), ctx)
    return reference


def _person(person: Node, ctx: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    called = names(person.all("name"), ctx.clock)
    if called:
        found["name"] = called
    gender = _gender(person.one("administrativeGenderCode"))
    if gender:
        found["gender"] = gender
        _gender_extension(person.one("administrativeGenderCode"), found)
    _birth(person, found, ctx)
    _death(person, found, ctx)
    marital = concept(person.one("maritalStatusCode"), ctx)
    if marital:
        found["maritalStatus"] = marital
    if (birth_order := person.one("multipleBirthOrderNumber")) is not None and (
        birth_order.get("value") or ""
    ).isdigit():
        found["multipleBirthInteger"] = int(birth_order.get("value") or 0)
    elif (multiple := person.one("multipleBirthInd")) is not None and multiple.get("value") in ("true", "false"):
        found["multipleBirthBoolean"] = multiple.get("value") == "true"
    spoken = [one for part in person.all("languageCommunication") if (one := _communication(part))]
    if spoken:
        found["communication"] = spoken
    return found


def _gender(element: Element | None) -> str:
    if element is None:
        return ""
    code = squeeze(element.get("code"))
    system = element.get("codeSystem") or ""
    if system.startswith("2.16.156."):
        return _GENDER_CN.get(code) or _GENDER.get(code.upper(), "")
    words = _GENDER_WORDS.get(squeeze(element.get("displayName")), "")
    return _GENDER.get(code.upper()) or words or _GENDER_CN.get(code, "")


def _gender_extension(element: Element | None, found: dict[str, Any]) -> None:
    """HL7 China: the code of GB/T 2261.1 beside FHIR's own."""
    if element is not None and (element.get("codeSystem") or "").strip() == _GENDER_OID:
        found["_gender"] = {"extension": [{"url": _CHINA + "gender", "valueCoding": coding(element)}]}


def _birth(person: Node, found: dict[str, Any], ctx: Context) -> None:
    element = person.one("birthTime")
    if element is None or not element.get("value"):
        return
    date = ctx.clock.date(element.get("value"))
    if date is None:
        ctx.problem("bad_date", element)
        return
    found["birthDate"] = date
    moment = ctx.clock.instant(element.get("value"))
    if moment:
        url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
        found["_birthDate"] = {"extension": [{"url": url, "valueDateTime": moment}]}


def _death(person: Node, found: dict[str, Any], ctx: Context) -> None:
    moment, flag = person.one("sdtc:deceasedTime"), person.one("sdtc:deceasedInd")
    when = ctx.clock.date_time(moment.get("value")) if moment is not None else None
    if when:
        found["deceasedDateTime"] = when
    elif flag is not None and flag.get("value") in ("true", "false"):
        found["deceasedBoolean"] = flag.get("value") == "true"


def _communication(element: Element) -> dict[str, Any]:
    node = Node(element)
    code = node.one("languageCode")
    tag = squeeze(code.get("code")) if code is not None else ""
    if not tag:
        return {}
    found: dict[str, Any] = {}
    ability = [
        {"url": url, "valueCoding": one}
        for name, url in (("proficiencyLevelCode", "level"), ("modeCode", "type"))
        for part in node.all(name)
        if (one := coding(part))
    ]
    if ability:
        found["extension"] = [{"url": _PROFICIENCY, "extension": ability}]
    found["language"] = {"coding": [{"system": "urn:ietf:bcp:47", "code": tag}]}
    preferred = node.one("preferenceInd")
    if preferred is not None and preferred.get("value") in ("true", "false"):
        found["preferred"] = preferred.get("value") == "true"
    return found


def _extensions(person: Node, ctx: Context) -> list[dict[str, Any]]:
    found = []
    for kind, code, more, omb in (
        ("race", "raceCode", "sdtc:raceCode", _OMB_RACE),
        ("ethnicity", "ethnicGroupCode", "sdtc:ethnicGroupCode", _OMB_ETHNICITY),
    ):
        extension = _race(kind, [*person.all(code), *person.all(more)], omb)
        if extension:
            found.append(extension)
    for part in person.all("ethnicGroupCode"):
        if (part.get("codeSystem") or "").strip() == _ETHNIC_OID and (one := coding(part)):
            found.append({"url": _CHINA + "ethnicGroup", "valueCoding": one})
    born = child(person.one("birthplace"), "place", "addr")
    where = address(born, ctx.clock) if born is not None else {}
    if where:
        found.append({"url": _BIRTH_PLACE, "valueAddress": where})
    faith = concept(person.one("religiousAffiliationCode"), ctx)
    if faith:
        found.append({"url": _RELIGION, "valueCodeableConcept": faith})
    return found


def _race(kind: str, elements: list[Element], omb: frozenset[str]) -> dict[str, Any]:
    """US Core's race or ethnicity: OMB categories, detailed codes and the text it requires; CDC codes only."""
    codings = [one for e in elements if (one := coding(e)) and (e.get("codeSystem") or "").strip() == _CDC]
    parts: list[dict[str, Any]] = []
    words: list[str] = []
    for one in codings:
        within = one["code"] in omb
        display = _DISPLAY.get(one["code"]) if within else one.get("display")
        value = {"system": one["system"], "code": one["code"], **({"display": display} if display else {})}
        name = "ombCategory" if within else "detailed"
        if kind == "ethnicity" and within and any(part["url"] == "ombCategory" for part in parts):
            continue  # ethnicity has one category
        entry = {"url": name, "valueCoding": value}
        if entry not in parts:
            parts.append(entry)
            words.append(display or one["code"])
    if not parts:
        return {}
    parts.append({"url": "text", "valueString": ", ".join(words)})
    return {"url": _US_CORE + kind, "extension": parts}
