"""Shapes of conditions, allergies, visits, medicines, immunizations, measurements. See ``shapes``."""

from __future__ import annotations

from collections.abc import Iterable

from fhir_mapping.convert.versions.kinds import take_extension
from fhir_mapping.convert.versions.shape_parts import Value, add, items_of, left

_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def participants_up(source: Value, target: Value) -> Iterable[str]:
    """Recorder and asserter are participants of R5, by function."""
    for name, code in (("recorder", "author"), ("asserter", "informant")):
        if name in source:
            function = {"coding": [{"system": _PARTICIPANT, "code": code}]}
            add(target, "participant", [{"function": function, "actor": source[name]}])
    return ()


def participants_down(source: Value, target: Value) -> Iterable[str]:
    rest = []
    for one in items_of(source, "participant"):
        codes = {coding.get("code") for coding in one.get("function", {}).get("coding", ())}
        name = "recorder" if codes == {"author"} else "asserter" if codes == {"informant"} else None
        if name and name not in target and one.keys() == {"function", "actor"}:
            target[name] = one["actor"]
        else:
            rest.append(one)
    return left(source, "participant", rest)


def evidence_up(source: Value, target: Value) -> Iterable[str]:
    for one in items_of(source, "evidence"):
        codes, details = one.get("code", []), one.get("detail", [])
        if one.keys() <= {"code", "detail"} and len(codes) <= 1 and len(details) <= 1:
            entry = {**({"concept": codes[0]} if codes else {}), **({"reference": details[0]} if details else {})}
            add(target, "evidence", [entry])
        else:
            add(target, "evidence", [{"concept": code} for code in codes])
            add(target, "evidence", [{"reference": detail} for detail in details])
    return ()


def evidence_down(source: Value, target: Value) -> Iterable[str]:
    for one in items_of(source, "evidence"):
        entry = {"code": [one["concept"]]} if "concept" in one else {}
        add(target, "evidence", [{**entry, **({"detail": [one["reference"]]} if "reference" in one else {})}])
    return ()


def clinical_up(source: Value, target: Value) -> Iterable[str]:
    """R5 asks for a clinical status; where R4 has none it is unknown."""
    target["clinicalStatus"] = source.get("clinicalStatus") or {"coding": [{"system": _CLINICAL, "code": "unknown"}]}
    return ()


def clinical_down(source: Value, target: Value) -> Iterable[str]:
    status = source.get("clinicalStatus", {})
    if all(coding.get("code") != "unknown" for coding in status.get("coding", ())) and status:
        target["clinicalStatus"] = status
    return ()


def encounter_reason_up(source: Value, target: Value) -> Iterable[str]:
    add(target, "reason", [{"value": [{"concept": code}]} for code in items_of(source, "reasonCode")])
    add(target, "reason", [{"value": [{"reference": one}]} for one in items_of(source, "reasonReference")])
    return ()


def encounter_reason_down(source: Value, target: Value) -> Iterable[str]:
    rest = []
    for reason in items_of(source, "reason"):
        if reason.keys() != {"value"} or any(one.keys() - {"concept"} and len(one) > 1 for one in reason["value"]):
            rest.append(reason)
            continue
        for one in reason["value"]:
            name = "reasonCode" if "concept" in one else "reasonReference"
            add(target, name, [one.get("concept") or one.get("reference")])
    return left(source, "reason", rest)


def admission_up(source: Value, target: Value) -> Iterable[str]:
    """Diet, courtesies and arrangements stand beside the admission in R5."""
    inside = source.get("hospitalization", {})
    for name in ("dietPreference", "specialArrangement", "specialCourtesy"):
        add(target, name, items_of(inside, name))
        target.get("admission", {}).pop(name, None)
    for extension in list(target.get("admission", {}).get("extension", ())):
        if str(extension.get("url")).endswith(("dietPreference", "specialArrangement", "specialCourtesy")):
            target["admission"], _ = take_extension(target["admission"], extension["url"])
    if "admission" in target and not target["admission"]:
        del target["admission"]
    return ()


def admission_down(source: Value, target: Value) -> Iterable[str]:
    for name in ("dietPreference", "specialArrangement", "specialCourtesy"):
        if name in source:
            target["hospitalization"] = {**target.get("hospitalization", {}), name: source[name]}
    return ()


def context_up(source: Value, target: Value) -> Iterable[str]:
    """R5 names the encounter; an episode of care has no place."""
    context = source.get("context")
    if context is None:
        return ()
    if str(context.get("reference", "Encounter/")).startswith("EpisodeOfCare/"):
        return ("context",)
    target["encounter"] = context
    return ()


def context_down(source: Value, target: Value) -> Iterable[str]:
    if "encounter" in source:
        target.setdefault("context", source["encounter"])
    return ()


def doses_up(source: Value, target: Value) -> Iterable[str]:
    lost = []
    for stem in ("doseNumber", "seriesDoses"):
        for kind in ("PositiveInt", "String"):
            value = source.get(stem + kind)
            if value is not None:
                target[stem] = str(value)
                lost += [stem + kind] if kind == "String" and str(value).isdigit() else []
    return lost


def doses_down(source: Value, target: Value) -> Iterable[str]:
    for stem in ("doseNumber", "seriesDoses"):
        value = source.get(stem)
        if value is not None and stem + "String" not in target:
            is_number = value.isdigit() and 0 < int(value) < 2**31 and not value.startswith("0")
            target[stem + ("PositiveInt" if is_number else "String")] = int(value) if is_number else value
    return ()


def sampled_up(source: Value, target: Value) -> Iterable[str]:
    """R4's period is in milliseconds."""
    target["intervalUnit"] = "ms"
    return ()


def sampled_down(source: Value, target: Value) -> Iterable[str]:
    return () if source.get("intervalUnit") == "ms" else ("intervalUnit",)
