"""Codings: code systems that FHIR publishes whole, required value sets, languages, units."""

from __future__ import annotations

from typing import Any

from fhir_mapping.convert.definitions.reader import Element
from fhir_mapping.convert.languages import LANGUAGE_SYSTEM, LANGUAGES
from fhir_mapping.convert.primitives import is_absolute
from fhir_mapping.convert.rules.context import Context
from fhir_mapping.terminology.ucum import is_ucum

UCUM = "http://unitsofmeasure.org"
OTHER_CODING = "urn:cloister:fhir:other-coding"
"""Extension of a CodeableConcept with a required binding: a Coding of another code system."""


def bound(ctx: Context, value: dict[str, Any], element: Element, path: str) -> dict[str, Any] | None:
    """A Coding or CodeableConcept within the required value set of its element; None when it is not."""
    if element.codes in LANGUAGES and not _is_bound(ctx, value, element):
        value = _spoken(ctx, value, path)
    if not _is_bound(ctx, value, element):
        ctx.fault("not_in_binding", path)
        return None
    is_listed = element.codes in ctx.known.value_sets or element.codes in LANGUAGES
    return _only_bound(ctx, value, element, path) if is_listed and element.type == "CodeableConcept" else value


def _is_bound(ctx: Context, value: dict[str, Any], element: Element) -> bool:
    """Whether a Coding or CodeableConcept holds a code of its required value set."""
    assert element.codes is not None
    if element.codes in LANGUAGES and element.type == "CodeableConcept":
        return any(one.get("system") == LANGUAGE_SYSTEM and "code" in one for one in value.get("coding", ()))
    if element.type == "Coding":
        return ctx.is_coded(element.codes, value.get("system", ""), value.get("code"))
    if element.type == "CodeableConcept":
        codings = value.get("coding", ())
        return any(ctx.is_coded(element.codes, one.get("system", ""), one.get("code")) for one in codings)
    return True


def _only_bound(ctx: Context, value: dict[str, Any], element: Element, path: str) -> dict[str, Any]:
    """Codings beyond a required value set stand in an extension: validators take every coding to be meant of it."""
    codings = value.get("coding", [])
    codes = element.codes or ""
    if codes in LANGUAGES:
        others = [one for one in codings if one.get("system") != LANGUAGE_SYSTEM]
    else:
        others = [one for one in codings if not ctx.is_coded(codes, one.get("system", ""), one.get("code"))]
    if not others:
        return value
    ctx.fault("coding_beyond_binding", path)
    more = [{"url": OTHER_CODING, "valueCoding": one} for one in others]
    kept = [one for one in codings if one not in others]
    return {**value, "coding": kept, "extension": [*value.get("extension", ()), *more]}


def coding(ctx: Context, found: dict[str, Any], path: str) -> dict[str, Any]:
    if found.get("system") == LANGUAGE_SYSTEM and "code" in found:
        return _language(ctx, found, path)
    if found.get("system") == UCUM and "code" in found and not is_ucum(found["code"]):
        ctx.fault("not_ucum", path)
        return {name: entry for name, entry in found.items() if name not in ("system", "version")}
    if not is_absolute(str(found.get("system", "urn:x"))):
        ctx.fault("relative_system", f"{path}.system")
        return {name: entry for name, entry in found.items() if name not in ("system", "version")}
    codes = ctx.known.systems.get(str(found.get("system")))
    if codes is None or found.get("code") in codes:
        return found
    ctx.fault("unknown_code", path)
    return {name: entry for name, entry in found.items() if name not in ("system", "version")}


def _spoken(ctx: Context, concept: dict[str, Any], path: str) -> dict[str, Any]:
    """A language by another code system or by words alone: its BCP 47 code where it has one, else ``und``."""
    ctx.fault("language_code", path)
    codings = concept.get("coding", [])
    tags = (ctx.sober(str(one["code"])) for one in codings if "code" in one)
    tag = next((tag for tag in tags if tag), "und")
    more = [{"url": OTHER_CODING, "valueCoding": one} for one in codings]
    found = {**concept, "coding": [{"system": LANGUAGE_SYSTEM, "code": tag}]}
    return {**found, "extension": [*concept.get("extension", ()), *more]} if more else found


def _language(ctx: Context, found: dict[str, Any], path: str) -> dict[str, Any]:
    code = ctx.sober(found["code"])
    if code == found["code"]:
        return found
    if code is not None:
        ctx.fault("language_code", path)
        return {**found, "code": code}
    ctx.fault("not_a_language", path)
    return {name: entry for name, entry in found.items() if name != "system"}
