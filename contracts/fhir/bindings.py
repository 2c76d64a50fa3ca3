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
    ("address-type", _HL7, "postal physical both"),
    ("address-use", _HL7, "home work temp old billing"),
    ("allergy-intolerance-category", _HL7, "food medication environment biologic"),
    ("allergy-intolerance-criticality", _HL7, "low high unable-to-assess"),
    ("allergy-intolerance-type", _HL7, "allergy intolerance"),
    ("allergyintolerance-clinical", _TERMINOLOGY, "active inactive resolved"),
    ("allergyintolerance-verification", _TERMINOLOGY, "unconfirmed confirmed refuted entered-in-error"),
    (
        "appointmentstatus",
        _HL7,
        "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in waitlist",
    ),
    ("composition-attestation-mode", _HL7, "personal professional legal official"),
    ("composition-status", _HL7, "preliminary final amended entered-in-error"),
    ("confidentiality", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "U L M N R V"),
    ("contact-point-system", _HL7, "phone fax email pager url sms other"),
    ("contact-point-use", _HL7, "home work temp old mobile"),
    ("days-of-week", _HL7, "mon tue wed thu fri sat sun"),
    (
        "device-nametype",
        _HL7,
        "udi-label-name user-friendly-name patient-reported-name manufacturer-name model-name other",
    ),
    ("device-status", _HL7, "active inactive entered-in-error unknown"),
    ("document-reference-status", _HL7, "current superseded entered-in-error"),
    ("document-relationship-type", _HL7, "replaces transforms signs appends"),
    ("encounter-location-status", _HL7, "planned active reserved completed"),
    ("event-status", _HL7, "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"),
    (
        "event-timing",
        _HL7,
        "MORN MORN.early MORN.late NOON AFT AFT.early AFT.late EVE EVE.early EVE.late NIGHT PHS "
        "HS WAKE C CM CD CV AC ACM ACD ACV PC PCM PCD PCV",
    ),
    ("fm-status", _HL7, "active cancelled draft entered-in-error"),
    ("history-status", _HL7, "partial completed entered-in-error health-unknown"),
    ("identifier-use", _HL7, "usual official temp secondary old"),
    ("imagingstudy-status", _HL7, "registered available cancelled entered-in-error unknown"),
    ("immunization-status", _TERMINOLOGY, "completed entered-in-error not-done"),
    ("link-type", _HL7, "replaced-by replaces refer seealso"),
    ("list-mode", _HL7, "working snapshot changes"),
    ("location-mode", _HL7, "instance kind"),
    ("location-status", _HL7, "active suspended inactive"),
    (
        "medication-admin-status",
        _TERMINOLOGY,
        "in-progress not-done on-hold completed entered-in-error stopped unknown",
    ),
    (
        "medication-statement-status",
        _HL7 + "CodeSystem/",
        "active completed entered-in-error intended stopped on-hold unknown not-taken",
    ),
    ("medication-status", _HL7 + "CodeSystem/", "active inactive entered-in-error"),
    ("name-use", _HL7, "usual official temp nickname anonymous old maiden"),
    ("narrative-status", _HL7, "generated extensions additional empty"),
    ("participantrequired", _HL7, "required optional information-only"),
    ("participationstatus", _HL7, "accepted declined tentative needs-action"),
    ("questionnaire-answers-status", _HL7, "in-progress completed amended entered-in-error stopped"),
    ("reaction-event-severity", _HL7, "mild moderate severe"),
    (
        "request-intent",
        _HL7,
        "proposal plan directive order original-order reflex-order filler-order instance-order option",
    ),
    ("request-priority", _HL7, "routine urgent asap stat"),
    ("request-status", _HL7, "draft active on-hold revoked completed entered-in-error unknown"),
    ("specimen-status", _HL7, "available unavailable unsatisfactory entered-in-error"),
)

BINDINGS: Mapping[str, Binding] = MappingProxyType(
    {
        name: Binding(name, base + name if base.endswith("/") else base, frozenset(codes.split()))
        for name, base, codes in _LISTS
    }
)
