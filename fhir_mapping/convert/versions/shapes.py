"""The few shapes that R4 and R5 build differently, one pair of functions each.

A shape takes some elements of its owner out of the walk and puts what they say into the target. Its functions get the
source value and the target as far as the walk has it, and name the elements for which there was no place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_mapping.convert.versions.kinds import CROSS, take_extension, with_extension
from fhir_mapping.convert.versions.names import Direction

Value = dict[str, Any]
Apply = Callable[[Value, Value], Iterable[str]]
"""``apply(source, target)`` fills the target; gives the names of source elements that have no place."""

_R4 = CROSS.format("4.0")
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_ATTESTATION = "http://hl7.org/fhir/composition-attestation-mode"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


@dataclass(frozen=True)
class Shape:
    """What one owner's functions take over in one direction."""

    takes: frozenset[str]
    functions: tuple[Apply, ...]

    def apply(self, source: Value, target: Value) -> list[str]:
        return [name for function in self.functions for name in function(source, target)]


_NONE = Shape(frozenset(), ())


def _items(value: Value, name: str) -> list[Any]:
    found = value.get(name, [])
    return found if isinstance(found, list) else [found]


def _add(target: Value, name: str, entries: list[Any]) -> None:
    if entries:
        target[name] = [*target.get(name, ()), *entries]


def _participants_up(source: Value, target: Value) -> Iterable[str]:
    """Recorder and asserter are participants of R5, by function."""
    for name, code in (("recorder", "author"), ("asserter", "informant")):
        if name in source:
            function = {"coding": [{"system": _PARTICIPANT, "code": code}]}
            _add(target, "participant", [{"function": function, "actor": source[name]}])
    return ()


def _participants_down(source: Value, target: Value) -> Iterable[str]:
    rest = []
    for one in _items(source, "participant"):
        codes = {coding.get("code") for coding in one.get("function", {}).get("coding", ())}
        name = "recorder" if codes == {"author"} else "asserter" if codes == {"informant"} else None
        if name and name not in target and one.keys() == {"function", "actor"}:
            target[name] = one["actor"]
        else:
            rest.append(one)
    return _left(source, "participant", rest)


def _left(source: Value, name: str, rest: list[Any]) -> Iterable[str]:
    """The element keeps only what found no place."""
    if not rest:
        return ()
    source[name] = rest
    return (name,)


def _evidence_up(source: Value, target: Value) -> Iterable[str]:
    for one in _items(source, "evidence"):
        codes, details = one.get("code", []), one.get("detail", [])
        if one.keys() <= {"code", "detail"} and len(codes) <= 1 and len(details) <= 1:
            entry = {**({"concept": codes[0]} if codes else {}), **({"reference": details[0]} if details else {})}
            _add(target, "evidence", [entry])
        else:
            _add(target, "evidence", [{"concept": code} for code in codes])
            _add(target, "evidence", [{"reference": detail} for detail in details])
    return ()


def _evidence_down(source: Value, target: Value) -> Iterable[str]:
    for one in _items(source, "evidence"):
        entry = {"code": [one["concept"]]} if "concept" in one else {}
        _add(target, "evidence", [{**entry, **({"detail": [one["reference"]]} if "reference" in one else {})}])
    return ()


def _clinical_up(source: Value, target: Value) -> Iterable[str]:
    """R5 asks for a clinical status; where R4 has none it is unknown."""
    target["clinicalStatus"] = source.get("clinicalStatus") or {"coding": [{"system": _CLINICAL, "code": "unknown"}]}
    return ()


def _clinical_down(source: Value, target: Value) -> Iterable[str]:
    status = source.get("clinicalStatus", {})
    if all(coding.get("code") != "unknown" for coding in status.get("coding", ())) and status:
        target["clinicalStatus"] = status
    return ()


def _encounter_reason_up(source: Value, target: Value) -> Iterable[str]:
    _add(target, "reason", [{"value": [{"concept": code}]} for code in _items(source, "reasonCode")])
    _add(target, "reason", [{"value": [{"reference": one}]} for one in _items(source, "reasonReference")])
    return ()


def _encounter_reason_down(source: Value, target: Value) -> Iterable[str]:
    rest = []
    for reason in _items(source, "reason"):
        if reason.keys() != {"value"} or any(one.keys() - {"concept"} and len(one) > 1 for one in reason["value"]):
            rest.append(reason)
            continue
        for one in reason["value"]:
            name = "reasonCode" if "concept" in one else "reasonReference"
            _add(target, name, [one.get("concept") or one.get("reference")])
    return _left(source, "reason", rest)


