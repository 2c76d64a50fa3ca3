"""One person, organization or thing, one resource: what a message says of it in several places is brought together.

Resources without a key of their own have ids from their content, so a person named once with a prefix and once without
is two of them at first. Nothing is joined that could be two: equal numbers with different names stay apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from fhir_mapping.document import Resource
from fhir_mapping.hl7v2.context import Fragment
from fhir_mapping.hl7v2.datatypes.identifiers import CHINESE_CARD

_EQUAL = frozenset({"Device", "Location", "Medication", "Organization", "Practitioner", "PractitionerRole", "Specimen"})
"""Types of which two resources that say the same are the same."""


def unite(resources: dict[str, Resource]) -> None:
    """Join, in place, resources (by ``Type/id``) that are about the same; references follow the one that stays."""
    for resource in resources.values():
        _drop_repeated(resource)
        _drop_lesser_names(resource)
    _replace(resources, _persons(resources))
    _replace(resources, _namesakes(resources))
    _replace(resources, _relatives(resources))
    _replace(resources, _organizations(resources))
    _replace(resources, _numbered_only(resources))
    for type_ in ("Organization", "Location"):
        _replace(resources, _named_only(resources, type_))
    while found := _equal(resources) or _lesser_places(resources):
        _replace(resources, found)


def _drop_repeated(resource: Resource) -> None:
    """Of a number that is given with and without the authority that it is of, the one with it is enough."""
    identifiers = resource.get("identifier")
    if not isinstance(identifiers, list) or len(identifiers) < 2:
        return
    full = [i for i in identifiers if "system" in i]
    kept: list[Fragment] = []
    for one in identifiers:
        if any(_says_less(one, other) for other in full):
            continue
        twin = next((k for k in kept if "system" in one and _is_number(k, one)), None)
        if twin is None:
            kept.append(one)
        else:
            for part, value in one.items():
                twin.setdefault(part, value)
    resource["identifier"] = kept


def _drop_lesser_names(resource: Resource) -> None:
    """Of two names of one person in one use, the one that says all that the other says is enough."""
    names = resource.get("name")
    if not isinstance(names, list) or len(names) < 2:
        return
    for place in range(len(names) - 1, -1, -1):
        if any(other is not names[place] and names[place].items() <= other.items() for other in names):
            del names[place]


def _is_number(one: Fragment, other: Fragment) -> bool:
    """Whether two identifiers are the same number of the same authority, for nothing else."""
    return all(one.get(part) == other.get(part) for part in ("system", "value")) and (
        one.get("type", other.get("type")) == other.get("type", one.get("type"))
    )


def _says_less(one: Fragment, other: Fragment) -> bool:
    is_bare = one.keys() <= {"value", "type"} and one.get("value") == other.get("value")
    return is_bare and one.get("type", other.get("type")) == other.get("type")


def _replace(resources: dict[str, Resource], by: dict[str, str]) -> None:
    if not by:
        return
    for gone in by:
        del resources[gone]
    for resource in resources.values():
        _point(resource, by)


def _point(node: Any, by: dict[str, str]) -> None:
    if isinstance(node, dict):
        reference = node.get("reference")
        if isinstance(reference, str) and reference in by:
            node["reference"] = by[reference]
        for value in node.values():
            if isinstance(value, (dict, list)):
                _point(value, by)
    elif isinstance(node, list):
        for item in node:
            _point(item, by)
        if any(isinstance(item, dict) and "reference" in item for item in node):
            node[:] = [item for place, item in enumerate(node) if item not in node[:place]]


def _of(resources: dict[str, Resource], type_: str) -> Iterable[tuple[str, Resource]]:
    return ((key, resource) for key, resource in resources.items() if resource["resourceType"] == type_)


def _equal(resources: dict[str, Resource]) -> dict[str, str]:
    seen: dict[str, str] = {}
    found: dict[str, str] = {}
    for key, resource in resources.items():
        if resource["resourceType"] in _EQUAL:
            content = json.dumps({k: v for k, v in resource.items() if k != "id"}, sort_keys=True, ensure_ascii=False)
            if (first := seen.setdefault(content, key)) != key:
                found[key] = first
    return found


def _lesser_places(resources: dict[str, Resource]) -> dict[str, str]:
    """A Location is the one that says all that it says, and more."""
    groups: dict[str, list[str]] = {}
    for key, resource in _of(resources, "Location"):
        groups.setdefault(str((resource.get("name"), resource.get("partOf"))), []).append(key)
    found: dict[str, str] = {}
    for keys in groups.values():
        for key in (key for key in keys if len(keys) > 1 and key not in found.values()):
            said = {part: value for part, value in resources[key].items() if part != "id"}
            fuller = next(
                (k for k in keys if k != key and k not in found and said.items() <= resources[k].items()), None
            )
            if fuller:
                found[key] = fuller
    return found


def _named_only(resources: dict[str, Resource], type_: str) -> dict[str, str]:
    """Of which only the name is given is the one that has this name and more, if that is only one.

    A place within another one is told apart by that.
    """
    bare: dict[str, str] = {}
    fuller: dict[str, list[str]] = {}
    for key, resource in _of(resources, type_):
        name = str(resource.get("name", ""))
        if name and resource.keys() <= {"resourceType", "id", "name", "mode"}:
            bare[key] = name
        elif name and "partOf" not in resource:
            for spelling in {name, name.casefold()}:
                fuller.setdefault(spelling, []).append(key)
    found: dict[str, str] = {}
    for key, name in bare.items():
        # The same letters tell more than the same name in other letters.
        same = next((fuller[s] for s in (name, name.casefold()) if len(fuller.get(s, ())) == 1), None)
        if same:
            found[key] = same[0]
    first: dict[str, str] = {}
    for key, name in bare.items():
        if key not in found and (other := first.setdefault(name.casefold(), key)) != key:
            found[key] = other
    return found


def _numbered_only(resources: dict[str, Resource]) -> dict[str, str]:
    """An Organization of which only an OID is given is the named one that has this OID, if that is only one."""
    named: dict[str, list[str]] = {}
    bare: dict[str, str] = {}
    for key, resource in _of(resources, "Organization"):
        oids = {str(i.get("value")) for i in resource.get("identifier", []) if i.get("system") == "urn:ietf:rfc:3986"}
        if set(resource) == {"resourceType", "id", "identifier"} and len(oids) == len(resource["identifier"]) == 1:
            bare[key] = oids.pop()
        elif "name" in resource:
            for oid in oids:
                named.setdefault(oid, []).append(key)
    return {key: named[oid][0] for key, oid in bare.items() if len(named.get(oid, ())) == 1}


def _organizations(resources: dict[str, Resource]) -> dict[str, str]:
    """Organizations with the same name and the same number of the same authority."""
    known: dict[tuple[str, str, str], str] = {}
    found: dict[str, str] = {}
    for key, resource in _of(resources, "Organization"):
        name = str(resource.get("name", "")).casefold()
        signs = [(name, str(i.get("system")), str(i.get("value"))) for i in resource.get("identifier", []) if name]
        first = next((known[sign] for sign in signs if sign in known), key)
        for sign in signs:
            known.setdefault(sign, first)
        if first != key:
            found[key] = first
            _merge(resources[first], resource)
    return found


def _persons(resources: dict[str, Resource]) -> dict[str, str]:
    """Practitioners with the same number of the same authority, and names that can be one person's."""
    groups: dict[tuple[str, str], list[str]] = {}
    for key, resource in _of(resources, "Practitioner"):
        for identifier in resource.get("identifier", []):
            groups.setdefault((str(identifier.get("system")), str(identifier.get("value"))), []).append(key)
    found: dict[str, str] = {}
    for keys in groups.values():
        _join_group(resources, keys, found)
    return found


