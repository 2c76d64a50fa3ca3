"""A resource walked along both versions' definitions: each element to its place in the other version.

Names and codes come from the tables, types from the definitions of both versions. An element without a place becomes
a cross-version extension of its owner (``kinds.CROSS`` and its path), its parts nested by name; such an extension of
the target version becomes the element again.
Source: https://hl7.org/fhir/R5/versions.html#extensions (the form; the name see ``kinds.CROSS``)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from contracts.fhir.json_text import DecimalText
from fhir_mapping.convert.definitions.reader import PRIMITIVES, Element, Type, definitions
from fhir_mapping.convert.versions import kinds, shapes
from fhir_mapping.convert.versions.carry import DEFAULTS, UNKNOWN, Carrier
from fhir_mapping.convert.versions.names import Direction, Names, codes, names
from fhir_mapping.document import Problem, Resource

_R5_OWNERS = {
    "Encounter.admission": "Encounter.hospitalization",
    "Device.name": "Device.deviceName",
}
_R4_OWNERS = {r4: r5 for r5, r4 in _R5_OWNERS.items()}
_TYPES = {"DeviceUseStatement": "DeviceUsage", "RequestGroup": "RequestOrchestration"}
"""Resource types that R5 only calls differently."""
_TYPES_BACK = {r5: r4 for r4, r5 in _TYPES.items()}
_LITERAL = re.compile(r"(?:^|(?<=/))([A-Z][A-Za-z]+)(?=/[A-Za-z0-9.-]{1,64}$)")


class Walk:
    """One direction; ``problems`` gathers what could not be kept in any form."""

    def __init__(self, direction: Direction, problems: list[Problem]) -> None:
        self._direction: Direction = direction
        self._source = definitions("R4" if direction == "up" else "R5")
        self._target = definitions("R5" if direction == "up" else "R4")
        self._names, self._codes = names(direction), codes(direction)
        self._from = kinds.CROSS.format("4.0" if direction == "up" else "5.0")
        self._back = kinds.CROSS.format("5.0" if direction == "up" else "4.0")
        versions = ("4.0", "5.0") if direction == "up" else ("5.0", "4.0")
        self._carrier = Carrier(self._source, self._target, versions, self._value)
        self._types = _TYPES if direction == "up" else _TYPES_BACK
        self._problems = problems

    def resource(self, body: Resource) -> Resource:
        """The resource in the other version; a type that only this version has stays as it is."""
        name = str(body.get("resourceType"))
        new = self._types.get(name, name)
        source, target = self._source.type(name), self._target.type(new)
        if source is None or target is None or source.kind != "resource":
            self._problems.append(Problem("no_such_type", name))
            return body
        return {"resourceType": new, **self._object(body, source, target)}

    def _aimed(self, reference: dict[str, Any]) -> dict[str, Any]:
        """A Reference to a type that the other version calls differently."""
        literal, type = reference.get("reference"), reference.get("type")
        if isinstance(literal, str):
            literal = _LITERAL.sub(lambda found: self._types.get(found[1], found[1]), literal)
            reference = {**reference, "reference": literal}
        return {**reference, "type": self._types[type]} if type in self._types else reference

    def _r4_name(self, type: Type) -> str:
        return self._other_name(type) if self._direction == "down" else type.name

    def _object(self, value: dict[str, Any], source: Type, target: Type) -> dict[str, Any]:
        own = self._names.get(self._r4_name(source), Names())
        shape = shapes.shape_of(self._r4_name(source), self._direction)
        found: dict[str, Any] = {}
        lost: list[dict[str, Any]] = []
        value, restored = self._carrier.restorable(value, target)
        if source.name == "Reference":
            value = self._aimed(value)
        for name in value:
            base = name.lstrip("_")
            if name == "resourceType" or base in shape.takes or (name != base and base in value):
                continue
            element = source.elements.get(base)
            if element is not None:
                lost += self._place(found, value, element, source, target, own)
        for extra in shape.apply(value, found):
            lost += self._carrier.lost(extra, value.get(extra), value.get("_" + extra), source)
        for extension, elements in restored:
            if not any(self._carrier.restore(found, extension, element) for element in elements):
                lost.append(extension)
        if lost:
            found["extension"] = [*found.get("extension", ()), *lost]
        if found:
            self._fill_required(found, source, target)
        return found

    def _fill_required(self, found: dict[str, Any], source: Type, target: Type) -> None:
        """What only the other version requires is said to be unknown; on the way back that goes again."""
        for choices in target.required:
            name = choices[0]
            is_there = any(one in found or "_" + one in found for one in choices)
            if len(choices) == 1 and not is_there and target.elements[name].type not in ("BackboneElement", "Resource"):
                element = target.elements[name]
                code = self._default_code(target, element)
                if code is not None:
                    found[name] = code
                    continue
                marked: Any = [dict(UNKNOWN)] if element.is_list else dict(UNKNOWN)
                found["_" + name if element.type in PRIMITIVES else name] = marked
        for choices in source.required:
            for name in choices:
                label = "_" + name if name in target.elements and target.elements[name].type in PRIMITIVES else name
                if name in target.elements and not target.elements[name].minimum and found.get(label) == UNKNOWN:
                    del found[label]

    def _default_code(self, owner: Type, element: Element) -> str | None:
        """A code that the other version requires: validators take no extension in its place."""
        if element.type != "code" or element.is_list:
            return None
        known = {code for codes in self._target.value_sets.get(element.codes or "", {}).values() for code in codes}
        return DEFAULTS.get(f"{owner.name}.{element.name}", "unknown" if "unknown" in known else None)

    def _place(
        self, found: dict[str, Any], value: dict[str, Any], element: Element, source: Type, target: Type, own: Names
    ) -> list[dict[str, Any]]:
        """Put one element into its place; gives the extensions of what has none."""
        name = element.name
        if name in own.joined:
            self._join(found, value[name], element, target, own.joined[name])
            return []
        if name in own.split:
            return self._split(found, value[name], element, source, target, own.split[name])
        goal = self._goal(element, target, own)
        if goal is None or goal.name in found:
            return self._carrier.lost(name, value.get(name), value.get("_" + name), source)
        if element.type in PRIMITIVES:
            return self._primitive(found, value.get(name), value.get("_" + name), element, goal, source)
        return self._complex(found, value[name], element, goal, source)

    @staticmethod
    def _goal(element: Element, target: Type, own: Names) -> Element | None:
        """The element's place in the target; a type of a choice that the other choice lacks has none."""
        new = own.renamed.get(element.name)
        if new is None and element.choice:
            stem = element.choice[:-3]
            new = own.renamed.get(stem, stem) + element.name[len(stem) :]
        return target.elements.get(new or element.name)

    def _join(self, found: dict[str, Any], value: Any, element: Element, target: Type, name: str) -> None:
        """A CodeableConcept or Reference as entry of the CodeableReference that stands for both."""
        goal = target.elements[name]
        convert = kinds.KINDS[element.type, "CodeableReference"]
        items = [convert(self._value(item, element.type)) for item in (value if isinstance(value, list) else [value])]
        if goal.is_list:
            found[name] = [*found.get(name, ()), *items]
        else:
            found[name] = {**found.get(name, {}), **items[0]}

    def _split(
        self, found: dict[str, Any], value: Any, element: Element, source: Type, target: Type, into: tuple[str, str]
    ) -> list[dict[str, Any]]:
        """A CodeableReference as the one of two elements that it is; both in one stays with the concept."""
        lost: list[dict[str, Any]] = []
        for item in value if isinstance(value, list) else [value]:
            is_concept = "concept" in item or "reference" not in item
            goal = target.elements[into[0] if is_concept else into[1]]
            converted = kinds.KINDS["CodeableReference", goal.type](self._value(item, "CodeableReference"))
            if goal.is_list:
                found[goal.name] = [*found.get(goal.name, ()), converted]
            elif goal.name in found:
                lost += self._carrier.lost(element.name, [item], None, source)
            else:
                found[goal.name] = converted
        return lost

    def _complex(
        self, found: dict[str, Any], value: Any, element: Element, goal: Element, source: Type
    ) -> list[dict[str, Any]]:
        convert = self._converter(element, goal)
        if convert is None:
            return self._carrier.lost(element.name, value, None, source)
        items = value if isinstance(value, list) else [value]
        converted = [convert(item) for item in items]
        if goal.codes and element.type == goal.type == "CodeableConcept" and not self._is_bound(converted[0], goal):
            return self._carrier.lost(element.name, value, None, source)
        if goal.is_list:
            found[goal.name] = converted
            return []
        if isinstance(converted[0], tuple):
            self._set_primitive(found, goal, *converted[0])
        else:
            found[goal.name] = converted[0]
        return [entry for item in items[1:] for entry in self._carrier.lost(element.name, [item], None, source)]

    def _converter(self, element: Element, goal: Element) -> Callable[[Any], Any] | None:
        """How an item of a complex element becomes one of its goal."""
        if element.type == goal.type or ("." in element.type and "." in goal.type):
            if element.type == "Resource":
                return self.resource
            source, target = self._source.type(element.type), self._target.type(goal.type)
            if source is None or target is None:
                return None
            return lambda item: self._object(item, source, target)
        if (element.type, goal.type) in kinds.KINDS:
            kind = kinds.KINDS[element.type, goal.type]
            return lambda item: kind(self._value(item, element.type))
        if element.type == "Identifier" and goal.type in ("string", "id"):
            return kinds.string_of
        if element.type == "CodeableConcept" and goal.type == "code":
            return lambda item: self._code_of(item, goal)
        return None

    def _value(self, item: Any, type: str) -> Any:
        """A value of a data type with its own parts in the other version."""
        source, target = self._source.type(type), self._target.type(type)
        return self._object(item, source, target) if source and target else item

    def _is_bound(self, concept: dict[str, Any], goal: Element) -> bool:
        systems = self._target.value_sets.get(goal.codes or "")
        if systems is None:
            return True
        return any(one.get("code") in systems.get(one.get("system", ""), ()) for one in concept.get("coding", ()))

    def _primitive(
        self, found: dict[str, Any], value: Any, more: Any, element: Element, goal: Element, source: Type
    ) -> list[dict[str, Any]]:
        if element.is_list or goal.is_list:
            return self._primitives(found, value, more, element, goal, source)
        if goal.type == "CodeableConcept" and element.type in ("code", "string"):
            found[goal.name] = self._concept_of(value, more, element)
            return []
        if goal.type == "Identifier":
            found[goal.name] = kinds.identifier_of(value, more)
            return []
        if element.type == "code" == goal.type:
            value, more = self._code(value, more, element, goal, source)
        elif element.type == "decimal":
            value, more = self._decimal(value, more)
        elif element.type != goal.type:
            convert = kinds.PRIMITIVE_KINDS.get((element.type, goal.type))
            new = None if convert is None or value is None else convert(value)
            if new is None and value is not None:
                return self._carrier.lost(element.name, value, more, source)
            value = new
        self._set_primitive(found, goal, value, more)
        return []

    def _primitives(
        self, found: dict[str, Any], value: Any, more: Any, element: Element, goal: Element, source: Type
    ) -> list[dict[str, Any]]:
        """Lists of primitives; a single one where the other version has a list, and the other way round."""
        values = value if isinstance(value, list) else [value]
        if goal.type == "Identifier":
            found[goal.name] = [kinds.identifier_of(one, more) for one in values]
            return []
        if goal.type not in PRIMITIVES or (element.type, goal.type) not in {
            (goal.type, goal.type),
            *kinds.PRIMITIVE_KINDS,
        }:
            return self._carrier.lost(element.name, value, more, source)
        if goal.is_list:
            found[goal.name] = values
            if more is not None:
                found["_" + goal.name] = more if isinstance(more, list) else [more]
            return []
        self._set_primitive(found, goal, values[0], more[0] if isinstance(more, list) else more)
        return self._carrier.lost(element.name, values[1:], None, source) if values[1:] else []

    @staticmethod
    def _set_primitive(found: dict[str, Any], goal: Element, value: Any, more: dict[str, Any] | None) -> None:
        if value is not None:
            found[goal.name] = value
        if more:
            found["_" + goal.name] = more

    def _code(
        self, value: Any, more: dict[str, Any] | None, element: Element, goal: Element, source: Type
    ) -> tuple[Any, dict[str, Any] | None]:
        """A code in the other version's list; the original stands beside it when it does not come back by itself."""
        path = f"{source.name}.{element.name}"
        kept, hidden = kinds.take_extension(more or {}, self._back + f"{self._other_name(source)}.{goal.name}")
        if hidden is not None:
            return hidden.get("valueCode"), kept or None
        if value is None:
            return value, more
        table = self._codes.get(f"{self._r4_name(source)}.{goal.name if self._direction == 'down' else element.name}")
        new = table.mapped.get(value, value) if table else value
        systems = self._target.value_sets.get(goal.codes or "")
        if systems is not None and not any(new in known for known in systems.values()):
            new = "unknown" if any("unknown" in known for known in systems.values()) and goal.minimum else None
        if new == value or (table and value in table.exact):
            return new, more
        return new, kinds.with_extension(more or {}, {"url": self._from + path, "valueCode": value})

    def _decimal(self, value: Any, more: dict[str, Any] | None) -> tuple[Any, dict[str, Any] | None]:
        """A decimal as R5 writes one (at most 17 places); its own text stands beside it where that is another."""
        kept, hidden = kinds.take_extension(more or {}, kinds.DECIMAL)
        if hidden is not None and self._direction == "down":
            return DecimalText(hidden["valueString"]), kept or None
        new = kinds.short_decimal(value) if self._direction == "up" else value
        if new == value:
            return value, more
        return new, kinds.with_extension(more or {}, {"url": kinds.DECIMAL, "valueString": str(value)})

    def _concept_of(self, value: Any, more: dict[str, Any] | None, element: Element) -> dict[str, Any]:
        """A code or text as CodeableConcept."""
        kept, hidden = kinds.take_extension(more or {}, self._back + "CodeableConcept")
        if hidden is not None:
            whole: dict[str, Any] = hidden["valueCodeableConcept"]
            return whole
        if element.type != "code":
            return {"text": value, **({"_text": kept} if kept else {})}
        systems = self._source.value_sets.get(element.codes or "", {})
        system = next((url for url, known in systems.items() if value in known), None)
        coding: dict[str, Any] = {"system": system} if system else {}
        coding |= {"code": value} if value is not None else {}
        return {"coding": [{**coding, "_code": kept} if kept else coding]}

    def _code_of(self, concept: dict[str, Any], goal: Element) -> tuple[Any, dict[str, Any] | None]:
        """The code of a CodeableConcept where the other version has a code."""
        systems = self._target.value_sets.get(goal.codes or "", {})
        codings = concept.get("coding", ())
        code = next((one for one in codings if one.get("code") in systems.get(one.get("system", ""), ())), None)
        is_all = code is not None and concept.keys() == {"coding"} and code.keys() <= {"system", "code", "_code"}
        if is_all and len(codings) == 1 and code is not None:
            return code.get("code"), code.get("_code")
        more = {"extension": [{"url": self._from + "CodeableConcept", "valueCodeableConcept": concept}]}
        return code.get("code") if code else None, more

    def _other_name(self, source: Type) -> str:
        """The owner's name in the target version."""
        table = _R4_OWNERS if self._direction == "up" else _R5_OWNERS
        head, dot, rest = source.name.partition(".")
        return table.get(source.name, self._types.get(head, head) + dot + rest)


def to_r5(body: Resource, problems: list[Problem]) -> Resource:
    """An R4 resource as R5; what could not be kept in any form is added to ``problems``."""
    return Walk("up", problems).resource(body)


def to_r4(body: Resource, problems: list[Problem]) -> Resource:
    """An R5 resource as R4, likewise."""
    return Walk("down", problems).resource(body)
