"""FHIR paths of mapping lines, checked against R4 and cut into steps.

``participant[att].individual>Practitioner``: ``[label]`` names a list item within the segment, ``>Type`` steps into the
resource behind a reference. A step into a primitive goes to its extensions (``_birthDate``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from contracts.errors import SpecError
from fhir_mapping.hl7v2.elements import Element, types

_STEP = re.compile(r"(\w+)(?:\[([\w-]+)\])?(?:>(\w+))?")


@dataclass(frozen=True)
class Step:
    """One step: the key in JSON, whether it holds a list, the item's label, and the resource behind the reference."""

    key: str
    is_list: bool
    label: str
    resource: str | None
    takes_repetition: bool = False


@dataclass(frozen=True)
class FhirPath:
    """A checked path. ``type``: of the last element (``Practitioner`` for a step behind a reference)."""

    steps: tuple[Step, ...]
    type: str
    element: Element


@lru_cache(maxsize=8192)
def compile_path(text: str, resource: str) -> FhirPath:
    """A path within a resource type.

    Raises:
        SpecError: R4 has no such path.
    """
    current, steps, element = resource, [], None
    for part in _parts(text):
        match = _STEP.fullmatch(part)
        if match is None:
            raise SpecError(f"{resource}.{text}: {part!r} is no step of a path; expected name[label]>Type.")
        name, label, behind = match.groups()
        if element is not None and element.is_primitive:
            steps[-1] = Step("_" + steps[-1].key, False, "", None)
            element = types()["Element"].get(name) or types()["Extension"].get(name)
        else:
            element = types().get(current, {}).get(name)
        if element is None:
            raise SpecError(f"{resource}.{text}: R4 has no {current}.{name}.")
        if behind and (element.type != "Reference" or behind not in types()):
            raise SpecError(f"{resource}.{text}: {name} is no reference to {behind}.")
        steps.append(Step(name, element.is_list, label or "", behind))
        current = behind or element.type
    assert element is not None
    return FhirPath(_mark_repetition(steps), current, element)


def _parts(text: str) -> list[str]:
    return text.split(".")


def _mark_repetition(steps: list[Step]) -> tuple[Step, ...]:
    """Repetitions of a field become items of the last step's list, else of the outermost labelled or outermost one."""
    lists = [i for i, step in enumerate(steps) if step.is_list]
    chosen = None
    if steps[-1].is_list:
        chosen = len(steps) - 1
    elif lists:
        chosen = next((i for i in lists if steps[i].label), lists[0])
    return tuple(Step(s.key, s.is_list, s.label, s.resource, takes_repetition=i == chosen) for i, s in enumerate(steps))
