"""XPN, FN, XCN, CNN and NDL as names, Practitioners and other persons."""

from __future__ import annotations

import re

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.codes import PLACEHOLDERS, plain_code
from fhir_mapping.hl7v2.datatypes.identifiers import authority, cleaned, is_number, system_of, type_concept
from fhir_mapping.hl7v2.datatypes.moments import moment

_CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff·]{2,}")
_TABLE = re.compile(r"HL7\d{4}")
_ASSEMBLY = "http://hl7.org/fhir/StructureDefinition/humanname-assembly-order"


def human_name(context: Context, raw: str) -> Fragment | None:
    """XPN as a HumanName."""
    parts = context.split(raw)
    return _name(context, parts, {"use": 7, "range": 10, "order": 11, "start": 12, "end": 13, "professional": 14})


def _name(context: Context, parts: list[str], at: dict[str, int]) -> Fragment | None:
    offset = at.get("offset", 0)
    surname = context.subsplit(context.raw_at(parts, 1 + offset))
    family = context.at(surname, 1)
    found: Fragment = {}
    # A name in one piece: which part is the family's cannot be told, so it is kept whole.
    others = [context.at(parts, number + offset) for number in (2, 3)]
    if family and not any(others) and _CHINESE.fullmatch(family):
        found["text"] = family
    elif family:
        found["family"] = _whole_family(context, surname, family)
    found["given"] = [given for given in others if given]
    if family and found["given"] and all(map(_CHINESE.fullmatch, [family * 2, "".join(found["given"]) * 2])):
        found["text"] = family + "".join(found["given"])
    suffixes = [context.at(parts, number) for number in (4 + offset, 6 + offset, at.get("professional", 0)) if number]
    found["suffix"] = [suffix for suffix in suffixes if suffix]
    found["prefix"] = [prefix for prefix in [context.at(parts, 5 + offset)] if prefix]
    if not any(found.values()) or all(
        word.upper() in PLACEHOLDERS for word in (*found["given"], found.get("family") or found.get("text") or "UNK")
    ):
        return None
    return cleaned({**_use(context, parts, at), **{key: value for key, value in found.items() if value}})


def _whole_family(context: Context, surname: list[str], family: str) -> str:
    """FN: own prefix and surname as FN.1 already joins them; the partner's stay out of ``family``."""
    own = context.at(surname, 3)
    prefix = context.at(surname, 2)
    if own and prefix and family == own:
        return f"{prefix} {own}"
    return family


def _use(context: Context, parts: list[str], at: dict[str, int]) -> Fragment:
    found: Fragment = {}
    kind = context.raw_at(parts, at["use"])
    if kind and (use := plain_code(context, kind, "NameType")):
        found["use"] = use
    order = context.raw_at(parts, at["order"])
    if order and (assembly := plain_code(context, order, "NameAssemblyOrder")):
        found["extension"] = [{"url": _ASSEMBLY, "valueCode": assembly}]
    found["period"] = _validity(context, parts, at)
    return found


def _validity(context: Context, parts: list[str], at: dict[str, int]) -> Fragment:
    span = context.subsplit(context.raw_at(parts, at["range"]))
    start, end = context.raw_at(parts, at["start"]), context.raw_at(parts, at["end"])
    if not start and not end:
        start, end = context.raw_at(span, 1), context.raw_at(span, 2)
    return cleaned({"start": moment(context, start) if start else None, "end": moment(context, end) if end else None})


def called_by(context: Context, raw: str) -> Fragment | None:
    """XPN.15, the name a person is called by."""
    given = context.at(context.split(raw), 15)
    return {"use": "nickname", "given": [given]} if given else None


def name_text(context: Context, raw: str) -> str | None:
    """A name as one text, in the order it is spoken."""
    name = human_name(context, raw)
    if name is None:
        return None
    if "text" in name:
        return str(name["text"])
    words = [*name.get("prefix", []), *name.get("given", []), name.get("family", ""), *name.get("suffix", [])]
    return " ".join(word for word in words if word) or None


def practitioner(context: Context, raw: str) -> Fragment | None:
    """XCN as a Practitioner."""
    return _person(context, context.split(raw), "Practitioner")


def related_person(context: Context, raw: str) -> Fragment | None:
    """XCN as a RelatedPerson; the patient is set by the caller."""
    return _person(context, context.split(raw), "RelatedPerson")


def _person(context: Context, parts: list[str], type_: str) -> Fragment | None:
    if _TABLE.fullmatch(context.raw_at(parts, 3)):
        # code^words^HL7 table: a coded value in a person's place.
        context.problem("bad_value:xcn")
        return None
    at = {"offset": 1, "use": 10, "range": 17, "order": 18, "start": 19, "end": 20, "professional": 21}
    name = _name(context, parts, at)
    alone = context.at(parts, 1) if name is None else None
    if alone and _CHINESE.fullmatch(alone):
        # Chinese senders write a bare name where the number belongs.
        return {"resourceType": type_, "name": [{"text": alone}]}
    identifier = _person_identifier(context, parts)
    if name is None and identifier is None:
        return None
    found: Fragment = {"resourceType": type_}
    if identifier:
        found["identifier"] = [identifier]
    if name:
        found["name"] = [name]
    return found


def _person_identifier(context: Context, parts: list[str]) -> Fragment | None:
    value = context.at(parts, 1)
    if value is None or not is_number(value):
        return None
    owner = context.subsplit(context.raw_at(parts, 9))
    found: Fragment = {
        "type": type_concept(context, context.at(parts, 13)),
        "system": system_of(context, owner),
        "value": value,
        "assigner": authority(context, context.raw_at(parts, 9)) if any(owner) else None,
    }
    return cleaned(found)


def numbered(context: Context, raw: str) -> Fragment | None:
    """CNN (an XCN in sub-components) as a Practitioner."""
    parts = context.subsplit(raw) if "&" in raw else context.split(raw)
    at = {"offset": 1, "use": 99, "range": 99, "order": 99, "start": 99, "end": 99}
    name = _name(context, parts, at)
    value = context.at(parts, 1)
    if name is None and value is None:
        return None
    if name is None and _CHINESE.fullmatch(value or ""):
        return {"resourceType": "Practitioner", "name": [{"text": value}]}
    found: Fragment = {"resourceType": "Practitioner"}
    if value:
        system = system_of(context, parts[8:11])
        found["identifier"] = [cleaned({"system": system, "value": value})]
    if name:
        found["name"] = [name]
    return found