def _admission_up(source: Value, target: Value) -> Iterable[str]:
    """Diet, courtesies and arrangements stand beside the admission in R5."""
    inside = source.get("hospitalization", {})
    for name in ("dietPreference", "specialArrangement", "specialCourtesy"):
        _add(target, name, _items(inside, name))
        target.get("admission", {}).pop(name, None)
    for extension in list(target.get("admission", {}).get("extension", ())):
        if str(extension.get("url")).endswith(("dietPreference", "specialArrangement", "specialCourtesy")):
            target["admission"], _ = take_extension(target["admission"], extension["url"])
    if "admission" in target and not target["admission"]:
        del target["admission"]
    return ()


def _admission_down(source: Value, target: Value) -> Iterable[str]:
    for name in ("dietPreference", "specialArrangement", "specialCourtesy"):
        if name in source:
            target["hospitalization"] = {**target.get("hospitalization", {}), name: source[name]}
    return ()


def _context_up(source: Value, target: Value) -> Iterable[str]:
    """R5 names the encounter; an episode of care has no place."""
    context = source.get("context")
    if context is None:
        return ()
    if str(context.get("reference", "Encounter/")).startswith("EpisodeOfCare/"):
        return ("context",)
    target["encounter"] = context
    return ()


def _context_down(source: Value, target: Value) -> Iterable[str]:
    if "encounter" in source:
        target.setdefault("context", source["encounter"])
    return ()


def _wrapped(r4: str, r5: str, inner: str) -> tuple[Apply, Apply]:
    """``[x]`` (or ``x``) in R4, ``[{inner: x}]`` in R5."""

    def up(source: Value, target: Value) -> Iterable[str]:
        _add(target, r5, [{inner: one} for one in _items(source, r4)])
        return ()

    def down(source: Value, target: Value) -> Iterable[str]:
        entries = _items(source, r5)
        rest = [one for one in entries if one.keys() != {inner}]
        values = [one[inner] for one in entries if one.keys() == {inner}]
        if values:
            target[r4] = values
        return _left(source, r5, rest)

    return up, down


def _wrapped_one(r4: str, r5: str, wrap: Callable[[Any], Value], unwrap: Callable[[Value], Any]) -> tuple[Apply, Apply]:
    """One text in R4, a list of one in R5."""

    def up(source: Value, target: Value) -> Iterable[str]:
        if r4 in source:
            _add(target, r5, [wrap(source[r4])])
        return ()

    def down(source: Value, target: Value) -> Iterable[str]:
        entries = _items(source, r5)
        value = unwrap(entries[0]) if entries else None
        if value is not None and r4 not in target:
            target[r4] = value
            entries = entries[1:]
        return _left(source, r5, entries)

    return up, down


def _only(name: str, inner: Callable[[Any], Any] = lambda value: value) -> Callable[[Value], Any]:
    return lambda entry: inner(entry[name]) if entry.keys() == {name} else None


def _only_text(value: Any) -> Any:
    return value["text"] if isinstance(value, dict) and value.keys() == {"text"} else None


def _master_up(source: Value, target: Value) -> Iterable[str]:
    """The master identifier is the first of R5's identifiers, marked as what it was."""
    if "masterIdentifier" in source:
        mark = {"url": _R4 + "DocumentReference.masterIdentifier", "valueBoolean": True}
        target["identifier"] = [with_extension(source["masterIdentifier"], mark), *target.get("identifier", ())]
    return ()


def _master_down(source: Value, target: Value) -> Iterable[str]:
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


def _attester_up(source: Value, target: Value) -> Iterable[str]:
    if "authenticator" in source:
        mode = {"coding": [{"system": _ATTESTATION, "code": "official"}]}
        target["attester"] = [{"mode": mode, "party": source["authenticator"]}]
    return ()


def _attester_down(source: Value, target: Value) -> Iterable[str]:
    rest = []
    for one in _items(source, "attester"):
        codes = {coding.get("code") for coding in one.get("mode", {}).get("coding", ())}
        if codes == {"official"} and one.keys() == {"mode", "party"} and "authenticator" not in target:
            target["authenticator"] = one["party"]
        else:
            rest.append(one)
    return _left(source, "attester", rest)


_PLAIN = ("period", "facilityType", "practiceSetting")