def _relatives(resources: dict[str, Resource]) -> dict[str, str]:
    """Related persons of a patient with the same name and one more thing in common, where nothing tells them apart."""
    found: dict[str, str] = {}
    kept: list[tuple[str, Resource]] = []
    for key, person in _of(resources, "RelatedPerson"):
        same = [other for other, resource in kept if _is_relative(resource, person)]
        if len(same) == 1:
            _merge(resources[same[0]], person)
            found[key] = same[0]
        else:
            kept.append((key, person))
    return found


_NATIONAL = frozenset({"http://hl7.org/fhir/sid/us-ssn", CHINESE_CARD})
_NAMED = frozenset({"resourceType", "id", "patient", "name"})
"""What a related person says of whom the name is told, and no more."""


def _is_relative(one: Resource, other: Resource) -> bool:
    names, others = one.get("name", []), other.get("name", [])
    if one.get("patient") != other.get("patient") or not any(_fits(a, b) for a in names for b in others):
        return False
    if one.keys() <= _NAMED or other.keys() <= _NAMED:
        return True
    if any(one.get(key, other.get(key)) != other.get(key, one.get(key)) for key in ("birthDate", "gender")):
        return False
    kinds, other_kinds = _signs(one), _signs(other)
    if kinds and other_kinds and not kinds & other_kinds:
        return False
    numbers, other_numbers = _numbers(one), _numbers(other)
    if _national(one) & _national(other):
        return True
    if any(numbers[kind] != other_numbers[kind] for kind in numbers.keys() & other_numbers.keys()):
        return False
    is_shared = bool(kinds & other_kinds or set(numbers.values()) & set(other_numbers.values()))
    return is_shared or any(_shares(one.get(key), other.get(key)) for key in ("birthDate", "address", "telecom"))


