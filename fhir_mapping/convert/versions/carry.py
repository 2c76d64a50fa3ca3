"""Elements without a place in the other version, as extensions there and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fhir_mapping.convert.definitions.reader import PRIMITIVES, Definitions, Element, Type
from fhir_mapping.convert.versions import kinds

UNKNOWN = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
DEFAULTS = {"CommunicationRequest.intent": "order", "Group.membership": "enumerated"}
"""Codes that R5 requires of what R4 does not tell and that have no ``unknown``."""


class Carrier:
    """One direction: what is lost of the source becomes extensions, extensions of the target become elements again."""

    def __init__(
        self, source: Definitions, target: Definitions, versions: tuple[str, str], value: Callable[[Any, str], Any]
    ) -> None:
        """``value`` gives a value of a data type in the other version; ``versions`` as FHIR numbers them."""
        self._source, self._target, self._value = source, target, value
        self._from, self._back = kinds.CROSS.format(versions[0]), kinds.CROSS.format(versions[1])
        self._standard = kinds.STANDARD.format(versions[1])

    def lost(self, name: str, value: Any, more: Any, source: Type) -> list[dict[str, Any]]:
        """An element as cross-version extensions, one for each of its values."""
        element = source.elements[name]
        if element.minimum and value in (UNKNOWN, [UNKNOWN], DEFAULTS.get(f"{source.name}.{name}", UNKNOWN)):
            return []
        label = element.choice[:-3] if element.choice else name
        return self._extensions(self._from + f"{source.name}.{label}", value, more, element)

    def _extensions(self, url: str, value: Any, more: Any, element: Element) -> list[dict[str, Any]]:
        values = value if isinstance(value, list) else [value]
        extras = more if isinstance(more, list) else [more]
        found = []
        for number in range(max(len(values), len(extras))):
            item = values[number] if number < len(values) else None
            extra = extras[number] if number < len(extras) else None
            if item is not None or extra is not None:
                found.append({"url": url, **self._content(item, extra, element)})
        return found

    def _content(self, item: Any, extra: Any, element: Element) -> dict[str, Any]:
        """``value[x]`` of an extension, or nested extensions for a part or a type that extensions cannot hold."""
        suffix = element.type[0].upper() + element.type[1:]
        extension = self._target.type("Extension")
        assert extension is not None
        if "value" + suffix in extension.elements:
            found = {} if item is None else {"value" + suffix: self._value(item, element.type)}
            return {**found, "_value" + suffix: extra} if extra is not None else found
        if element.type in PRIMITIVES:
            return {"valueString": str(item)}
        type = self._source.type(element.type)
        assert type is not None
        nested: list[dict[str, Any]] = []
        for name in item:
            base = name.lstrip("_")
            if base == "extension":
                nested += item[name]
            elif base in type.elements and not (name != base and base in item):
                child = type.elements[base]
                label = child.choice[:-3] if child.choice else base
                nested += self._extensions(label, item.get(base), item.get("_" + base), child)
        return {"extension": nested}

    def restorable(
        self, value: dict[str, Any], target: Type
    ) -> tuple[dict[str, Any], list[tuple[dict[str, Any], tuple[Element, ...]]]]:
        """A copy without the extensions that stand for elements of the target, and those with their elements."""
        prefix = self._back + target.name + "."
        kept: list[dict[str, Any]] = []
        found = []
        for extension in value.get("extension", ()):
            url = str(extension.get("url", "")).replace(self._standard, self._back, 1)
            elements = _named(target, url[len(prefix) :]) if url.startswith(prefix) else ()
            if elements:
                found.append((extension, elements))
            else:
                kept.append(extension)
        rest = dict(value) if not found else {name: entry for name, entry in value.items() if name != "extension"}
        return ({**rest, "extension": kept} if found and kept else rest), found

    def restore(self, found: dict[str, Any], extension: dict[str, Any], element: Element) -> bool:
        """Put one extension's content into its element; False when it holds another type of the choice."""
        suffix = element.type[0].upper() + element.type[1:]
        item, extra = extension.get("value" + suffix), extension.get("_value" + suffix)
        if item is not None and element.type not in PRIMITIVES:
            item = self._value(item, element.type)
        if item is None and extra is None:
            type = self._target.type(element.type)
            if "extension" not in extension or type is None or element.type in PRIMITIVES:
                return False
            item = self._unnested(extension["extension"], type)
        if element.is_list:
            found[element.name] = [*found.get(element.name, ()), item]
            if extra is not None:
                found["_" + element.name] = [*found.get("_" + element.name, ()), extra]
        else:
            for other in self._target_choice(element):
                found.pop(other, None)
            if isinstance(item, dict) and isinstance(found.get(element.name), dict):
                item = {**found[element.name], **item}
            self._set(found, element.name, item, extra)
        return True

    @staticmethod
    def _target_choice(element: Element) -> tuple[str, ...]:
        """JSON names that the other types of a choice could have taken."""
        stem = element.choice[:-3] if element.choice else ""
        return tuple(stem + kind[0].upper() + kind[1:] for kind in ("positiveInt", "string", "boolean")) if stem else ()

    @staticmethod
    def _set(found: dict[str, Any], name: str, item: Any, extra: Any) -> None:
        if item is not None:
            found[name] = item
        if extra is not None:
            found["_" + name] = extra

    def _unnested(self, extensions: list[dict[str, Any]], type: Type) -> dict[str, Any]:
        """A part from its nested extensions."""
        found: dict[str, Any] = {}
        for extension in extensions:
            elements = _named(type, str(extension.get("url", "")))
            if not any(self.restore(found, extension, element) for element in elements):
                found["extension"] = [*found.get("extension", ()), extension]
        return found


def _named(type: Type, label: str) -> tuple[Element, ...]:
    """The element of this name, or every type of the choice of this name."""
    if label in type.elements:
        return (type.elements[label],)
    return tuple(type.elements[name] for name in type.choices.get(label, ()))