def _document_context_up(source: Value, target: Value) -> Iterable[str]:
    context = source.get("context", {})
    for name in _PLAIN:
        if name in context:
            target[name] = context[name]
    _add(target, "context", _items(context, "encounter"))
    _add(target, "event", [{"concept": code} for code in _items(context, "event")])
    rest = {name: context[name] for name in ("sourcePatientInfo", "related", "extension") if name in context}
    if not rest:
        return ()
    source["context"] = rest
    return ("context",)


def _document_context_down(source: Value, target: Value) -> Iterable[str]:
    context = dict(target.get("context", {}))
    context |= {name: source[name] for name in _PLAIN if name in source}
    encounters = [one for one in _items(source, "context") if "Appointment/" not in str(one.get("reference"))]
    if encounters:
        context["encounter"] = encounters
    concepts = [one["concept"] for one in _items(source, "event") if one.keys() == {"concept"}]
    if concepts:
        context["event"] = concepts
    if context:
        target["context"] = context
    rest = [one for one in _items(source, "context") if one not in encounters]
    events = [one for one in _items(source, "event") if one.keys() != {"concept"}]
    return [*_left(source, "context", rest), *_left(source, "event", events)]


def _payor_up(source: Value, target: Value) -> Iterable[str]:
    """An organization that pays is the insurer; who else pays is a payment party."""
    payors = _items(source, "payor")
    first = next((one for one in payors if _aims_at(one, "Organization")), None)
    if first is not None:
        target["insurer"] = first
    _add(target, "paymentBy", [{"party": one} for one in payors if one is not first])
    target["kind"] = "insurance" if first is not None else "self-pay"
    return ()


def _payor_down(source: Value, target: Value) -> Iterable[str]:
    parties = [one["party"] for one in _items(source, "paymentBy") if one.keys() == {"party"}]
    payors = [*([source["insurer"]] if "insurer" in source else []), *parties]
    if payors:
        target["payor"] = payors
    rest = [one for one in _items(source, "paymentBy") if one.keys() != {"party"}]
    return [*_left(source, "paymentBy", rest), *(("kind",) if source.get("kind") == "other" else ())]


def _aims_at(reference: Value, type: str) -> bool:
    literal, named = str(reference.get("reference", "")), reference.get("type")
    return named == type or f"{type}/" in literal or not (literal or named)


_R4_CONTACT = frozenset(("id", "extension", "purpose", "name", "telecom", "address"))
_CONTACT: Value = {"url": _R4 + "Organization.contact", "valueBoolean": True}
"""Marks a contact of R4 that has neither name nor purpose: else it would look like the owner's own telecom."""


def _contact_up(source: Value, target: Value) -> Iterable[str]:
    """Telecom and addresses of the owner are contact details without a name or purpose in R5."""
    telecom, addresses = _items(source, "telecom"), _items(source, "address") if "address" in source else []
    first: Value = {"telecom": telecom} if telecom else {}
    if addresses:
        first["address"] = addresses[0]
    entries = [first] if first else []
    entries += [{"address": address} for address in addresses[1:]]
    for contact in _items(source, "contact"):
        name = {"name": [contact["name"]]} if "name" in contact else {}
        plain = {**{k: v for k, v in contact.items() if k != "name"}, **name}
        entries.append(plain if {"name", "purpose"} & plain.keys() else with_extension(plain, _CONTACT))
    if entries:
        target["contact"] = entries
    return ()


def _contact_down(has_address: bool) -> Apply:
    def down(source: Value, target: Value) -> Iterable[str]:
        rest: list[Value] = []
        contacts: list[Value] = []
        for item in _items(source, "contact"):
            one, mark = take_extension(item, _CONTACT["url"])
            allowed = {"telecom", "address"} if has_address else {"telecom"}
            if one.keys() <= allowed and mark is None:
                _add(target, "telecom", one.get("telecom", []))
                _add(target, "address", [one["address"]] if "address" in one else [])
            elif (
                has_address and one.keys() <= {"purpose", "name", "telecom", "address"} and len(_items(one, "name")) < 2
            ):
                name = {"name": one["name"][0]} if "name" in one else {}
                contacts.append({**{k: v for k, v in one.items() if k != "name"}, **name})
            else:
                rest.append(one)
        if contacts:
            target["contact"] = contacts
        return _left(source, "contact", rest)

    return down


def _location_contact_up(source: Value, target: Value) -> Iterable[str]:
    if "telecom" in source:
        target["contact"] = [{"telecom": source["telecom"]}]
    return ()


