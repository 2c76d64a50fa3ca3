"""A resource as R4 allows it: elements it knows, required ones present, codes of required bindings.

A required element that a message does not give gets the standard's own word for that (``unknown``, data-absent-reason)
where there is one (``DEFAULTS``); else the part that lacks it is left out, in the end the whole resource, with a
problem.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fhir_mapping.document import Resource
from fhir_mapping.hl7v2.elements import code_systems, types, value_set

Report = Callable[[str, str | None], None]

ABSENT_CODE: dict[str, Any] = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]
}
ABSENT: dict[str, Any] = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "Account": {"status": "unknown"},
    "Appointment": {"status": "pending"},
    "Appointment.participant": {"status": "needs-action"},
    "CarePlan": {"status": "active", "intent": "plan"},
    "ChargeItem": {"status": "unknown", "code": ABSENT_CODE},
    "Coverage": {"status": "active"},
    "DiagnosticReport": {"status": "unknown", "code": ABSENT_CODE},
    "DocumentReference": {"status": "current"},
    "Encounter": {
        "status": "unknown",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"},
    },
    "EpisodeOfCare": {"status": "active"},
    "Goal": {"lifecycleStatus": "active", "description": ABSENT_CODE},
    "Immunization": {"status": "completed", "vaccineCode": ABSENT_CODE},
    "Linkage.item": {"type": "source"},
    "MedicationAdministration": {"status": "completed", "medicationCodeableConcept": ABSENT_CODE},
    "MedicationDispense": {"status": "unknown", "medicationCodeableConcept": ABSENT_CODE},
    "MedicationRequest": {"status": "unknown", "intent": "order", "medicationCodeableConcept": ABSENT_CODE},
    "Observation": {"status": "unknown", "code": ABSENT_CODE},
    "Observation.component": {"code": ABSENT_CODE},
    "Procedure": {"status": "completed"},
    "ResearchStudy": {"status": "active"},
    "ResearchSubject": {"status": "candidate"},
    "ServiceRequest": {"status": "unknown", "intent": "order"},
    "Task": {"status": "requested", "intent": "order"},
    "AllergyIntolerance.reaction": {"manifestation": [ABSENT_CODE]},
    "Device.deviceName": {"type": "other"},
    "Consent": {
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [ABSENT_CODE],
    },
    "MessageHeader": {"source": {"_endpoint": ABSENT}},
    "MessageHeader.source": {"_endpoint": ABSENT},
    "MessageHeader.destination": {"_endpoint": ABSENT},
    "Provenance": {"_recorded": ABSENT},
    "NutritionOrder": {"status": "active", "intent": "order", "_dateTime": ABSENT},
    "SupplyRequest": {"quantity": {"value": 1}},
}
_CHOICES: dict[str, tuple[str, tuple[str, ...], str, Any]] = {
    "Immunization": ("occurrence", ("occurrenceDateTime", "occurrenceString"), "occurrenceString", "unknown"),
    "MedicationAdministration": (
        "effective",
        ("effectiveDateTime", "effectivePeriod"),
        "effectivePeriod",
        ABSENT,
    ),
}
"""Required choices: their name, the elements of it, and what stands there when a message gives none."""
_AMOUNT = frozenset({"value", "_value", "extension"})
_EMPTY_WITHOUT: dict[str, frozenset[str]] = {
    **dict.fromkeys(("Quantity", "SimpleQuantity", "Duration", "Age", "Count", "Distance"), _AMOUNT),
    "Encounter.participant": frozenset({"individual"}),
}
"""What says nothing without one of these: a unit alone is no amount, a part alone nobody who takes it."""
_MEDICATION = ("medicationCodeableConcept", "medicationReference")


def conform(resource: Resource, report: Report) -> Resource | None:
    """The resource as R4 allows it; None when it cannot be one."""
    type_ = resource["resourceType"]
    clean = _object(type_, resource, report)
    if clean is None:
        return None
    if type_ in _CHOICES:
        _, names, absent, value = _CHOICES[type_]
        if not any(name in clean for name in names):
            clean[absent] = copy.deepcopy(value)
    return clean


def _object(type_: str, node: dict[str, Any], report: Report) -> dict[str, Any] | None:
    elements = types().get(type_)
    if elements is None:
        return node
    clean: dict[str, Any] = {}
    chosen: dict[str, str] = {}
    if type_ == "Coding":
        return _coding(node)
    if type_ == "Reference":
        return node
    for key, value in node.items():
        if key == "resourceType":
            clean[key] = value
            continue
        element = elements.get(key.lstrip("_"))
        if element is None:
            report(f"no_such_element:{type_}.{key}", None)
            continue
        if chosen.setdefault(element.choice, element.name) != element.name:
            report(f"second_value:{type_}.{element.choice}", None)
            continue
        kept = _value(element.type, element.codes, value, report) if key[0] != "_" else value
        if element.type == "Reference" and element.targets:
            kept = _allowed(kept, element.targets, f"{type_}.{key}", report)
        if kept is not None:
            clean[key] = kept if not element.is_list or isinstance(kept, list) else [kept]
    if type_ in _RULES:
        _RULES[type_](clean)
    if type_ in _EMPTY_WITHOUT and not clean.keys() & _EMPTY_WITHOUT[type_]:
        return None
    return _with_required(type_, clean, report)


def _coding(node: dict[str, Any]) -> dict[str, Any]:
    """A code that its system does not have is a local one: it stands without the system."""
    known = code_systems().get(node.get("system", ""))
    if known is not None and node.get("code") not in known:
        return {key: value for key, value in node.items() if key != "system"}
    return node


def _allowed(value: Any, targets: tuple[str, ...], where: str, report: Report) -> Any:
    """References to types that an element may point at."""
    if isinstance(value, list):
        return [item for item in value if _allowed(item, targets, where, report)] or None
    reference = value.get("reference") if value else None
    if reference and reference.split("/")[0] not in targets:
        report(f"bad_target:{where}", None)
        return None
    return value


def _work_only(organization: dict[str, Any]) -> None:
    """An organization has no home address or number (org-2, org-3), and a name or an identifier (org-1)."""
    for element in ("telecom", "address"):
        for item in organization.get(element, ()):
            if item.get("use") == "home":
                del item["use"]
    if "name" not in organization and "identifier" not in organization:
        organization["_name"] = copy.deepcopy(ABSENT)


def _whole_ratio(ratio: dict[str, Any]) -> None:
    """A ratio has both parts (rat-1): an amount alone is an amount for one."""
    if "numerator" in ratio and "denominator" not in ratio:
        ratio["denominator"] = {"value": 1}
    elif "denominator" in ratio and "numerator" not in ratio:
        del ratio["denominator"]


def _in_order(period: dict[str, Any]) -> None:
    """An end before the start (per-1) is not written."""
    start, end = period.get("start"), period.get("end")
    if not start or not end:
        return
    precision = min(len(start), len(end), 10)
    is_late = end[:precision] < start[:precision]
    if "T" in start and "T" in end:
        is_late = _instant(end) < _instant(start)
    if is_late:
        del period["end"]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))


def _low_first(span: dict[str, Any]) -> None:
    """The lower value is ``low`` (rng-2)."""
    low, high = span.get("low"), span.get("high")
    if low and high and "value" in low and "value" in high and float(low["value"]) > float(high["value"]):
        span["low"], span["high"] = high, low


_RULES: dict[str, Callable[[dict[str, Any]], None]] = {
    "Organization": _work_only,
    "Period": _in_order,
    "Range": _low_first,
    "Ratio": _whole_ratio,
}


def _value(type_: str, codes: str | None, value: Any, report: Report) -> Any:
    if isinstance(value, list):
        kept = [clean for item in value if (clean := _value(type_, codes, item, report)) is not None]
        return kept or None
    if isinstance(value, dict):
        return _object(type_, value, report) or None
    if codes and type_ == "code":
        allowed = value_set(codes)
        if allowed and value not in allowed:
            report(f"bad_code:{codes}", None)
            return None
    return value


def _with_required(type_: str, clean: dict[str, Any], report: Report) -> dict[str, Any] | None:
    for name, needed in _required(type_):
        if any(key in clean or "_" + key in clean for key in needed):
            continue
        defaults = DEFAULTS.get(type_, {})
        key = next((key for name in needed for key in (name, "_" + name) if key in defaults), None)
        if key is None:
            if "." not in type_ and "resourceType" in clean:
                report(f"missing:{type_}.{name}", None)
            return None
        clean[key] = copy.deepcopy(defaults[key])
    return clean


_required_cache: dict[str, list[tuple[str, tuple[str, ...]]]] = {}


def _required(type_: str) -> list[tuple[str, tuple[str, ...]]]:
    """Required elements of a type; a choice as all its names."""
    found = _required_cache.get(type_)
    if found is None:
        groups: dict[str, list[str]] = {}
        for name, element in types()[type_].items():
            if element.is_required:
                groups.setdefault(element.choice, []).append(name)
        if type_ in _CHOICES:
            groups.pop(_CHOICES[type_][0], None)
        found = [(group, tuple(names)) for group, names in groups.items()]
        _required_cache[type_] = found
    return found
