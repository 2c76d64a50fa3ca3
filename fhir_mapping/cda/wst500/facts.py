"""A section's entries as a flat list of facts, in document order: data element, value, where it stood.

A data element is known by its code alone (``DE05.01.024.00``): exports write it under the wrong OID, with white space
or in a displayName. ``group`` tells which facts stood in one organizer; entries without one share the group 0, the
"flat" one, where what belongs together has to be paired by order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fhir_mapping.cda.context import Context
from fhir_mapping.cda.data_tables import column, rows
from fhir_mapping.cda.element import ACTS, Node, all_text, child, local_name, squeeze
from fhir_mapping.cda.entries.observations import value_of

_ELEMENT = re.compile(r"DE\d{2}\.\d{2}\.\d{3}\.\d{2}|HDS[A-Z]?\d{2}\.\d{2}\.\d{3}")
ELEMENT_SYSTEM = "urn:oid:2.16.156.10011.2.2.1"
_DATA_SET_SYSTEM = "urn:oid:2.16.156.10011.2.2.4"


@dataclass
class Fact:
    """One data element.

    Attributes:
        element: its code, ``DE04.30.015.00``.
        part: what it means for the mapping (``tables/cn_elements.csv``), empty for the generic way.
        label: its displayName: ``出院诊断-主要诊断疾病编码``.
        node: the observation.
        group: number of the organizer it stood in; 0 for entries of their own.
        below: facts nested in it by entryRelationship.
        said: its value where the element tells it in words of its own place (the substance of an allergy).
    """

    element: str
    part: str
    label: str
    node: Node
    group: int
    below: list[Fact] = field(default_factory=list)
    said: str = ""

    def value(self, ctx: Context) -> tuple[str, Any] | None:
        """``("String", "血常规")``, or None where it has no value."""
        if self.said:
            return "String", self.said
        raw = self.node.one("value")
        return value_of(raw, ctx) if raw is not None else None

    def words(self, ctx: Context) -> str:
        """The value as words: a string, or what a code displays."""
        found = self.value(ctx)
        if found is None:
            return ""
        kind, value = found
        if kind == "CodeableConcept":
            display = next((one["display"] for one in value.get("coding", ()) if "display" in one), "")
            return value.get("text") or display or value["coding"][0]["code"]
        if kind == "Quantity":
            return f"{value['value']}{value.get('unit', '')}"
        return str(value)

    def coding(self) -> dict[str, str]:
        """The data element as a Coding."""
        name = self.label or column("cn_elements", "element", "name").get(self.element, "")
        system = ELEMENT_SYSTEM if self.element.startswith("DE") else _DATA_SET_SYSTEM
        return {"system": system, "code": self.element, **({"display": name} if name else {})}


@dataclass
class Read:
    """What a section holds: facts, and the acts that are no observations of data elements, each with its group."""

    facts: list[Fact] = field(default_factory=list)
    acts: list[tuple[Node, int]] = field(default_factory=list)


def read_section(section: Node) -> Read:
    """The facts and acts of a section's entries."""
    found = Read()
    groups = [0]
    for part in (*section.all("entry"), *section.all("component")):  # component: a dialect's acts without entry
        for act in part:
            if local_name(act) in ACTS:
                _read(Node(act), found, 0, groups)
    return found


def _read(node: Node, found: Read, group: int, groups: list[int]) -> None:
    name = node.name
    fact = fact_of(node, group) if name == "observation" else None
    if fact is not None:
        found.facts.append(fact)
    elif name == "organizer" or (name in ("observation", "act") and _holds(node)):
        groups[0] += 1
        own = groups[0]
        for _, inner in node.below():
            _read(inner, found, own, groups)
    else:
        found.acts.append((node, group))


def _holds(node: Node) -> bool:
    """Whether an act without a code of its own is there for the data elements below it, whatever class it claims."""
    return not node.code() and any(fact_of(act) is not None for _, act in node.below() if act.name == "observation")


def fact_of(node: Node, group: int = 0) -> Fact | None:
    """The data element of an observation with those nested in it, or None."""
    code = node.one("code")
    if code is None:
        return None
    label = squeeze(code.get("displayName"))
    match = _ELEMENT.search(squeeze(code.get("code"))) or _ELEMENT.search(label)
    if match is None:
        return None
    element = match[0]
    label = "" if label == element else label
    fact = Fact(element, _part(element, label), label, node, group)
    fact.below = [*nested_facts(node, group), *_played(node, group)]
    return fact


@lru_cache(maxsize=4096)
def _part(element: str, label: str) -> str:
    """What the element means: by words of its label that contradict a wrongly written code, else by the code."""
    part = column("cn_elements", "element", "part").get(element, "")
    for row in rows("cn_labels"):
        if row["element"] == element and row["words"] in label:
            return row["part"]
    return part


def _played(node: Node, group: int) -> list[Fact]:
    """Data elements that stand as entities in a participant: the substance of an allergy."""
    found = []
    for part in node.all("participant"):
        for role in part:
            entity = child(role, "playingEntity")
            code = child(entity, "code")
            match = _ELEMENT.search(squeeze(code.get("code"))) if code is not None else None
            words = all_text(child(entity, "desc")) or all_text(child(entity, "name"))
            if entity is not None and code is not None and match is not None and words:
                label = squeeze(code.get("displayName"))
                found.append(Fact(match[0], _part(match[0], label), label, Node(entity), group, said=words))
    return found


def nested_facts(node: Node, group: int = 0) -> list[Fact]:
    """The data elements in an act's entryRelationships and components."""
    found = []
    for _, act in node.below():
        if act.name == "observation":
            below = fact_of(act, group)
            if below is not None:
                found.append(below)
        elif act.name == "organizer":
            found += nested_facts(act, group)
    return found


def flatten(facts: list[Fact]) -> list[Fact]:
    """Each fact before those nested in it."""
    found = []
    for fact in facts:
        found.append(fact)
        found += flatten(fact.below)
    return found


def qualifier(fact: Fact) -> str:
    """What tells apart elements of one code: the code's qualifier, else the label."""
    part = child(fact.node.one("code"), "qualifier", "name")
    return (squeeze(part.get("displayName")) if part is not None else "") or fact.label
