"""Values of one data type as another: how a CodeableConcept becomes a CodeableReference, a code a CodeableConcept.

Each pair goes both ways; what the narrower type cannot hold is put into an extension on the value itself, from which
the wider one is made whole again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from contracts.fhir.json_text import DecimalText

CROSS = "urn:cloister:fhir-{}:"
"""Before the path of an element of that version: the extension that carries it in the other one.

FHIR names such extensions ``http://hl7.org/fhir/5.0/StructureDefinition/extension-``path (``STANDARD``, read as well).
A validator without the cross-version packages, HAPI's among them, refuses that name as an error whatever it holds,
while an extension it does not know is only unknown to it: so ours are written under our own name.
"""
STANDARD = "http://hl7.org/fhir/{}/StructureDefinition/extension-"
_CONCEPT = CROSS.format("5.0") + "CodeableReference.concept"
_REFERENCE = CROSS.format("5.0") + "CodeableReference.reference"
_WHOLE = CROSS.format("5.0") + "CodeableConcept"
_IDENTIFIER = CROSS.format("5.0") + "Identifier"

DECIMAL = CROSS.format("4.0") + "decimal"
_R5_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?(?:[eE](?:0|[+-]?[1-9][0-9]{0,9}))?")

Convert = Callable[[Any], Any]


def with_extension(value: dict[str, Any], extension: dict[str, Any]) -> dict[str, Any]:
    """A copy with one more extension."""
    return {**value, "extension": [*value.get("extension", ()), extension]}


def take_extension(value: dict[str, Any], url: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A copy without the first extension of this URL, and that extension."""
    extensions = value.get("extension", ())
    found = next((one for one in extensions if one.get("url") == url), None)
    if found is None:
        return value, None
    left = [one for one in extensions if one is not found]
    rest = {name: entry for name, entry in value.items() if name != "extension"}
    return ({**rest, "extension": left} if left else rest), found


def concept_to_codeable(value: dict[str, Any]) -> dict[str, Any]:
    """A CodeableConcept as CodeableReference."""
    concept, hidden = take_extension(value, _REFERENCE)
    found: dict[str, Any] = {"concept": concept} if concept else {}
    return {**found, "reference": hidden["valueReference"]} if hidden else found


def codeable_to_concept(value: dict[str, Any]) -> dict[str, Any]:
    """A CodeableReference as CodeableConcept; its reference goes into an extension."""
    concept = dict(value.get("concept", {}))
    reference = value.get("reference")
    return with_extension(concept, {"url": _REFERENCE, "valueReference": reference}) if reference else concept


def reference_to_codeable(value: dict[str, Any]) -> dict[str, Any]:
    """A Reference as CodeableReference."""
    reference, hidden = take_extension(value, _CONCEPT)
    found: dict[str, Any] = {"concept": hidden["valueCodeableConcept"]} if hidden else {}
    return {**found, "reference": reference} if reference else found


def codeable_to_reference(value: dict[str, Any]) -> dict[str, Any]:
    """A CodeableReference as Reference; its concept goes into an extension."""
    reference = dict(value.get("reference", {}))
    concept = value.get("concept")
    return with_extension(reference, {"url": _CONCEPT, "valueCodeableConcept": concept}) if concept else reference


def coding_to_concept(value: dict[str, Any]) -> dict[str, Any]:
    """A Coding as CodeableConcept."""
    coding, hidden = take_extension(value, _WHOLE)
    if hidden is not None:
        whole: dict[str, Any] = hidden["valueCodeableConcept"]
        return whole
    return {"coding": [coding]}


def concept_to_coding(value: dict[str, Any]) -> dict[str, Any]:
    """A CodeableConcept as its first Coding; where it says more, the whole goes into an extension."""
    codings = value.get("coding") or [{}]
    if value.keys() == {"coding"} and len(codings) == 1:
        return dict(codings[0])
    return with_extension(dict(codings[0]), {"url": _WHOLE, "valueCodeableConcept": value})


KINDS: dict[tuple[str, str], Convert] = {
    ("CodeableConcept", "CodeableReference"): concept_to_codeable,
    ("CodeableReference", "CodeableConcept"): codeable_to_concept,
    ("Reference", "CodeableReference"): reference_to_codeable,
    ("CodeableReference", "Reference"): codeable_to_reference,
    ("Coding", "CodeableConcept"): coding_to_concept,
    ("CodeableConcept", "Coding"): concept_to_coding,
    ("Coding", "CodeableReference"): lambda value: concept_to_codeable(coding_to_concept(value)),
    ("CodeableReference", "Coding"): lambda value: concept_to_coding(codeable_to_concept(value)),
}
"""Between complex types."""


def short_decimal(value: Any) -> Any:
    """The nearest number that R5's decimal can write; the value itself when it can."""
    text = str(value)
    if _R5_DECIMAL.fullmatch(text):
        return value
    sober = re.sub(r"([eE][+-]?)0+(?=[0-9])", r"\1", text)
    if _R5_DECIMAL.fullmatch(sober):
        return DecimalText(sober)
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    plain = format(number.quantize(Decimal("1e-17")) if exponent < -17 else number, "f")
    if _R5_DECIMAL.fullmatch(plain) and Decimal(plain) != 0:
        return DecimalText(plain)
    return DecimalText(f"{number:.16e}".replace("e+0", "e").replace("e-0", "e-"))


def identifier_of(value: Any, more: dict[str, Any] | None) -> dict[str, Any]:
    """A string as Identifier; ``more`` are the primitive's own extensions."""
    kept, hidden = take_extension(more or {}, _IDENTIFIER)
    if hidden is not None:
        whole: dict[str, Any] = hidden["valueIdentifier"]
        return whole
    found: dict[str, Any] = {} if value is None else {"value": value}
    return {**found, "_value": kept} if kept else found


def string_of(identifier: dict[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    """An Identifier as string and the extensions of the primitive."""
    more: dict[str, Any] = dict(identifier.get("_value", {}))
    if identifier.keys() - {"value", "_value"}:
        more = with_extension(more, {"url": _IDENTIFIER, "valueIdentifier": identifier})
    return identifier.get("value"), more or None


PRIMITIVE_KINDS: dict[tuple[str, str], Convert] = {
    ("unsignedInt", "integer64"): str,
    ("integer64", "unsignedInt"): lambda value: int(value) if 0 <= int(value) < 2**31 else None,
    ("positiveInt", "string"): str,
    **{
        pair: (lambda value: value)
        for pair in (
            ("string", "markdown"),
            ("markdown", "string"),
            ("uri", "canonical"),
            ("canonical", "uri"),
            ("string", "id"),
            ("id", "string"),
            ("uri", "url"),
            ("url", "uri"),
        )
    },
}
"""Between primitive types; None = the value has no place there."""
