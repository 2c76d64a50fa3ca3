"""PN/ON, AD, TEL to FHIR HumanName, Address and ContactPoint, as read by header and participants alike."""

from __future__ import annotations

import re
from typing import Any

from fhir_mapping.cda.element import Element, all_text, local_name, squeeze
from fhir_mapping.cda.times import Clock, period

_NAME_USE = {
    "L": "official",
    "C": "usual",
    "OR": "official",
    "P": "nickname",
    "PN": "nickname",
    "A": "nickname",
    "ASGN": "usual",
    "T": "temp",
    "M": "maiden",
    "OLD": "old",
}
_ADDRESS_USE = {"H": "home", "HP": "home", "HV": "home", "WP": "work", "DIR": "work", "TMP": "temp", "BAD": "old"}
_TELECOM_USE = {
    "H": "home",
    "HP": "home",
    "HV": "home",
    "WP": "work",
    "DIR": "work",
    "PUB": "work",
    "MC": "mobile",
    "TMP": "temp",
    "BAD": "old",
}
_SYSTEM = {
    "tel": "phone",
    "fax": "fax",
    "mailto": "email",
    "sms": "sms",
    "http": "url",
    "https": "url",
    "ftp": "url",
    "x-text-fax": "fax",
    "x-text-tel": "phone",
    "url": "url",
}
_LINES = ("streetAddressLine", "streetName", "houseNumber", "houserNumber", "houseNumberNumeric", "direction")
_MORE_LINES = ("unitID", "unitType", "additionalLocator", "deliveryAddressLine", "postBox", "precinct", "township")


def human_name(element: Element, clock: Clock) -> dict[str, Any]:
    """A HumanName; a name without parts is its text. Empty for nullFlavor and white space."""
    parts: dict[str, list[str]] = {"given": [], "family": [], "prefix": [], "suffix": []}
    valid = None
    usual = ""
    for part in element:
        name = local_name(part)
        value = all_text(part)
        if name == "validTime":
            valid = part
        elif name in parts and value:
            parts[name].append(value)
            if part.get("qualifier") == "BR" and name == "family":
                usual = "maiden"
    uses = (element.get("use") or "").split()
    found: dict[str, Any] = {}
    use = usual or next((_NAME_USE[one] for one in uses if one in _NAME_USE), "")
    if use:
        found["use"] = use
    if any(parts.values()):
        if parts["family"]:
            found["family"] = " ".join(parts["family"])
        for name in ("given", "prefix", "suffix"):
            if parts[name]:
                found[name] = parts[name]
    else:
        text = all_text(element)
        if not text:
            return {}
        found["text"] = text
    within = period(valid, clock)
    if within:
        found["period"] = within
    return found


def names(elements: list[Element], clock: Clock) -> list[dict[str, Any]]:
    """The names that say something, each once."""
    return _once(human_name(element, clock) for element in elements)


def address(element: Element, clock: Clock) -> dict[str, Any]:
    """An Address; parts outside of the standard's list that Chinese systems write are kept as lines."""
    found: dict[str, Any] = {}
    lines: list[str] = []
    valid = None
    single = {"city": "city", "county": "district", "state": "state", "postalCode": "postalCode", "country": "country"}
    for part in element:
        name = local_name(part)
        value = all_text(part)
        if name in ("useablePeriod", "validTime"):
            valid = part
        elif not value:
            continue
        elif name in single:
            found.setdefault(single[name], value)
        elif name in _LINES or name in _MORE_LINES:
            lines.append(value)
    uses = (element.get("use") or "").split()
    text = squeeze(element.text) if not found and not lines else ""
    if not found and not lines and not text:
        return {}
    head: dict[str, Any] = {}
    use = next((_ADDRESS_USE[one] for one in uses if one in _ADDRESS_USE), "")
    if use:
        head["use"] = use
    if "PST" in uses or "PHYS" in uses:
        head["type"] = "postal" if "PST" in uses else "physical"
    if text:
        head["text"] = text
    if lines:
        head["line"] = lines
    within = period(valid, clock)
    return {**head, **found, **({"period": within} if within else {})}


def addresses(elements: list[Element], clock: Clock) -> list[dict[str, Any]]:
    """The addresses that say something, each once."""
    return _once(address(element, clock) for element in elements)


def telecom(element: Element) -> dict[str, Any]:
    """A ContactPoint from a URL like ``tel:+1(555)555-2003``; empty without a value."""
    value = squeeze(element.get("value"))
    if not value:
        return {}
    scheme, colon, rest = value.partition(":")
    scheme = scheme.strip().lower()
    uses = (element.get("use") or "").split()
    if colon and scheme in _SYSTEM:
        system = _SYSTEM[scheme]
        if system != "url" or scheme == "url":
            value = rest.strip()
            value = value.lstrip("/").strip() if system == "email" else value
    elif re.search(r"[^\s@]@[^\s@]", value):
        system = "email"
    else:
        system = "phone" if re.search(r"\d", value) else "other"
    if not value:
        return {}
    found = {"system": system, "value": value}
    use = next((_TELECOM_USE[one] for one in uses if one in _TELECOM_USE), "")
    if use:
        found["use"] = use
    return found


def telecoms(elements: list[Element]) -> list[dict[str, Any]]:
    """The contact points that say something, each once."""
    return _once(telecom(element) for element in elements)


def _once(values: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for value in values:
        if value and value not in found:
            found.append(value)
    return found
