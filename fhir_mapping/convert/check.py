"""Every resource held against FHIR's definitions; what breaks a rule is left out, as little as can be, and reported.

An element with a fault is dropped; when its owner cannot be without it, the owner is, and so on up; when the resource
itself cannot be, it goes. Checked: elements and their types, cardinality, choices, the syntax of primitives, required
bindings, codes of code systems that FHIR publishes whole, targets of references, contained resources, narratives,
invariants. A code that its code system does not have keeps its text and loses the false claim of the system.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from fhir_mapping.convert.definitions.reader import Definitions, Element, Type, definitions
from fhir_mapping.convert.invariant import Scope
from fhir_mapping.convert.languages import LANGUAGES
from fhir_mapping.convert.narrative import is_narrative
from fhir_mapping.convert.primitives import IS_VALID, is_mime_type, printable
from fhir_mapping.convert.rules.coded import bound
from fhir_mapping.convert.rules.context import Context
from fhir_mapping.convert.rules.extensions import allowed_extensions
from fhir_mapping.convert.rules.invariants import lawful
from fhir_mapping.convert.rules.references import aimed, contained_ids, sound_reference, without_unmentioned
from fhir_mapping.convert.rules.values import is_backward, mended
from fhir_mapping.document import Problem, Resource

_PASSES = 6
"""A resource that still has faults after so many looks is given up."""


class Checker:
    """Checks resources of one FHIR version."""

    def __init__(self, version: Literal["R4", "R5"]) -> None:
        self._definitions: Definitions = definitions(version)

    def clean(self, resource: Resource) -> tuple[Resource | None, list[Problem]]:
        """A copy that keeps to the rules, None when none can; and what was left out, by rule and path.

        What one fault took away may have been needed elsewhere, so a resource with faults is looked at again.
        """
        problems: list[Problem] = []
        body = resource
        for _ in range(_PASSES):
            walk = _Walk(self._definitions, body)
            found = walk.resource(body, str(resource.get("resourceType", "")), is_contained=False)
            problems += walk.problems
            if found is None or not walk.problems:
                return found, problems
            body = found
        return None, problems


@cache
def checker(version: Literal["R4", "R5"]) -> Checker:
    """The checker of a version; its tables are read once a process."""
    return Checker(version)


class _Walk:
    """One resource being checked."""

    def __init__(self, known: Definitions, root: Resource) -> None:
        self._ctx = Context(known, root, contained_ids(root))
        self.problems = self._ctx.problems

    def resource(self, body: Any, path: str, *, is_contained: bool) -> Resource | None:
        name = body.get("resourceType") if isinstance(body, dict) else None
        type = self._ctx.known.type(name) if isinstance(name, str) and name in self._ctx.known.resources else None
        if type is None:
            self._ctx.fault("unknown_resource", path)
            return None
        if is_contained and isinstance(body.get("meta"), dict):
            body = {**body, "meta": {k: v for k, v in body["meta"].items() if k in ("profile", "source", "tag")}}
        scope = Scope(body, self._ctx.root)
        found = self._object(body, type, path, scope, ("Resource", "DomainResource"))
        if found is not None and not is_contained:
            found = without_unmentioned(self._ctx, found, path)
        return found

    def _object(
        self, value: Any, type: Type, path: str, scope: Scope, places: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        """A value of a complex type; ``places`` are the names by which extensions know where they stand."""
        if not isinstance(value, dict):
            self._ctx.fault("not_an_object", path)
            return None
        if type.name == "Reference":
            value = sound_reference(self._ctx, value, path)
        found: dict[str, Any] = {"resourceType": type.name} if type.kind == "resource" else {}
        for name in value:
            if name == "resourceType" and type.kind == "resource":
                continue
            if name in ("extension", "modifierExtension"):
                value = {**value, name: allowed_extensions(self._ctx, value[name], type, path, places)}
            if name.startswith("_"):
                element = type.elements.get(name[1:])
                if element is None or not element.is_primitive:
                    self._ctx.fault("unknown_element", f"{path}.{name}")
                elif name[1:] not in value:
                    self._put(found, type, name[1:], value, path, scope)
            elif name in type.elements:
                self._put(found, type, name, value, path, scope)
            else:
                self._ctx.fault("unknown_element", f"{path}.{name}")
        return self._whole(found, type, path, scope)

    def _put(
        self, found: dict[str, Any], type: Type, name: str, value: dict[str, Any], path: str, scope: Scope
    ) -> None:
        """Check one element and put what is left of it into ``found``."""
        element = type.elements[name]
        where = f"{path}.{name}"
        if element.choice:
            others = type.choices[element.choice[:-3]]
            if any(other in found or "_" + other in found for other in others):
                self._ctx.fault("several_values", where)
                return
        if element.is_primitive:
            places = (element.type, f"{type.name}.{name}")
            self._put_primitive(found, element, value.get(name), value.get("_" + name), where, scope, places)
            return
        items = self._listed(value[name], element, where)
        owner = type.name
        kept = [
            self._item(item, element, f"{where}[{n}]" if element.is_list else where, scope, owner) for n, item in items
        ]
        kept = [item for item in kept if item is not None]
        if kept:
            found[name] = kept if element.is_list else kept[0]

    def _listed(self, value: Any, element: Element, path: str) -> list[tuple[int, Any]]:
        """The items of an element, with their numbers; a list where one is due and the other way round is mended."""
        if value is None or value == []:
            self._ctx.fault("empty", path)
            return []
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) != element.is_list:
            self._ctx.fault("list_expected" if element.is_list else "no_list_expected", path)
        if element.maximum is not None and len(items) > element.maximum:
            self._ctx.fault("too_many_values", path)
            items = items[: element.maximum]
        return list(enumerate(items))

    def _put_primitive(
        self,
        found: dict[str, Any],
        element: Element,
        value: Any,
        more: Any,
        path: str,
        scope: Scope,
        places: tuple[str, ...],
    ) -> None:
        values = self._listed(value, element, path) if value is not None or more is None else []
        extras = more if isinstance(more, list) else [more]
        kept: list[tuple[Any, Any]] = []
        for n in range(max(len(values), len(extras) if more is not None else 0)):
            where = f"{path}[{n}]" if element.is_list else path
            item = values[n][1] if n < len(values) else None
            extra = extras[n] if n < len(extras) and more is not None else None
            good = None if item is None else self._good(item, element, where)
            good_extra = None if extra is None else self._extra(extra, where, scope, places)
            if item is None and extra is None and element.is_list:
                self._ctx.fault("empty", where)
            if good is not None or good_extra is not None:
                kept.append((good, good_extra))
        if not kept:
            return
        if any(good is not None for good, _ in kept):
            found[element.name] = [good for good, _ in kept] if element.is_list else kept[0][0]
        if any(extra is not None for _, extra in kept):
            found["_" + element.name] = [extra for _, extra in kept] if element.is_list else kept[0][1]

    def _extra(self, value: Any, path: str, scope: Scope, places: tuple[str, ...]) -> dict[str, Any] | None:
        type = self._ctx.known.type("Element")
        assert type is not None
        return self._object(value, type, path, scope, places)

    def _good(self, value: Any, element: Element, path: str) -> Any:
        """A primitive value, mended where its meaning is plain; None when it breaks a rule."""
        if element.type in ("string", "markdown") and isinstance(value, str) and printable(value) != value:
            self._ctx.fault("control_character", path)
            value = printable(value)
        if not IS_VALID[element.type](value):
            self._ctx.fault("empty" if value == "" else f"not_{element.type}", path)
            return None
        rule = self._broken_rule(value, element)
        if rule == "language":
            sober = self._ctx.sober(value)
            self._ctx.fault("not_a_language" if sober is None else "language_code", path)
            return sober
        if rule:
            self._ctx.fault(rule, path)
            return None
        return value

    def _broken_rule(self, value: Any, element: Element) -> str | None:
        if element.type == "xhtml":
            return None if is_narrative(value) else "bad_narrative"
        if element.type != "code":
            return None
        if element.name == "language" or element.codes in LANGUAGES:
            return None if self._ctx.sober(value) == value else "language"
        if element.codes == "mimetypes":
            return None if is_mime_type(value) else "not_a_mime_type"
        if element.codes and not self._ctx.is_coded(element.codes, None, value):
            return "not_in_binding"
        return None

    def _item(self, value: Any, element: Element, path: str, scope: Scope, owner: str) -> dict[str, Any] | None:
        """One value of a complex type."""
        if element.type == "Resource":
            if path.count(".contained[") > 1:
                self._ctx.fault("dom-2", path)
                return None
            return self.resource(value, path, is_contained=".contained[" in path)
        type = self._ctx.known.type(element.type)
        if type is None:
            self._ctx.fault("unknown_element", path)
            return None
        places = (element.type, f"{owner}.{element.name}")
        found = self._object(value, type, path, scope, places)
        if found is None:
            return None
        if element.type in ("Reference", "CodeableReference"):
            return aimed(self._ctx, found, element, path)
        if "SimpleQuantity" in element.targets and "comparator" in found:
            self._ctx.fault("sqty-1", path)
            return None
        return bound(self._ctx, found, element, path) if element.codes else found

    def _whole(self, found: dict[str, Any], type: Type, path: str, scope: Scope) -> dict[str, Any] | None:
        """The rules of a type over what is left of a value; None when it cannot stand."""
        if type.kind != "resource" and not found.keys() - {"id"}:
            self._ctx.fault("empty", path)
            return None
        found = mended(self._ctx, found, type, path)
        if type.name == "Extension" and ("extension" in found) == _has_value(found):
            self._ctx.fault("ext-1", path)
            return None
        for names in type.required:
            if not any(name in found or ("_" + name in found and not self._needs_code(type, name)) for name in names):
                self._ctx.fault("required", f"{path}.{_choice_label(type, names)}")
                return None
        if type.name == "Period" and is_backward(found):
            self._ctx.fault("per-1", path)
            return None
        if not found.keys() - {"id", "resourceType"} and type.kind != "resource":
            return None
        return lawful(self._ctx, found, type, path, scope)

    def _needs_code(self, type: Type, name: str) -> bool:
        """Whether an extension cannot stand for the value: a code of a required value set."""
        element = type.elements[name]
        return element.type == "code" and element.codes in self._ctx.known.value_sets


def _has_value(extension: dict[str, Any]) -> bool:
    return any(name.lstrip("_").startswith("value") for name in extension)


def _choice_label(type: Type, names: tuple[str, ...]) -> str:
    return type.elements[names[0]].choice or names[0]
