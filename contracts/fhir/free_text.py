"""Which free text a view reads: its expressions followed through the element tables, nothing evaluated.

A path is told whenever the view looks at it: in a column, a condition, an argument. Of a choice (``value``) every
type of free text counts, unless ``ofType`` names another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.fhir import expression as tree
from contracts.fhir.elements import TYPES
from contracts.fhir.fhirpath import type_name
from contracts.fhir.view_definition import Select, View


@dataclass(frozen=True)
class _Place:
    """Where an expression may be: the type there, the path without indices, and whether it is free text."""

    type: str
    path: str
    is_free_text: bool = False


def free_text_paths(view: View) -> frozenset[str]:
    """Paths as a region's ``free_text`` writes them: ``Encounter.reasonCode.text``, ``Observation.valueString``."""
    walk = _Walk()
    focus = frozenset((_Place(view.resource, view.resource),))
    for condition in view.where:
        walk.read(condition, focus)
    for select in view.selects:
        walk.select(select, focus)
    return frozenset(walk.found)


class _Walk:
    """Follows expressions; ``found`` gathers the free text that they end at."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def select(self, select: Select, focus: frozenset[_Place]) -> None:
        if select.iterate == "repeat":
            inner, new = frozenset[_Place](), focus
            while new:  # an element that holds elements of its own kind is followed once a type
                known = {place.type for place in inner}
                found = frozenset[_Place]().union(*(self.follow(node, new) for node in select.foci))
                inner |= found
                new = frozenset(place for place in found if place.type not in known)
        else:
            inner = (
                frozenset[_Place]().union(*(self.follow(node, focus) for node in select.foci)) if select.foci else focus
            )
        for column in select.columns:
            self.read(column.path, inner)
        for nested in (*select.selects, *select.unions):
            self.select(nested, inner)

    def read(self, node: tree.Node, focus: frozenset[_Place]) -> None:
        """An expression whose value is looked at."""
        self.note(self.follow(node, focus))

    def note(self, places: Iterable[_Place]) -> None:
        self.found.update(place.path for place in places if place.is_free_text)

    def follow(self, node: tree.Node, focus: frozenset[_Place]) -> frozenset[_Place]:
        """Where an expression leads from here."""
        match node:
            case tree.This():
                return focus
            case tree.Member(source, name):
                if source is None and name in {place.type for place in focus}:  # ``Patient.name`` on a Patient
                    return focus
                return frozenset[_Place]().union(*(_children(place, name) for place in self._source(source, focus)))
            case tree.Index(source, position):
                self.read(position, focus)
                return self.follow(source, focus)
            case tree.Call(source, "ofType", _):
                wanted = _capital(type_name(node))  # System.String is FHIR's string to the evaluators
                return frozenset(place for place in self._source(source, focus) if _capital(place.type) == wanted)
            case tree.Call(source, "extension", _):
                return self.follow(tree.Member(source, "extension"), focus)
            case tree.Call(source, function, arguments):
                places = self._source(source, focus)
                for argument in arguments if function != "getReferenceKey" else ():
                    self.read(argument, places)
                if function in ("where", "first"):
                    return places
                self.note(places)
            case tree.Binary(_, left, right):
                self.read(left, focus)
                self.read(right, focus)
            case tree.Negate(operand):
                self.read(operand, focus)
        return frozenset()

    def _source(self, source: tree.Node | None, focus: frozenset[_Place]) -> frozenset[_Place]:
        return focus if source is None else self.follow(source, focus)


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _children(place: _Place, name: str) -> frozenset[_Place]:
    elements = TYPES[place.type].elements if place.type in TYPES else {}
    return frozenset(
        _Place(element.type, f"{place.path}.{element.name}", element.is_free_text)
        for element in elements.values()
        if name == element.name or f"{name}[x]" == element.choice
    )
