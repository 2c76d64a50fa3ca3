"""Shapes of documents and messages. See ``shapes``."""

from __future__ import annotations

from collections.abc import Iterable

from fhir_mapping.convert.versions.kinds import CROSS, take_extension, with_extension
from fhir_mapping.convert.versions.shape_parts import Value, add, items_of, left

_R4 = CROSS.format("4.0")
_ATTESTATION = "http://hl7.org/fhir/composition-attestation-mode"
_PLAIN = ("period", "facilityType", "practiceSetting")


def master_up(source: Value, target: Value) -> Iterable[str]:
    """The master identifier is the first of R5's identifiers, marked as what it was."""
    if "masterIdentifier" in source:
        mark = {"url": _R4 + "DocumentReference.masterIdentifier", "valueBoolean": True}
        target["identifier"] = [with_extension(source["masterIdentifier"], mark), *target.get("identifier", ())]
    return ()


def master_down(source: Value, target: Value) -> Iterable[str]:
    url = _R4 + "DocumentReference.masterIdentifier"
    rest = []
    for one in target.get("identifier", ()):
        plain, mark = take_extension(one, url)
        if mark is None or "masterIdentifier" in target:
            rest.append(one)
        else:
            target["masterIdentifier"] = plain
    if rest:
        target["identifier"] = rest
    else:
        target.pop("identifier", None)
    return ()


def attester_up(source: Value, target: Value) -> Iterable[str]:
    if "authenticator" in source:
        mode = {"coding": [{"system": _ATTESTATION, "code": "official"}]}
        target["attester"] = [{"mode": mode, "party": source["authenticator"]}]
    return ()


def attester_down(source: Value, target: Value) -> Iterable[str]:
    rest = []
    for one in items_of(source, "attester"):
        codes = {coding.get("code") for coding in one.get("mode", {}).get("coding", ())}
        if codes == {"official"} and one.keys() == {"mode", "party"} and "authenticator" not in target:
            target["authenticator"] = one["party"]
        else:
            rest.append(one)
    return left(source, "attester", rest)


def document_context_up(source: Value, target: Value) -> Iterable[str]:
    context = source.get("context", {})
    for name in _PLAIN:
        if name in context:
            target[name] = context[name]
    add(target, "context", items_of(context, "encounter"))
    add(target, "event", [{"concept": code} for code in items_of(context, "event")])
    rest = {name: context[name] for name in ("sourcePatientInfo", "related", "extension") if name in context}
    if not rest:
        return ()
    source["context"] = rest
    return ("context",)


def document_context_down(source: Value, target: Value) -> Iterable[str]:
    context = dict(target.get("context", {}))
    context |= {name: source[name] for name in _PLAIN if name in source}
    encounters = [one for one in items_of(source, "context") if "Appointment/" not in str(one.get("reference"))]
    if encounters:
        context["encounter"] = encounters
    concepts = [one["concept"] for one in items_of(source, "event") if one.keys() == {"concept"}]
    if concepts:
        context["event"] = concepts
    if context:
        target["context"] = context
    rest = [one for one in items_of(source, "context") if one not in encounters]
    events = [one for one in items_of(source, "event") if one.keys() != {"concept"}]
    return [*left(source, "context", rest), *left(source, "event", events)]


def format_up(source: Value, target: Value) -> Iterable[str]:
    if "format" in source:
        target["profile"] = [{"valueCoding": source["format"]}]
    return ()


def format_down(source: Value, target: Value) -> Iterable[str]:
    entries = items_of(source, "profile")
    if entries and entries[0].keys() == {"valueCoding"}:
        target["format"] = entries[0]["valueCoding"]
        entries = entries[1:]
    return left(source, "profile", entries)


def text_content_up(source: Value, target: Value) -> Iterable[str]:
    if "contentString" in source:
        target["contentCodeableConcept"] = {"text": source["contentString"]}
    return ()


def text_content_down(source: Value, target: Value) -> Iterable[str]:
    concept = source.get("contentCodeableConcept")
    if concept is None:
        return ()
    codings = concept.get("coding") or [{}]
    target["contentString"] = concept.get("text") or codings[0].get("display") or codings[0].get("code") or "-"
    return () if concept.keys() == {"text"} else ("contentCodeableConcept",)
