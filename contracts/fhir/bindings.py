"""Required code lists (FHIR R4), whole: the codes that an element with a required binding may hold.

``system`` is the code system a Coding must name; for elements of type ``code`` it is implied.
Source: https://hl7.org/fhir/R4/terminologies-valuesets.html, the value set named in each line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Binding:
    """A required value set made of one code system."""

    name: str
    system: str
    codes: frozenset[str]


_HL7 = "http://hl7.org/fhir/"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"

_LISTS = (
    ("administrative-gender", _HL7, "male female other unknown"),
    (
        "encounter-status",
        _HL7,
        "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
    ),
    ("condition-clinical", _TERMINOLOGY, "active recurrence relapse inactive remission resolved"),
    (
        "condition-ver-status",
        _TERMINOLOGY,
        "unconfirmed provisional differential confirmed refuted entered-in-error",
    ),
    (
        "observation-status",
        _HL7,
        "registered preliminary final amended corrected cancelled entered-in-error unknown",
    ),
    (
        "diagnostic-report-status",
        _HL7,
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown",
    ),
    (
        "medicationrequest-status",
        _HL7 + "CodeSystem/",
        "active on-hold cancelled completed entered-in-error stopped draft unknown",
    ),
    (
        "medicationrequest-intent",
        _HL7 + "CodeSystem/",
        "proposal plan order original-order reflex-order filler-order instance-order option",
    ),
    ("quantity-comparator", _HL7, "< <= >= >"),
    ("units-of-time", "http://unitsofmeasure.org", "s min h d wk mo a"),
)

BINDINGS: Mapping[str, Binding] = MappingProxyType(
    {
        name: Binding(name, base if base.endswith("unitsofmeasure.org") else base + name, frozenset(codes.split()))
        for name, base, codes in _LISTS
    }
)
