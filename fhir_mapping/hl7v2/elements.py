"""What R4 says of an element: its type, whether it repeats, its required binding. Read from the definitions' tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DEFINITIONS = Path(__file__).parents[1] / "convert" / "definitions" / "r4"


@dataclass(frozen=True)
class Element:
    """One element by the name it has in JSON (``valueQuantity``; ``choice``: ``value``, the name without the type)."""

    name: str
    type: str
    is_list: bool
    is_required: bool
    codes: str | None
    targets: tuple[str, ...] = ()
    choice: str = ""

    @property
    def is_primitive(self) -> bool:
        """A JSON string, number or boolean."""
        return self.type[0].islower() and "." not in self.type and self.type != "xhtml"


@cache
def types() -> dict[str, dict[str, Element]]:
    """Elements by name of each type: resources, data types, and parts such as ``Patient.contact``."""
    found: dict[str, dict[str, Element]] = {}
    current: dict[str, Element] = {}
    for line in (_DEFINITIONS / "elements.txt").read_text("utf-8").splitlines():
        if not line.startswith(" "):
            current = found.setdefault(line.split()[0], {})
            continue
        name, cardinality, *rest = line.split()
        codes = rest[rest.index("!") + 1] if "!" in rest else None
        for kind in rest[0].split(","):
            full = name.replace("[x]", kind[:1].upper() + kind[1:].split("(")[0]) if "[x]" in name else name
            current[full] = _element(full, name.removesuffix("[x]"), kind, cardinality, codes)
    return found


def _element(name: str, choice: str, kind: str, cardinality: str, codes: str | None) -> Element:
    type_, _, targets = kind.partition("(")
    is_list = not cardinality.endswith(("..1", "..0"))
    allowed = tuple(targets.rstrip(")").split("|")) if targets else ()
    return Element(name, type_, is_list, not cardinality.startswith("0"), codes, allowed, choice)


@cache
def value_set(name: str) -> frozenset[str]:
    """The codes of a required binding; empty when FHIR does not list them."""
    for line in (_DEFINITIONS / "codes.txt").read_text("utf-8").splitlines():
        found, _, codes = line.split("\t")[:3]
        if found == name:
            return frozenset(codes.split(" "))
    return frozenset()


@cache
def code_systems() -> dict[str, frozenset[str]]:
    """The code systems that FHIR publishes whole: their codes by URI."""
    found: dict[str, frozenset[str]] = {}
    for line in (_DEFINITIONS / "systems.txt").read_text("utf-8").splitlines():
        uri, *codes = line.split("\t")
        found[uri] = frozenset(codes)
    return found