def _signs(person: Resource) -> set[str]:
    """The codes (or words) of a person's relationships; what kind of contact one is tells nobody apart."""
    every = [coding for concept in person.get("relationship", []) for coding in concept.get("coding", [concept])]
    return {str(c.get("code", c.get("text"))) for c in every if not str(c.get("system", "")).endswith("v2-0131")}


def _numbers(person: Resource) -> dict[str, str]:
    """A person's numbers by whose and what they are; those of which neither is told tell nobody apart."""
    return {
        str((i.get("system"), i.get("type"))): str(i["value"])
        for i in person.get("identifier", [])
        if "system" in i or "type" in i
    }


def _national(person: Resource) -> set[str]:
    """A person's numbers in systems where every number is one person's."""
    return {str(i["value"]) for i in person.get("identifier", []) if i.get("system") in _NATIONAL}


def _shares(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return False
    return any(item in other for item in one) if isinstance(one, list) else bool(one == other)


def _namesakes(resources: dict[str, Resource]) -> dict[str, str]:
    """A practitioner whose number is of no authority is the one with this number and full name of some authority."""
    owned: dict[str, list[str]] = {}
    bare: dict[str, str] = {}
    for key, resource in _of(resources, "Practitioner"):
        identifiers = resource.get("identifier", [])
        if len(identifiers) == 1 and identifiers[0].keys() <= {"value", "type"}:
            bare[key] = str(identifiers[0]["value"])
        for identifier in identifiers:
            if "system" in identifier:
                owned.setdefault(str(identifier["value"]), []).append(key)
    found: dict[str, str] = {}
    for key, value in bare.items():
        same = [other for other in owned.get(value, ()) if _has_full_name(resources[key], resources[other])]
        if len(same) == 1:
            _merge(resources[same[0]], resources[key])
            _drop_repeated(resources[same[0]])
            found[key] = same[0]
    return found


def _has_full_name(one: Resource, other: Resource) -> bool:
    return any(
        a.get("family") and a.get("given") and b.get("given") and _fits(a, b)
        for a in one.get("name", [])
        for b in other.get("name", [])
    )


def _join_group(resources: dict[str, Resource], keys: list[str], found: dict[str, str]) -> None:
    kept: list[str] = []
    # The fullest names first: a person without a name joins the only other one, not one of several.
    for key in sorted((k for k in dict.fromkeys(keys) if k not in found), key=lambda k: -_said(resources[k])):
        fitting = [other for other in kept if can_be_one(resources[other], resources[key])]
        if len(fitting) == 1:
            _merge(resources[fitting[0]], resources[key])
            found[key] = fitting[0]
        else:
            kept.append(key)


def _said(person: Resource) -> int:
    return sum(len(str(name)) for name in person.get("name", []))


def can_be_one(one: Fragment, other: Fragment) -> bool:
    """Whether two resources of a type can be about one person or organization, as far as their names tell."""
    names, others = one.get("name", []), other.get("name", [])
    if isinstance(names, str) or isinstance(others, str):
        return not names or not others or str(names).casefold() == str(others).casefold()
    return not names or not others or any(_fits(a, b) for a in names for b in others)


def _fits(one: Fragment, other: Fragment) -> bool:
    """Names that do not contradict each other and share the family's, or the given ones where neither has that."""
    families = [str(name.get("family", name.get("text", ""))).casefold() for name in (one, other)]
    given = [[str(part).casefold() for part in name.get("given", [])] for name in (one, other)]
    shorter = min(map(len, given))
    return families[0] == families[1] and given[0][:shorter] == given[1][:shorter] and bool(families[0] or shorter)


def _merge(person: Resource, more: Resource) -> None:
    for key, value in more.items():
        if isinstance(value, list):
            _merge_list(person, more, key, _SAME.get(key, lambda a, b: bool(a == b)))
        else:
            person.setdefault(key, value)


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "identifier": lambda a, b: (a.get("system"), a["value"]) == (b.get("system"), b["value"]),
    "relationship": lambda a, b: bool(a.get("coding")) and a.get("coding") == b.get("coding"),
    "name": lambda a, b: _fits(a, b) and a.get("use", b.get("use")) == b.get("use", a.get("use")),
}
"""What makes two items of a list the same one."""


def _merge_list(person: Resource, more: Resource, key: str, is_same: Callable[[Any, Any], bool]) -> None:
    for item in more.get(key, []):
        known = next((old for old in person.setdefault(key, []) if is_same(old, item)), None)
        if known is None:
            person[key].append(item)
        elif isinstance(known, dict):
            for part, value in item.items():
                is_longer = isinstance(value, list) and len(value) > len(known.get(part, value))
                if is_longer or part not in known:
                    known[part] = value


__all__ = ["can_be_one", "unite"]
