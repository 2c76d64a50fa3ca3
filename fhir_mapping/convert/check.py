"""Every resource held against FHIR's definitions; what breaks a rule is left out, as little as can be, and reported.

An element with a fault is dropped; when its owner cannot be without it, the owner is, and so on up; when the resource
itself cannot be, it goes. Checked: elements and their types, cardinality, choices, the syntax of primitives, required
bindings, codes of code systems that FHIR publishes whole, targets of references, contained resources, narratives,
invariants. A code that its code system does not have keeps its text and loses the false claim of the system.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from fhir_mapping.cda.ucum import is_ucum
from fhir_mapping.convert.definitions.reader import Definitions, Element, ExtensionRule, Type, definitions
from fhir_mapping.convert.invariant import Scope, compile_rule
from fhir_mapping.convert.languages import LANGUAGE_SYSTEM, LANGUAGES, sober_language
from fhir_mapping.convert.narrative import is_narrative
from fhir_mapping.convert.primitives import IS_VALID, is_absolute, is_mime_type, is_uri, printable
from fhir_mapping.convert.times import bounds
from fhir_mapping.document import Problem, Resource

_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?")
_UCUM = "http://unitsofmeasure.org"
OTHER_CODING = "urn:cloister:fhir:other-coding"
"""Extension of a CodeableConcept with a required binding: a Coding of another code system."""
PRECISE = "urn:cloister:fhir:precise"
"""Extension of one end of a Period: the moment as it was told, more precise than the other end."""
_QUANTITIES = frozenset(("Age", "Count", "Distance", "Duration"))
_NATIVE = frozenset(("dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "per-1", "txt-1", "txt-2", "ext-1"))
_MENDS: Mapping[str, tuple[str, ...]] = {
    "ait-2": ("clinicalStatus",),
    "app-2": ("start", "end"),
    "app-4": ("cancelationReason", "cancellationReason"),
    "app-7": ("cancellationDate",),
    "con-4": ("abatement",),
    "con-5": ("clinicalStatus",),
    "obs-6": ("dataAbsentReason",),
    "obs-7": ("value",),
    "obs-8": ("bodyStructure",),
    "org-2": ("use",),
    "org-3": ("use", "telecom.use"),
    "org-4": ("use", "telecom.use"),
    "qty-3": ("code",),
    "tim-1": ("duration", "durationMax"),
    "tim-2": ("period", "periodMax"),
    "tim-9": ("offset",),
    "tim-10": ("when", "offset"),
}
"""What of the element an invariant is stated for is left out first; else the element itself is."""


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
        self._known = known
        self._root = root
        self._anchors = _contained_ids(root)
        self.problems: list[Problem] = []

    def _fault(self, rule: str, path: str) -> None:
        self.problems.append(Problem(rule, path))

    def resource(self, body: Any, path: str, *, is_contained: bool) -> Resource | None:
        name = body.get("resourceType") if isinstance(body, dict) else None
        type = self._known.type(name) if isinstance(name, str) and name in self._known.resources else None
        if type is None:
            self._fault("unknown_resource", path)
            return None
        if is_contained and isinstance(body.get("meta"), dict):
            body = {**body, "meta": {k: v for k, v in body["meta"].items() if k in ("profile", "source", "tag")}}
        scope = Scope(body, self._root)
        found = self._object(body, type, path, scope, ("Resource", "DomainResource"))
        if found is not None and not is_contained:
            found = self._without_unmentioned(found, path)
        return found

    def _without_unmentioned(self, body: Resource, path: str) -> Resource:
        """Contained resources that nothing refers to are not part of the resource (dom-3)."""
        inside = body.get("contained")
        if not inside:
            return body
        mentioned = set(_fragments(body))
        kept = [one for one in inside if one.get("id") in mentioned or "" in _fragments(one)]
        for _ in range(len(inside) - len(kept)):
            self._fault("dom-3", f"{path}.contained")
        rest = {name: value for name, value in body.items() if name != "contained"}
        return {**rest, "contained": kept} if kept else rest

    def _object(
        self, value: Any, type: Type, path: str, scope: Scope, places: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        """A value of a complex type; ``places`` are the names by which extensions know where they stand."""
        if not isinstance(value, dict):
            self._fault("not_an_object", path)
            return None
        if type.name == "Reference":
            value = self._reference(value, path)
        found: dict[str, Any] = {"resourceType": type.name} if type.kind == "resource" else {}
        for name in value:
            if name == "resourceType" and type.kind == "resource":
                continue
            if name in ("extension", "modifierExtension"):
                value = {**value, name: self._placed(value[name], type, path, places)}
            if name.startswith("_"):
                element = type.elements.get(name[1:])
                if element is None or not element.is_primitive:
                    self._fault("unknown_element", f"{path}.{name}")
                elif name[1:] not in value:
                    self._put(found, type, name[1:], value, path, scope)
            elif name in type.elements:
                self._put(found, type, name, value, path, scope)
            else:
                self._fault("unknown_element", f"{path}.{name}")
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
                self._fault("several_values", where)
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
            self._fault("empty", path)
            return []
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) != element.is_list:
            self._fault("list_expected" if element.is_list else "no_list_expected", path)
        if element.maximum is not None and len(items) > element.maximum:
            self._fault("too_many_values", path)
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
                self._fault("empty", where)
            if good is not None or good_extra is not None:
                kept.append((good, good_extra))
        if not kept:
            return
        if any(good is not None for good, _ in kept):
            found[element.name] = [good for good, _ in kept] if element.is_list else kept[0][0]
        if any(extra is not None for _, extra in kept):
            found["_" + element.name] = [extra for _, extra in kept] if element.is_list else kept[0][1]

    def _extra(self, value: Any, path: str, scope: Scope, places: tuple[str, ...]) -> dict[str, Any] | None:
        type = self._known.type("Element")
        assert type is not None
        return self._object(value, type, path, scope, places)

    def _good(self, value: Any, element: Element, path: str) -> Any:
        """A primitive value, mended where its meaning is plain; None when it breaks a rule."""
        if element.type in ("string", "markdown") and isinstance(value, str) and printable(value) != value:
            self._fault("control_character", path)
            value = printable(value)
        if not IS_VALID[element.type](value):
            self._fault("empty" if value == "" else f"not_{element.type}", path)
            return None
        rule = self._broken_rule(value, element)
        if rule == "language":
            sober = self._sober(value)
            self._fault("not_a_language" if sober is None else "language_code", path)
            return sober
        if rule:
            self._fault(rule, path)
            return None
        return value

    def _broken_rule(self, value: Any, element: Element) -> str | None:
        if element.type == "xhtml":
            return None if is_narrative(value) else "bad_narrative"
        if element.type != "code":
            return None
        if element.name == "language" or element.codes in LANGUAGES:
            return None if self._sober(value) == value else "language"
        if element.codes == "mimetypes":
            return None if is_mime_type(value) else "not_a_mime_type"
        if element.codes and not self._is_coded(element.codes, None, value):
            return "not_in_binding"
        return None

    def _placed(self, extensions: Any, type: Type, path: str, places: tuple[str, ...]) -> Any:
        """Extensions without those whose URL, place or value HL7's definition of them forbids."""
        if not isinstance(extensions, list):
            return extensions
        rules = [self._extension_rule(one, type, path, places) for one in extensions]
        for rule in rules:
            if rule:
                self._fault(rule, f"{path}.extension")
        return [one for one, rule in zip(extensions, rules, strict=True) if rule is None] if any(rules) else extensions

    def _extension_rule(self, extension: Any, type: Type, path: str, places: tuple[str, ...]) -> str | None:
        url = extension.get("url") if isinstance(extension, dict) else None
        if not isinstance(url, str):
            return None
        if type.name != "Extension" and not is_absolute(url):
            return "relative_url"
        rule = self._known.extensions.get(url)
        if rule is None:
            return None
        here = {*places, type.name, _plain(path), "Element"}
        if rule.places is not None and not here & rule.places:
            return "extension_place"
        value = next((name[5:] for name in extension if name.startswith("value")), None)
        if value is not None:
            kinds = {kind[0].upper() + kind[1:] for kind in rule.types or ()}
            if value not in kinds:
                return "extension_type"
            if rule.codes and value == "Code" and not self._is_coded(rule.codes, None, extension["valueCode"]):
                return "not_in_binding"
        if value is not None or rule.types is not None:
            return None if rule.types is not None else "extension_type"
        return None if self._has_parts(extension.get("extension"), rule) else "extension_parts"

    @staticmethod
    def _has_parts(parts: Any, rule: ExtensionRule) -> bool:
        """Whether an extension of parts holds those it must, and no others."""
        if not rule.parts or not isinstance(parts, list):
            return True
        urls = [str(part.get("url")) if isinstance(part, dict) else "" for part in parts]
        needed = [url for url, (minimum, _) in rule.parts.items() if minimum]
        if not set(urls) <= set(rule.parts) or not set(needed) <= set(urls):
            return False
        for part, url in zip(parts, urls, strict=True):
            value = next((name[5:] for name in part if name.startswith("value")), None)
            kinds = {kind[:1].upper() + kind[1:] for kind in rule.parts[url][1]}
            if value is not None and value not in kinds:
                return False
        return True

    def _item(self, value: Any, element: Element, path: str, scope: Scope, owner: str) -> dict[str, Any] | None:
        """One value of a complex type."""
        if element.type == "Resource":
            if path.count(".contained[") > 1:
                self._fault("dom-2", path)
                return None
            return self.resource(value, path, is_contained=".contained[" in path)
        type = self._known.type(element.type)
        if type is None:
            self._fault("unknown_element", path)
            return None
        places = (element.type, f"{owner}.{element.name}")
        found = self._object(value, type, path, scope, places)
        if found is None:
            return None
        if element.type in ("Reference", "CodeableReference"):
            return self._aimed(found, element, path)
        if element.codes in LANGUAGES and not self._is_bound(found, element):
            found = self._spoken(found, path)
        if element.codes and not self._is_bound(found, element):
            self._fault("not_in_binding", path)
            return None
        is_listed = element.codes in self._known.value_sets or element.codes in LANGUAGES
        if is_listed and element.type == "CodeableConcept":
            found = self._only_bound(found, element, path)
        if "SimpleQuantity" in element.targets and "comparator" in found:
            self._fault("sqty-1", path)
            return None
        return found

    def _is_bound(self, value: dict[str, Any], element: Element) -> bool:
        """Whether a Coding or CodeableConcept holds a code of its required value set."""
        assert element.codes is not None
        if element.codes in LANGUAGES and element.type == "CodeableConcept":
            return any(one.get("system") == LANGUAGE_SYSTEM and "code" in one for one in value.get("coding", ()))
        if element.type == "Coding":
            return self._is_coded(element.codes, value.get("system", ""), value.get("code"))
        if element.type == "CodeableConcept":
            codings = value.get("coding", ())
            return any(self._is_coded(element.codes, one.get("system", ""), one.get("code")) for one in codings)
        return True

    def _only_bound(self, value: dict[str, Any], element: Element, path: str) -> dict[str, Any]:
        """Codings beyond a required value set stand in an extension: validators take every coding to be meant of it."""
        codings = value.get("coding", [])
        codes = element.codes or ""
        if codes in LANGUAGES:
            others = [one for one in codings if one.get("system") != LANGUAGE_SYSTEM]
        else:
            others = [one for one in codings if not self._is_coded(codes, one.get("system", ""), one.get("code"))]
        if not others:
            return value
        self._fault("coding_beyond_binding", path)
        more = [{"url": OTHER_CODING, "valueCoding": one} for one in others]
        kept = [one for one in codings if one not in others]
        return {**value, "coding": kept, "extension": [*value.get("extension", ()), *more]}

    def _is_coded(self, name: str, system: Any, code: Any) -> bool:
        """Whether a value set has the code; ``system`` None: the element implies it."""
        systems = self._known.value_sets.get(name)
        if systems is None:
            return True
        if not isinstance(code, str):
            return False
        if system is None:
            return any(code in codes for codes in systems.values())
        return code in systems.get(system, ())

    def _reference(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        """A Reference without a literal that cannot be one, or a type that is none."""
        literal, type = value.get("reference"), value.get("type")
        drop: set[str] = set()
        if isinstance(literal, str):
            rule = self._literal_fault(literal)
            if rule:
                self._fault(rule, f"{path}.reference")
                drop.add("reference")
        if isinstance(type, str):
            literal_type = _literal_type(literal) if "reference" not in drop else None
            is_known = type in self._known.resources or is_absolute(type)
            if not is_known or (literal_type and literal_type != type):
                self._fault("wrong_type", f"{path}.type")
                drop.add("type")
        return {name: entry for name, entry in value.items() if name not in drop} if drop else value

    def _literal_fault(self, literal: str) -> str | None:
        if literal.startswith("#"):
            return None if literal == "#" or literal[1:] in self._anchors else "ref-1"
        if is_absolute(literal):
            return None if is_uri(literal) else "bad_reference"
        type = _literal_type(literal)
        if type is None and "?" in literal:
            return None if literal.split("?")[0] in self._known.resources and is_uri(literal) else "bad_reference"
        return None if type in self._known.resources else "bad_reference"

    def _aimed(self, value: dict[str, Any], element: Element, path: str) -> dict[str, Any] | None:
        """A reference that names a type the element does not allow loses its literal and type."""
        inner = value.get("reference") if element.type == "CodeableReference" else value
        if not element.targets or not isinstance(inner, dict):
            return value
        literal = inner.get("reference")
        aimed = _literal_type(literal) or self._anchors.get(str(literal)[1:]) or inner.get("type")
        if aimed is None or aimed in element.targets or aimed not in self._known.resources:
            return value
        self._fault("wrong_target", path)
        rest = {name: entry for name, entry in inner.items() if name not in ("reference", "type")}
        if element.type == "Reference":
            return rest if rest.keys() - {"id"} else None
        outer = {name: entry for name, entry in value.items() if name != "reference"}
        outer = {**outer, "reference": rest} if rest.keys() - {"id"} else outer
        return outer if outer.keys() - {"id"} else None

    def _whole(self, found: dict[str, Any], type: Type, path: str, scope: Scope) -> dict[str, Any] | None:
        """The rules of a type over what is left of a value; None when it cannot stand."""
        if type.kind != "resource" and not found.keys() - {"id"}:
            self._fault("empty", path)
            return None
        if type.name == "Coding":
            found = self._coding(found, path)
        elif type.name == "Attachment" and not _is_hash(found):
            self._fault("hash_mismatch", f"{path}.hash")
            found = {name: entry for name, entry in found.items() if name != "hash"}
        elif type.name == "Identifier" and _identifier_rule(found):
            self._fault(_identifier_rule(found), f"{path}.system")
            found = {name: entry for name, entry in found.items() if name != "system"}
        elif "code" in found and found.get("system") == _UCUM and not is_ucum(str(found["code"])):
            self._fault("not_ucum", path)
            found = {"unit": found["code"], **found} if type.name in ("Quantity", *_QUANTITIES) else found
            found = {name: entry for name, entry in found.items() if name not in ("system", "code")}
        elif type.name == "Period":
            found = self._period(found, path)
        if type.name == "Extension" and ("extension" in found) == _has_value(found):
            self._fault("ext-1", path)
            return None
        for names in type.required:
            if not any(name in found or ("_" + name in found and not self._needs_code(type, name)) for name in names):
                self._fault("required", f"{path}.{_choice_label(type, names)}")
                return None
        if type.name == "Period" and _is_backward(found):
            self._fault("per-1", path)
            return None
        if not found.keys() - {"id", "resourceType"} and type.kind != "resource":
            return None
        return self._lawful(found, type, path, scope)

    def _needs_code(self, type: Type, name: str) -> bool:
        """Whether an extension cannot stand for the value: a code of a required value set."""
        element = type.elements[name]
        return element.type == "code" and element.codes in self._known.value_sets

    def _period(self, found: dict[str, Any], path: str) -> dict[str, Any]:
        """Ends of one precision: FHIR's comparison of two precisions is neither true nor false, so per-1 is not met.

        The more precise end keeps its own text in an extension.
        """
        start, end = found.get("start"), found.get("end")
        if not start or not end or _precision(start) == _precision(end):
            return found
        name = "start" if _precision(start) > _precision(end) else "end"
        length = min(_precision(start), _precision(end))
        self._fault("period_precision", f"{path}.{name}")
        own = {"url": PRECISE, "valueDateTime": found[name]}
        extra = found.get("_" + name, {})
        extra = {**extra, "extension": [*extra.get("extension", ()), own]}
        return {**found, name: found[name][:length], "_" + name: extra}

    def _coding(self, found: dict[str, Any], path: str) -> dict[str, Any]:
        if found.get("system") == LANGUAGE_SYSTEM and "code" in found:
            return self._language(found, path)
        if found.get("system") == _UCUM and "code" in found and not is_ucum(found["code"]):
            self._fault("not_ucum", path)
            return {name: entry for name, entry in found.items() if name not in ("system", "version")}
        if not is_absolute(str(found.get("system", "urn:x"))):
            self._fault("relative_system", f"{path}.system")
            return {name: entry for name, entry in found.items() if name not in ("system", "version")}
        codes = self._known.systems.get(str(found.get("system")))
        if codes is None or found.get("code") in codes:
            return found
        self._fault("unknown_code", path)
        return {name: entry for name, entry in found.items() if name not in ("system", "version")}

    def _sober(self, text: str) -> str | None:
        """A language tag; HAPI's list of R5 has none with a script."""
        return sober_language(text, with_script=self._known.version == "R4")

    def _spoken(self, concept: dict[str, Any], path: str) -> dict[str, Any]:
        """A language by another code system or by words alone: its BCP 47 code where it has one, else ``und``."""
        self._fault("language_code", path)
        codings = concept.get("coding", [])
        tags = (self._sober(str(one["code"])) for one in codings if "code" in one)
        tag = next((tag for tag in tags if tag), "und")
        more = [{"url": OTHER_CODING, "valueCoding": one} for one in codings]
        found = {**concept, "coding": [{"system": LANGUAGE_SYSTEM, "code": tag}]}
        return {**found, "extension": [*concept.get("extension", ()), *more]} if more else found

    def _language(self, found: dict[str, Any], path: str) -> dict[str, Any]:
        code = self._sober(found["code"])
        if code == found["code"]:
            return found
        if code is not None:
            self._fault("language_code", path)
            return {**found, "code": code}
        self._fault("not_a_language", path)
        return {name: entry for name, entry in found.items() if name != "system"}

    def _lawful(self, found: dict[str, Any], type: Type, path: str, scope: Scope) -> dict[str, Any] | None:
        """The invariants stated for the type, and for this element of its owner."""
        if type.kind == "resource":
            scope = Scope(found, found if scope.resource is self._root else self._root)
        for key, expression in self._rules(type, path):
            if key in _NATIVE:
                continue
            holds = compile_rule(expression)
            if holds is None or holds(found, scope):
                continue
            self._fault(key, path)
            mended = _without(found, _MENDS.get(key, ()))
            if mended == found or not mended.keys() - {"id", "resourceType"}:
                return None
            if not holds(mended, Scope(mended, mended) if type.kind == "resource" else scope):
                return None
            found = mended
        return found

    def _rules(self, type: Type, path: str) -> list[tuple[str, str]]:
        rules = list(self._known.invariants.get(type.name, ()))
        if type.name in _QUANTITIES:
            rules += self._known.invariants.get("Quantity", ())
        if type.kind == "type":
            rules += self._known.invariants.get(_plain(path), ())
        return rules


def _without(found: dict[str, Any], stems: tuple[str, ...]) -> dict[str, Any]:
    """A copy without these elements; a stem stands for every type of a choice, ``a.b`` for the part of a part."""
    for stem in stems:
        outer, dot, inner = stem.partition(".")
        if dot and outer in found:
            return {**found, outer: [_without(one, (inner,)) for one in found[outer]]}

    def goes(name: str) -> bool:
        plain = name.lstrip("_")
        return any(plain == stem or (plain.startswith(stem) and plain[len(stem)].isupper()) for stem in stems)

    return {name: value for name, value in found.items() if not goes(name)}


def _has_value(extension: dict[str, Any]) -> bool:
    return any(name.lstrip("_").startswith("value") for name in extension)


def _choice_label(type: Type, names: tuple[str, ...]) -> str:
    return type.elements[names[0]].choice or names[0]


def _literal_type(literal: Any) -> str | None:
    found = _REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
    return found[1] if found else None


def _contained_ids(root: Resource) -> dict[str, str]:
    """Type by id of the contained resources."""
    inside = root.get("contained")
    bodies = [one for one in inside if isinstance(one, dict)] if isinstance(inside, list) else []
    return {str(one.get("id")): str(one.get("resourceType")) for one in bodies}


def _fragments(value: Any) -> list[str]:
    """Ids of contained resources that a value names, "" for the container."""
    if isinstance(value, str):
        return [value[1:]] if value.startswith("#") else []
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for entry in entries for found in _fragments(entry)]