def _role_times_up(source: Value, target: Value) -> Iterable[str]:
    found: Value = {}
    if "availableTime" in source:
        found["availableTime"] = source["availableTime"]
    if "notAvailable" in source:
        found["notAvailableTime"] = source["notAvailable"]
    if found:
        target["availability"] = [found]
    return ("availabilityExceptions",) if "availabilityExceptions" in source else ()


def _role_times_down(source: Value, target: Value) -> Iterable[str]:
    for one in _items(source, "availability"):
        _add(target, "availableTime", _items(one, "availableTime"))
        _add(target, "notAvailable", _items(one, "notAvailableTime"))
    return ()


_HOURS = {"openingTime": "availableStartTime", "closingTime": "availableEndTime"}
_HOURS_BACK = {r5: r4 for r4, r5 in _HOURS.items()}


def _renamed(value: Value, table: Mapping[str, str]) -> Value:
    return {table.get(name, name): entry for name, entry in value.items()}


def _hours_up(source: Value, target: Value) -> Iterable[str]:
    times = [_renamed(one, _HOURS) for one in _items(source, "hoursOfOperation")]
    if times:
        target["hoursOfOperation"] = [{"availableTime": times}]
    return ("availabilityExceptions",) if "availabilityExceptions" in source else ()


def _hours_down(source: Value, target: Value) -> Iterable[str]:
    entries = _items(source, "hoursOfOperation")
    for one in entries:
        _add(target, "hoursOfOperation", [_renamed(time, _HOURS_BACK) for time in _items(one, "availableTime")])
    return _left(source, "hoursOfOperation", [one for one in entries if one.keys() != {"availableTime"}])


_NEEDED = {"required": True, "optional": False, "information-only": False}


def _needed_up(source: Value, target: Value) -> Iterable[str]:
    if "required" not in source:
        return ()
    target["required"] = _NEEDED.get(source["required"], False)
    return ("required",) if source["required"] == "information-only" else ()


def _needed_down(source: Value, target: Value) -> Iterable[str]:
    if "required" in source:
        target.setdefault("required", "required" if source["required"] else "optional")
    return ()


def _no_place(*names: str) -> Apply:
    """Elements of one name whose meaning differs: they go into extensions."""
    return lambda source, target: [name for name in names if name in source]


def _doses_up(source: Value, target: Value) -> Iterable[str]:
    lost = []
    for stem in ("doseNumber", "seriesDoses"):
        for kind in ("PositiveInt", "String"):
            value = source.get(stem + kind)
            if value is not None:
                target[stem] = str(value)
                lost += [stem + kind] if kind == "String" and str(value).isdigit() else []
    return lost


def _doses_down(source: Value, target: Value) -> Iterable[str]:
    for stem in ("doseNumber", "seriesDoses"):
        value = source.get(stem)
        if value is not None and stem + "String" not in target:
            is_number = value.isdigit() and 0 < int(value) < 2**31 and not value.startswith("0")
            target[stem + ("PositiveInt" if is_number else "String")] = int(value) if is_number else value
    return ()


def _sampled_up(source: Value, target: Value) -> Iterable[str]:
    """R4's period is in milliseconds."""
    target["intervalUnit"] = "ms"
    return ()


def _sampled_down(source: Value, target: Value) -> Iterable[str]:
    return () if source.get("intervalUnit") == "ms" else ("intervalUnit",)


def _format_up(source: Value, target: Value) -> Iterable[str]:
    if "format" in source:
        target["profile"] = [{"valueCoding": source["format"]}]
    return ()


def _format_down(source: Value, target: Value) -> Iterable[str]:
    entries = _items(source, "profile")
    if entries and entries[0].keys() == {"valueCoding"}:
        target["format"] = entries[0]["valueCoding"]
        entries = entries[1:]
    return _left(source, "profile", entries)


def _text_content_up(source: Value, target: Value) -> Iterable[str]:
    if "contentString" in source:
        target["contentCodeableConcept"] = {"text": source["contentString"]}
    return ()


def _text_content_down(source: Value, target: Value) -> Iterable[str]:
    concept = source.get("contentCodeableConcept")
    if concept is None:
        return ()
    codings = concept.get("coding") or [{}]
    target["contentString"] = concept.get("text") or codings[0].get("display") or codings[0].get("code") or "-"
    return () if concept.keys() == {"text"} else ("contentCodeableConcept",)


def _money_up(source: Value, target: Value) -> Iterable[str]:
    if "value" in source:
        target["quantity"] = {"value": source["value"]}
    return ()


