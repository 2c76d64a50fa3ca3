"""A Patient or Practitioner brought to HL7 China's profile as far as its data go; nothing is made up but ``active``.

Added: the identifier slices beside the identifiers they repeat (a Practitioner has none), the GB/T 2261.1 code of
``gender`` as extension of that primitive, the ethnic group by its letters. ``active`` is mandatory and sources do not
tell it: a record that is sent is in use, so it is true where nothing else is said.
"""

from __future__ import annotations

from typing import Any

from fhir_mapping.convert.options import Version
from fhir_mapping.convert.profiles.data import Profile, china, ethnic_groups, profile
from fhir_mapping.document import Resource

_EITHER = ("ext-person-gender", "ext-person-ethnicGroup")


def as_chinese(body: Resource, version: Version, *, with_identifiers: bool) -> Resource:
    """The resource with what its profile asks for and its data hold; other types as they are.

    Args:
        with_identifiers: False for pseudonymous output, whose Patients have none.
    """
    rules = profile(str(body["resourceType"]), version)
    if rules is None:
        return body
    if rules.resource == "Practitioner" and "gender" not in body:  # cannot meet the profile: left as it is
        return body
    found = {"resourceType": body["resourceType"], "id": body["id"], "active": True, **body}
    if with_identifiers and rules.resource == "Patient":
        found["identifier"] = _with_slices(body.get("identifier", []))
    found = _with_ethnic_group(_with_gender(found, rules), rules)
    return {name: value for name, value in found.items() if value != []}


def _with_slices(identifiers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """IDC and SIN beside the identifiers that are the same numbers under another name."""
    from fhir_mapping.identity.id_card import is_valid

    added = []
    for name in ("id_card", "social_security_card"):
        system = china()["systems"][name]
        if any(one.get("system") == system for one in identifiers):
            continue
        same = (one for one in identifiers if _is_known(one, name) and one.get("value"))
        one = next((one for one in same if name != "id_card" or is_valid(str(one["value"]))), None)
        if one is not None:
            added.append({"system": system, "value": one["value"]})
    return [*identifiers, *added]


def _is_known(identifier: dict[str, Any], name: str) -> bool:
    codes = {coding.get("code") for coding in identifier.get("type", {}).get("coding", ())}
    return bool({identifier.get("system"), *codes} & set(china()["known_as"][name]))


def _with_gender(body: Resource, rules: Profile) -> Resource:
    """The code of GB/T 2261.1 on ``gender``; the source's own coding is kept where it has one."""
    extra = body.get("_gender", {})
    others, own = _apart(extra.get("extension", []), _EITHER[0])
    coding = own.get("valueCoding") if own else None
    system = china()["systems"]["sex"]
    if coding is None or coding.get("system") != system:
        code = china()["sex"].get(body.get("gender"))
        coding = {"system": system, "code": code[0], "display": code[1]} if code else coding
    if coding is None:
        return body
    return {**body, "_gender": {**extra, "extension": [*others, {"url": rules.gender, "valueCoding": coding}]}}


def _with_ethnic_group(body: Resource, rules: Profile) -> Resource:
    others, own = _apart(body.get("extension", []), _EITHER[1])
    coding = own.get("valueCoding", {}) if own else {}
    group = ethnic_groups().get(str(coding.get("code"))) or ethnic_groups().get(str(coding.get("display")))
    if group is None:
        return body
    coding = {"system": china()["systems"]["ethnic_group"], "code": group[0], "display": group[1]}
    return {**body, "extension": [*others, {"url": rules.ethnic_group, "valueCoding": coding}]}


def _apart(extensions: list[dict[str, Any]], name: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The extension of this name under any of the guides' URLs, and the others."""
    own = next((one for one in extensions if str(one.get("url", "")).endswith("/" + name)), None)
    return [one for one in extensions if one is not own], own
