"""The definition tables as objects; a type is parsed when it is first asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent
_HEAD = re.compile(r"^([A-Za-z][\w.]*) (resource|type|part)\n", re.M)
_TYPE = re.compile(r"([^,()]+)(?:\(([^)]*)\))?")

_PRIMITIVES = """base64Binary boolean canonical code date dateTime decimal id instant integer integer64 markdown oid
    positiveInt string time unsignedInt uri url uuid xhtml"""
PRIMITIVES = frozenset(_PRIMITIVES.split())


@dataclass(frozen=True, slots=True)
class Element:
    """One element as it stands in JSON.

    Attributes:
        name: ``valueQuantity``, not ``value[x]``.
        type: a primitive, a type, or the path of a part (``Observation.component``); ``Resource`` = any resource.
        minimum: of the element; for one type of a choice, of the choice.
        maximum: None = any number.
        codes: name of the value set of its required binding, None without one.
        targets: types a reference may name; () = any.
        choice: ``value[x]``, None when it is no choice.
    """

    name: str
    type: str
    minimum: int
    maximum: int | None
    codes: str | None
    targets: frozenset[str]
    choice: str | None

    @property
    def is_list(self) -> bool:
        return self.maximum != 1

    @property
    def is_primitive(self) -> bool:
        return self.type in PRIMITIVES


@dataclass(frozen=True)
class Type:
    """A resource, data type or part of one: its elements by JSON name, in FHIR's order."""

    name: str
    kind: Literal["resource", "type", "part"]
    elements: Mapping[str, Element]

    @cached_property
    def required(self) -> tuple[tuple[str, ...], ...]:
        """JSON names of which one must be there, for each required element."""
        found: dict[str, list[str]] = {}
        for element in self.elements.values():
            if element.minimum:
                found.setdefault(element.choice or element.name, []).append(element.name)
        return tuple(tuple(names) for names in found.values())

    @cached_property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """JSON names of each choice, by its stem: ``value`` of ``value[x]``."""
        found: dict[str, list[str]] = {}
        for element in self.elements.values():
            if element.choice:
                found.setdefault(element.choice[:-3], []).append(element.name)
        return {stem: tuple(names) for stem, names in found.items()}


@dataclass(frozen=True)
class ExtensionRule:
    """What HL7 says of one of its extensions.

    Attributes:
        places: types and paths of elements it may stand in; None = anywhere, or not told by paths alone.
        types: of its value; None = it holds parts.
        codes: value set of its required binding.
        parts: minimum and types of each part, by URL.
    """

    places: frozenset[str] | None
    types: frozenset[str] | None
    codes: str | None
    parts: Mapping[str, tuple[int, frozenset[str]]]


class Definitions:
    """All types, value sets, code systems and invariants of one FHIR version."""

    def __init__(self, version: Literal["R4", "R5"]) -> None:
        self.version = version
        self._folder = _HERE / version.lower()
        text = self._read("elements.txt")
        heads = list(_HEAD.finditer(text))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        self._sections = {head[1]: (head[2], text[head.end() : end]) for head, end in zip(heads, ends, strict=True)}
        self._types: dict[str, Type | None] = {}
        self.resources = frozenset(name for name, (kind, _) in self._sections.items() if kind == "resource") - {
            "Resource",
            "DomainResource",
        }

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text(encoding="utf-8")

    def type(self, name: str) -> Type | None:
        """A type by name or path; None when this version has none such."""
        if name not in self._types:
            section = self._sections.get(name)
            self._types[name] = _parse(name, *section) if section else None
        return self._types[name]

    @cached_property
    def value_sets(self) -> Mapping[str, Mapping[str, frozenset[str]]]:
        """Codes by system of each value set that has a required binding and is listed whole."""
        found: dict[str, dict[str, frozenset[str]]] = {}
        for line in self._read("codes.txt").splitlines():
            name, system, codes = line.split("\t")
            found.setdefault(name, {})[system] = frozenset(codes.split(" "))
        currency = "urn:iso:std:iso:4217"
        return {**found, "currencies": {currency: self.systems[currency]}}

    @cached_property
    def extensions(self) -> Mapping[str, ExtensionRule]:
        """The extensions that HL7 defines, by URL."""
        found: dict[str, ExtensionRule] = {}
        for line in self._read("extensions.txt").splitlines():
            url, places, types, codes, parts = line.split("\t")
            found[url] = ExtensionRule(
                None if places == "*" else frozenset(places.split("|")),
                None if types == "-" else frozenset(types.split(",")),
                codes or None,
                {
                    one[0]: (int(one[1]), frozenset(one[2].split(",")))
                    for one in (p.rsplit(":", 2) for p in parts.split())
                },
            )
        return found

    @cached_property
    def systems(self) -> Mapping[str, frozenset[str]]:
        """Codes of each code system that FHIR publishes whole."""
        lines = [line.split("\t") for line in self._read("systems.txt").splitlines()]
        lines += [line.split(" ") for line in _table("iso_codes.txt")]
        return {url: frozenset(codes) for url, *codes in lines}

    @cached_property
    def invariants(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Key and FHIRPath expression of each invariant, by the type or path of element it is stated for."""
        found: dict[str, list[tuple[str, str]]] = {}
        for line in self._read("invariants.txt").splitlines():
            path, key, expression = line.split("\t")
            found.setdefault(path, []).append((key, expression))
        return {path: tuple(rules) for path, rules in found.items()}


def _parse(name: str, kind: str, body: str) -> Type:
    elements: dict[str, Element] = {}
    for line in body.splitlines():
        left, _, codes = line.strip().partition(" ! ")
        path, cardinality, types = left.split(" ")
        low, high = cardinality.split("..")
        stem = path.removesuffix("[x]")
        for type, targets in _types(types):
            own = "id" if path == "id" and kind == "resource" else type
            json_name = stem + type[0].upper() + type[1:] if path != stem else path
            elements[json_name] = Element(
                json_name,
                own,
                int(low),
                None if high == "*" else int(high),
                codes or None,
                frozenset(targets),
                path if path != stem else None,
            )
    assert kind in ("resource", "type", "part")
    return Type(name, kind, elements)  # type: ignore[arg-type]


def _types(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(found[1], tuple(found[2].split("|")) if found[2] else ()) for found in _TYPE.finditer(text)]


def _table(name: str) -> list[str]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def languages() -> Mapping[str, str]:
    """The code that BCP 47 asks for, by every ISO 639 code that has a two-letter one."""
    return {code: codes[0] for codes in (line.split() for line in _table("languages.txt")) for code in codes}


@cache
def definitions(version: Literal["R4", "R5"]) -> Definitions:
    """The tables of one version; read once a process."""
    return Definitions(version)
