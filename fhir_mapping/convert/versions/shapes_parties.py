"""Shapes of organizations, people, places, appointments, payment. See ``shapes``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fhir_mapping.convert.versions.kinds import CROSS, take_extension, with_extension
from fhir_mapping.convert.versions.shape_parts import Apply, Value, add, items_of, left

_R4 = CROSS.format("4.0")
_R4_CONTACT = frozenset(("id", "extension", "purpose", "name", "telecom", "address"))
_CONTACT: Value = {"url": _R4 + "Organization.contact", "valueBoolean": True}
"""Marks a contact of R4 that has neither name nor purpose: else it would look like the owner's own telecom."""
_HOURS = {"openingTime": "availableStartTime", "closingTime": "availableEndTime"}
_HOURS_BACK = {r5: r4 for r4, r5 in _HOURS.items()}
_NEEDED = {"required": True, "optional": False, "information-only": False}


def payor_up(source: Value, target: Value) -> Iterable[str]:
    """An organization that pays is the insurer; who else pays is a payment party."""
    payors = items_of(source, "payor")
    first = next((one for one in payors if aims_at(one, "Organization")), None)
    if first is not None:
        target["insurer"] = first
    add(target, "paymentBy", [{"party": one} for one in payors if one is not first])
    target["kind"] = "insurance" if first is not None else "self-pay"
    return ()


def payor_down(source: Value, target: Value) -> Iterable[str]:
    parties = [one["party"] for one in items_of(source, "paymentBy") if one.keys() == {"party"}]
    payors = [*([source["insurer"]] if "insurer" in source else []), *parties]
    if payors:
        target["payor"] = payors
    rest = [one for one in items_of(source, "paymentBy") if one.keys() != {"party"}]
    return [*left(source, "paymentBy", rest), *(("kind",) if source.get("kind") == "other" else ())]


def aims_at(reference: Value, type: str) -> bool:
    literal, named = str(reference.get("reference", "")), reference.get("type")
    return named == type or f"{type}/" in literal or not (literal or named)


def contact_up(source: Value, target: Value) -> Iterable[str]:
    """Telecom and addresses of the owner are contact details without a name or purpose in R5."""
    telecom, addresses = items_of(source, "telecom"), items_of(source, "address") if "address" in source else []
    first: Value = {"telecom": telecom} if telecom else {}
    if addresses:
        first["address"] = addresses[0]
    entries = [first] if first else []
    entries += [{"address": address} for address in addresses[1:]]
    for contact in items_of(source, "contact"):
        name = {"name": [contact["name"]]} if "name" in contact else {}
        plain = {**{k: v for k, v in contact.items() if k != "name"}, **name}
        entries.append(plain if {"name", "purpose"} & plain.keys() else with_extension(plain, _CONTACT))
    if entries:
        target["contact"] = entries
    return ()


def contact_down(has_address: bool) -> Apply:
    def down(source: Value, target: Value) -> Iterable[str]:
        rest: list[Value] = []
        contacts: list[Value] = []
        for item in items_of(source, "contact"):
            one, mark = take_extension(item, _CONTACT["url"])
            allowed = {"telecom", "address"} if has_address else {"telecom"}
            if one.keys() <= allowed and mark is None:
                add(target, "telecom", one.get("telecom", []))
                add(target, "address", [one["address"]] if "address" in one else [])
            elif (
                has_address
                and one.keys() <= {"purpose", "name", "telecom", "address"}
                and len(items_of(one, "name")) < 2
            ):
                name = {"name": one["name"][0]} if "name" in one else {}
                contacts.append({**{k: v for k, v in one.items() if k != "name"}, **name})
            else:
                rest.append(one)
        if contacts:
            target["contact"] = contacts
        return left(source, "contact", rest)

    return down


def location_contact_up(source: Value, target: Value) -> Iterable[str]:
    if "telecom" in source:
        target["contact"] = [{"telecom": source["telecom"]}]
    return ()


def role_times_up(source: Value, target: Value) -> Iterable[str]:
    found: Value = {}
    if "availableTime" in source:
        found["availableTime"] = source["availableTime"]
    if "notAvailable" in source:
        found["notAvailableTime"] = source["notAvailable"]
    if found:
        target["availability"] = [found]
    return ("availabilityExceptions",) if "availabilityExceptions" in source else ()


def role_times_down(source: Value, target: Value) -> Iterable[str]:
    for one in items_of(source, "availability"):
        add(target, "availableTime", items_of(one, "availableTime"))
        add(target, "notAvailable", items_of(one, "notAvailableTime"))
    return ()


def renamed(value: Value, table: Mapping[str, str]) -> Value:
    return {table.get(name, name): entry for name, entry in value.items()}


def hours_up(source: Value, target: Value) -> Iterable[str]:
    times = [renamed(one, _HOURS) for one in items_of(source, "hoursOfOperation")]
    if times:
        target["hoursOfOperation"] = [{"availableTime": times}]
    return ("availabilityExceptions",) if "availabilityExceptions" in source else ()


def hours_down(source: Value, target: Value) -> Iterable[str]:
    entries = items_of(source, "hoursOfOperation")
    for one in entries:
        add(target, "hoursOfOperation", [renamed(time, _HOURS_BACK) for time in items_of(one, "availableTime")])
    return left(source, "hoursOfOperation", [one for one in entries if one.keys() != {"availableTime"}])


def needed_up(source: Value, target: Value) -> Iterable[str]:
    if "required" not in source:
        return ()
    target["required"] = _NEEDED.get(source["required"], False)
    return ("required",) if source["required"] == "information-only" else ()


def needed_down(source: Value, target: Value) -> Iterable[str]:
    if "required" in source:
        target.setdefault("required", "required" if source["required"] else "optional")
    return ()


def money_up(source: Value, target: Value) -> Iterable[str]:
    if "value" in source:
        target["quantity"] = {"value": source["value"]}
    return ()


def money_down(source: Value, target: Value) -> Iterable[str]:
    quantity = source.get("quantity", {})
    if "value" in quantity:
        target["value"] = quantity["value"]
    return ("quantity",) if quantity.keys() - {"value"} else ()
