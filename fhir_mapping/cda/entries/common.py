"""What entries share: their section, identifiers, times, notes, reasons and what nests below them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fhir_mapping.cda.agents import authors, of_types
from fhir_mapping.cda.coded import concept, identifiers
from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import column
from fhir_mapping.cda.element import Element, Node, child, local_name
from fhir_mapping.cda.times import has_width, period, point
from fhir_mapping.document import Resource

CCDA = "2.16.840.1.113883.10.20.22.4."
COMMENT = CCDA + "64"
INDICATION = CCDA + "19"
INSTRUCTION = CCDA + "20"
REASON = "77301-0"
"""LOINC: reason care action performed or not."""
PLANNED_MOODS = frozenset({"INT", "RQO", "PRP", "ARQ", "APT", "PRMS", "PERM", "SLOT", "OPT"})


@dataclass(frozen=True)
class Section:
    """Where an entry stands.

    Attributes:
        code: the section's LOINC code, or empty.
        templates: its template roots.
    """

    code: str = ""
    templates: frozenset[str] = frozenset()

    @property
    def observation_category(self) -> str:
        """The category of its observations, or empty."""
        return column("sections", "loinc", "observation_category").get(self.code, "")

    @property
    def condition_category(self) -> str:
        """The category of its conditions, or empty."""
        return column("sections", "loinc", "condition_category").get(self.code, "")


def base(kind: str, node: Node) -> Resource:
    """A resource of the type with the act's identifiers."""
    found: Resource = {"resourceType": kind}
    ids = identifiers(node.all("id"))
    if ids:
        found["identifier"] = ids
    return found


def put(resource: Resource, **values: Any) -> None:
    """Set the elements that have a value."""
    for name, value in values.items():
        if value or value is False or value == 0:
            resource[name] = value


def mood(node: Node) -> str:
    """The act's moodCode; an event where none is said."""
    return node.get("moodCode") or "EVN"


def is_negated(node: Node) -> bool:
    """negationInd."""
    return node.get("negationInd") in ("true", "1")


def status(node: Node) -> str:
    """``statusCode/@code``, or empty."""
    found = node.one("statusCode")
    return (found.get("code") or "").strip() if found is not None else ""


def time_into(
    resource: Resource, stem: str, element: Element | None, ctx: Context, *, point_only: bool = False
) -> None:
    """Set ``{stem}DateTime`` for one moment, ``{stem}Period`` where there is an interval; note a time that is none."""
    if element is None:
        return
    if not point_only and (has_width(element) or (element.get("value") is None and _bound(element))):
        span = period(element, ctx.clock)
        if span:
            resource[stem + "Period"] = span
            return
    text = point(element)
    moment = ctx.clock.date_time(text)
    if moment:
        resource[stem + "DateTime"] = moment
    elif text:
        ctx.problem("bad_date", element)


def _bound(element: Element) -> bool:
    """Whether the interval is open at one end on purpose: only one of low and high is there."""
    named = {local_name(kid) for kid in element if kid.get("value")}
    return bool(named & {"low", "high"})


def nested(node: Node, *types: str) -> Iterator[tuple[str, Node]]:
    """The acts in entryRelationships (and an organizer's components) with the relation's typeCode."""
    for kind, act in node.below():
        if not types or kind in types:
            yield kind, act


def notes(node: Node, ctx: Context) -> list[dict[str, Any]]:
    """Comment activities below the act, as Annotations."""
    found = []
    for _, act in nested(node):
        if act.has(COMMENT) or act.code() == "48767-8":
            text = ctx.words(act.one("text"))
            if text:
                found.append({"text": text})
    return found


def reasons(node: Node, ctx: Context) -> list[dict[str, Any]]:
    """Indications, RSON relations and reasons for doing or not doing, with a coded value, as concepts."""
    found = []
    for kind, act in nested(node):
        if (kind == "RSON" or act.has(INDICATION) or act.code() == REASON) and act.name == "observation":
            value = concept(act.one("value"), ctx)
            if value and value not in found:
                found.append(value)
    return found


def instructions(node: Node, ctx: Context) -> str:
    """The words of instruction acts below the act."""
    words = []
    for _, act in nested(node):
        if act.has(INSTRUCTION):
            code = concept(act.one("code"), ctx)
            text = ctx.words(act.one("text")) or code.get("text", "")
            text = text or next((one["display"] for one in code.get("coding", ()) if "display" in one), "")
            if text:
                words.append(text)
    return "; ".join(words)


def coded_instructions(node: Node, ctx: Context) -> list[dict[str, Any]]:
    """The codes of instruction acts below the act."""
    return [
        told for _, act in nested(node) if act.has(INSTRUCTION) and "coding" in (told := concept(act.one("code"), ctx))
    ]


def participants(node: Node, *types: str) -> Iterator[Node]:
    """The participantRoles of participants of those typeCodes."""
    for part in node.all("participant"):
        if part.get("typeCode") in types:
            role = Node(part).node("participantRole")
            if role is not None:
                yield role


def code_or_words(node: Node, ctx: Context) -> dict[str, Any]:
    """The act's code; without one, the words that its text points to."""
    found = concept(node.one("code"), ctx)
    if found:
        return found
    words = ctx.words(node.one("text"))
    return {"text": words} if words else {}


def walk_rest(node: Node, ctx: Context, section: Section, skip: tuple[str, ...] = ()) -> list[str]:
    """Handle the acts below that are clinical statements of their own; ``skip`` templates were used already."""
    found: list[str] = []
    for _, act in nested(node):
        if not act.has(*skip) and not (INDICATION in skip and act.code() == REASON):
            found += ctx.walk(act, section)
    return found


def requested_by(node: Node, found: Resource, ctx: Context) -> None:
    """``authoredOn`` and ``requester`` of an order: its author, and when."""
    author = node.one("author")
    time = child(author, "time") if author is not None else None
    by = of_types(
        authors(node, ctx), "Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device"
    )
    put(
        found,
        authoredOn=ctx.clock.date_time(time.get("value")) if time is not None else None,
        requester=by[0] if by else None,
    )
