"""Small readers: text of all kinds, numbers, logical references, and data types as whole resources."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes import codes, identifiers, moments, numbers, people, places

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

Reader = Callable[[Context, str], Any]
"""From a field's repetition to JSON: a value, a list of values, or None."""


def plain(context: Context, raw: str) -> str | None:
    """Text; components that a sender put where none belong are joined."""
    if context.message.delimiters.component not in raw:
        return context.text(raw)
    return " ".join(word for part in context.split(raw) if (word := context.text(part))) or None


def identity(context: Context, raw: str) -> str | None:
    """Text that is a FHIR id; else nothing, with a problem."""
    text = context.text(raw)
    if text is None or _ID.fullmatch(text):
        return text
    context.problem("bad_code:id")
    return None


def free_text(context: Context, raw: str) -> str | None:
    return context.text(raw)


def shown(context: Context, raw: str) -> str | None:
    """The words of a CWE: original text, display, or code."""
    parts = context.parts(raw)
    return context.at(parts, 9) or context.at(parts, 2) or context.at(parts, 1)


def text_concept(context: Context, raw: str) -> Fragment | None:
    text = context.text(raw)
    return {"text": text} if text else None


def decimal(context: Context, raw: str) -> Any:
    text = _single(context, context.split(raw))
    found = numbers.decimal(text)
    if found is None and text:
        context.problem("bad_number")
    return found


def _single(context: Context, parts: list[str]) -> str | None:
    """The text of a number's field; a value of many components, a person's or a code's, is no number."""
    return " ".join(parts) if sum(map(bool, parts)) > 2 else context.at(parts, 1)


def whole(least: int) -> Reader:
    def read(context: Context, raw: str) -> int | None:
        text = _single(context, context.parts(raw))
        found = numbers.integer(text)
        if text and (found is None or found < least):
            context.problem("bad_number")
            return None
        return found

    return read


def days(context: Context, raw: str) -> Fragment | None:
    found = numbers.compared(context.at(context.split(raw), 1))
    return {**found, "unit": "d", "system": numbers.UCUM, "code": "d"} if found else None


def unit_only(context: Context, raw: str) -> Fragment | None:
    return numbers.unit(context, raw) or None


def names(context: Context, raw: str) -> list[Fragment]:
    return [name for name in (people.human_name(context, raw), people.called_by(context, raw)) if name]


def address_text(context: Context, raw: str) -> Fragment | None:
    text = plain(context, raw)
    return {"text": text} if text else None


def annotation(context: Context, raw: str) -> Fragment | None:
    text = context.text(raw)
    return {"text": text} if text else None


def with_identifier(type_: str, read: Reader) -> Reader:
    def resource(context: Context, raw: str) -> Fragment | None:
        found = read(context, raw)
        return {"resourceType": type_, "identifier": [found]} if found else None

    return resource


def logical(type_: str, read: Reader) -> Reader:
    """A reference by identifier: the resource itself is not in the message."""

    def reference(context: Context, raw: str) -> Fragment | None:
        found = read(context, raw)
        return {"type": type_, "identifier": found} if found else None

    return reference


def role(context: Context, raw: str) -> Fragment | None:
    person = people.practitioner(context, raw)
    return {"resourceType": "PractitionerRole", "practitioner": person} if person else None


def located_role(context: Context, raw: str) -> Fragment | None:
    """NDL: name, from, to, and a place in components 4 to 11; ``S01^Li`` is a name whose parts are components."""
    parts = context.split(raw)
    start, end = context.raw_at(parts, 2), context.raw_at(parts, 3)
    is_name = bool(start) and not start[0].isdigit() and context.message.delimiters.subcomponent not in parts[0]
    person = people.numbered(context, raw if is_name else parts[0])
    if person is None:
        return None
    found: Fragment = {"resourceType": "PractitionerRole", "practitioner": person}
    if is_name:
        return found
    found["period"] = identifiers.cleaned(
        {
            "start": moments.moment(context, start) if start else None,
            "end": moments.moment(context, end) if end else None,
        }
    )
    # NDL numbers a place as PL does, from point of care (4) to floor (11), facility seventh.
    at = [context.raw_at(parts, n) for n in (4, 5, 6, 7, 8, 9, 10, 11)]
    if place := places.location(context, context.message.delimiters.component.join(at)):
        found["location"] = [place]
    return found


def related(context: Context, raw: str) -> Fragment | None:
    name = people.human_name(context, raw)
    return {"resourceType": "RelatedPerson", "name": [name]} if name else None


def mother(context: Context, raw: str) -> Fragment | None:
    found = identifiers.extended(context, raw)
    if found is None:
        return None
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH", "display": "mother"}
    return {"resourceType": "RelatedPerson", "identifier": [found], "relationship": [{"coding": [code]}]}


def named_practitioner(context: Context, raw: str) -> Fragment | None:
    name = people.human_name(context, raw)
    return {"resourceType": "Practitioner", "name": [name]} if name else None


def coded_device(context: Context, raw: str) -> Fragment | None:
    found = codes.concept(context, raw)
    return {"resourceType": "Device", "type": found} if found else None


def authority_device(context: Context, raw: str) -> Fragment | None:
    found = identifiers.named(context, raw)
    return {"resourceType": "Device", "identifier": [found]} if found else None


def identified(context: Context, raw: str) -> Fragment | None:
    found = identifiers.extended(context, raw)
    return {"resourceType": "Organization", "identifier": [found]} if found else None


def endpoint(context: Context, raw: str) -> str | None:
    parts = context.parts(raw)
    return identifiers.universal(context.at(parts, 2), context.at(parts, 3)) or identifiers.system_of(context, parts)


def first_part(context: Context, raw: str) -> str | None:
    return context.at(context.parts(raw), 1)


def is_partial(context: Context, raw: str) -> bool | None:
    """Completion status PA (partially administered) says that a dose is subpotent."""
    return True if context.at(context.parts(raw), 1) == "PA" else None


def event(context: Context, raw: str) -> Fragment | None:
    code, event = (codes.code_text(part) for part in context.message.kind)
    if not code and not event:
        return None
    table = "0003" if event else "0076"
    found = {"system": f"http://terminology.hl7.org/CodeSystem/v2-{table}", "code": event or code}
    shown = context.text(raw)
    return {**found, "display": shown} if shown else found


def subidentifier(context: Context, raw: str) -> Fragment | None:
    """OG, the sub-id of an observation, as HL7's extension for it."""
    parts = context.split(raw)
    names = ("original-sub-identifier", "group", "sequence", "identifier")
    inner = [
        {"url": name, "valueString": value}
        for name, n in zip(names, (1, 2, 3, 4), strict=True)
        if (value := context.at(parts, n))
    ]
    url = "urn:cloister:fhir-extension:observation-sub-id"
    return {"extension": [{"url": url, "extension": inner}]} if inner else None