def _money_down(source: Value, target: Value) -> Iterable[str]:
    quantity = source.get("quantity", {})
    if "value" in quantity:
        target["value"] = quantity["value"]
    return ("quantity",) if quantity.keys() - {"value"} else ()


_TABLE: dict[str, list[tuple[str, str, tuple[Apply, Apply]]]] = {
    "AllergyIntolerance": [("recorder asserter", "participant", (_participants_up, _participants_down))],
    "Appointment": [
        ("comment", "note", _wrapped_one("comment", "note", lambda text: {"text": text}, _only("text"))),
        (
            "patientInstruction",
            "patientInstruction",
            _wrapped_one(
                "patientInstruction",
                "patientInstruction",
                lambda text: {"concept": {"text": text}},
                _only("concept", _only_text),
            ),
        ),
        ("priority", "priority", (_no_place("priority"), _no_place("priority"))),
    ],
    "Appointment.participant": [("required", "required", (_needed_up, _needed_down))],
    "Communication.payload": [
        ("contentString", "contentCodeableConcept", (_text_content_up, _text_content_down)),
    ],
    "Condition": [
        ("recorder asserter", "participant", (_participants_up, _participants_down)),
        ("evidence", "evidence", (_evidence_up, _evidence_down)),
        ("clinicalStatus", "clinicalStatus", (_clinical_up, _clinical_down)),
    ],
    "Coverage": [("payor", "insurer paymentBy kind", (_payor_up, _payor_down))],
    "DocumentReference": [
        ("masterIdentifier", "", (_master_up, _master_down)),
        ("authenticator", "attester", (_attester_up, _attester_down)),
        (
            "context",
            "context event period facilityType practiceSetting",
            (_document_context_up, _document_context_down),
        ),
    ],
    "DocumentReference.content": [("format", "profile", (_format_up, _format_down))],
    "Encounter": [
        ("reasonCode reasonReference", "reason", (_encounter_reason_up, _encounter_reason_down)),
        ("", "dietPreference specialArrangement specialCourtesy", (_admission_up, _admission_down)),
    ],
    "ExplanationOfBenefit.item.adjudication": [("value", "quantity", (_money_up, _money_down))],
    "Immunization.protocolApplied": [
        (
            "doseNumberPositiveInt doseNumberString seriesDosesPositiveInt seriesDosesString",
            "doseNumber seriesDoses",
            (_doses_up, _doses_down),
        )
    ],
    "Location": [
        ("telecom", "contact", (_location_contact_up, _contact_down(has_address=False))),
        ("hoursOfOperation availabilityExceptions", "hoursOfOperation", (_hours_up, _hours_down)),
    ],
    "MedicationAdministration": [("context", "encounter", (_context_up, _context_down))],
    "MedicationDispense": [("context", "encounter", (_context_up, _context_down))],
    "MedicationStatement": [("context", "encounter", (_context_up, _context_down))],
    "Organization": [("telecom address contact", "contact", (_contact_up, _contact_down(has_address=True)))],
    "Practitioner": [("communication", "communication", _wrapped("communication", "communication", "language"))],
    "PractitionerRole": [
        ("telecom", "contact", (_location_contact_up, _contact_down(has_address=False))),
        ("availableTime notAvailable availabilityExceptions", "availability", (_role_times_up, _role_times_down)),
    ],
    "SampledData": [("", "intervalUnit", (_sampled_up, _sampled_down))],
    "ServiceRequest": [
        (
            "patientInstruction",
            "patientInstruction",
            _wrapped_one(
                "patientInstruction",
                "patientInstruction",
                lambda text: {"instructionMarkdown": text},
                _only("instructionMarkdown"),
            ),
        )
    ],
}
"""By owner (its R4 name): elements taken of R4, elements taken of R5, the functions up and down."""


def _shape(owner: str, direction: Direction) -> Shape:
    rows = _TABLE.get(owner)
    if not rows:
        return _NONE
    is_up = direction == "up"
    takes = frozenset(name for r4, r5, _ in rows for name in (r4 if is_up else r5).split())
    return Shape(takes, tuple(functions[0 if is_up else 1] for _, _, functions in rows))


_SHAPES = {(owner, direction): _shape(owner, direction) for owner in _TABLE for direction in ("up", "down")}


def shape_of(owner: str, direction: Direction) -> Shape:
    """What the functions of an owner (by its R4 name) take over."""
    return _SHAPES.get((owner, direction), _NONE)