def _is_hash(attachment: dict[str, Any]) -> bool:
    """Whether an attachment's hash, if it has one, is the SHA-1 of its data."""
    if "hash" not in attachment or "data" not in attachment:
        return True
    digest = hashlib.sha1(base64.b64decode(attachment["data"]), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode() == attachment["hash"]


def _identifier_rule(identifier: dict[str, Any]) -> str:
    """The rule that an identifier breaks, "" for none: an absolute system, a URI where the system says so."""
    system, value = str(identifier.get("system", "urn:x")), str(identifier.get("value", "urn:x"))
    if not system.startswith(("urn:", "http://", "https://", "ftp://")):
        return "relative_system"
    return "not_a_full_uri" if system == "urn:ietf:rfc:3986" and not (is_absolute(value) and is_uri(value)) else ""


def _plain(path: str) -> str:
    return re.sub(r"\[\d+\]", "", path)


def _precision(moment: str) -> int:
    """Characters of a date or dateTime that tell its precision: a time counts whole."""
    return len(moment) if "T" not in moment else 19


def _is_backward(period: dict[str, Any]) -> bool:
    """A period that ends before it starts, whatever the precision of its ends stands for."""
    if "T" not in str(period.get("start", "T")) + str(period.get("end", "T")):
        return str(period["start"]) > str(period["end"])
    start, end = bounds(period.get("start")), bounds(period.get("end"))
    return start is not None and end is not None and start[0] > end[1]
