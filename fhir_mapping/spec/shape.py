"""Which elements a spec fills, told from its expressions alone: required ones left out, others mapped twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.fhir.elements import TYPES, Element
from contracts.fhir.paths import Step
from fhir_mapping.spec.check import Fault
from fhir_mapping.spec.expressions import Code, Expression, FirstOf, Lookup, Quantity, Reference

Place = tuple[tuple[str, int | None], ...]
Checked = tuple[tuple[Step, ...], Expression]


def shape_faults(resource: str, checked: Sequence[Checked]) -> Iterator[Fault]:
    """Elements mapped twice, two types of one choice that both always have a value, required ones that none maps."""
    owner: dict[Place, str] = {}
    for steps, expression in checked:
        path = ".".join(map(str, steps))
        for below in sorted(_filled(expression, steps[-1].element), key=str):
            place = (*((step.element.name, step.index) for step in steps), *below)
            if place in owner:
                yield Fault("cardinality", ("elements", path), f"{_text(place)} is mapped by {owner[place]!r} too")
            owner.setdefault(place, path)
    yield from _missing(resource, [tuple(place) for place in owner], resource, ("elements",))


def _filled(expression: Expression, element: Element) -> set[Place]:
    """Leaves below an element that an expression may fill; the element itself for a primitive."""
    if isinstance(expression, FirstOf):
        return set().union(*(_filled(part, element) for part in expression.first_of))
    if isinstance(expression, Quantity):
        units = {"unit", "system", "code"} if expression.unit or expression.unit_const else set()
        return {((name, None),) for name in {"value", "comparator"} | units}
    if isinstance(expression, Reference):
        return {(("reference", None),)}
    if isinstance(expression, Code | Lookup) and element.type in ("Coding", "CodeableConcept"):
        around: Place = (("coding", 0),) if element.type == "CodeableConcept" else ()
        found: set[Place] = {(*around, (name, None)) for name in ("system", "code", "display")}
        has_text = element.type == "CodeableConcept" and expression.text is not None
        return found | ({(("text", None),)} if has_text else set())
    return {()}


def _missing(type_name: str, places: list[Place], path: str, key: tuple[str, ...]) -> Iterator[Fault]:
    """Required elements of a type, and of the complex elements below it, that no place fills."""
    if type_name not in TYPES:
        return
    first = {place[0][0] for place in places if place}
    groups: dict[str, bool] = {}
    for element in TYPES[type_name].elements.values():
        if element.minimum and element.name != "id":
            group = element.choice or element.name
            groups[group] = groups.get(group, False) or element.name in first
    for group, is_mapped in groups.items():
        if not is_mapped:
            yield Fault("cardinality", key, f"FHIR requires {path}.{group}; map it, or leave out the parent")
    for head in dict.fromkeys(place[0] for place in places if len(place) > 1):
        below = [place[1:] for place in places if place and place[0] == head and len(place) > 1]
        name = head[0] if head[1] is None else f"{head[0]}[{head[1]}]"
        child = f"{path}.{name}"
        here = child.split(".", 1)[1]
        yield from _missing(TYPES[type_name].elements[head[0]].type, below, child, ("elements", here))


def _text(place: Place) -> str:
    return ".".join(name if index is None else f"{name}[{index}]" for name, index in place)
