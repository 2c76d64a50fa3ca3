"""Element paths as specs write them: ``code.coding[0].code`` parsed against the element tables."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.fhir.elements import TYPES, Element

_PART = re.compile(r"(_?[A-Za-z][A-Za-z0-9]*)(?:\[([0-9]{1,2})\])?")


@dataclass(frozen=True)
class Step:
    """One step of a path: the element, and the index when the element is a list."""

    element: Element
    index: int | None

    def __str__(self) -> str:
        return self.element.name if self.index is None else f"{self.element.name}[{self.index}]"


def parse_path(resource: str, path: str) -> tuple[Step, ...]:
    """Follow a path from a resource type down.

    Returns:
        The steps, at least one.

    Raises:
        ValueError: no such element, an index on an element that is no list, a list without an index; the message says
            what would be right there.
    """
    steps: list[Step] = []
    owner = resource
    for part in path.split("."):
        matched = _PART.fullmatch(part)
        if not matched:
            raise ValueError(f"{path!r} is not a path; write it like code.coding[0].code")
        if owner not in TYPES:
            raise ValueError(f"{path!r}: {steps[-1].element.name} is of type {owner} and has no elements")
        name, index = matched.group(1), matched.group(2)
        element = TYPES[owner].elements.get(name)
        if element is None:
            raise ValueError(f"{path!r}: {owner} has no element {name!r}; it has {', '.join(TYPES[owner].elements)}")
        if element.is_list != (index is not None):
            need = f"is a list; write {name}[0]" if element.is_list else f"is not a list; write {name}"
            raise ValueError(f"{path!r}: {owner}.{name} {need}")
        steps.append(Step(element, None if index is None else int(index)))
        owner = element.type
    return tuple(steps)
