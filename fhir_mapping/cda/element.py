"""Elements of a document by local name, whatever the namespace or prefix says; one pass over an element's children.

``Node`` is what the mapping reads: the children of one element grouped by name, so that twenty questions to one act
cost one iteration. Names of the ``sdtc`` extension namespace keep their prefix: ``sdtc:raceCode``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from lxml import etree

from fhir_mapping.cda.data_tables import column

Element: TypeAlias = etree._Element
ACTS = frozenset(
    {
        "act",
        "observation",
        "organizer",
        "procedure",
        "substanceAdministration",
        "supply",
        "encounter",
        "observationMedia",
    }
)
"""The elements that are clinical statements."""
_SDTC = "{urn:hl7-org:sdtc}"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class _Names(dict[str, str]):
    """Tag -> local name, remembered; emptied when a hostile document invents too many."""

    def __missing__(self, tag: str) -> str:
        if len(self) > 20_000:
            self.clear()
        local = tag.rpartition("}")[2]
        name = f"sdtc:{local}" if tag.startswith(_SDTC) else local
        if not name.startswith("sdtc:"):
            name = name.rpartition(":")[2]
        self[tag] = name
        return name


NAMES = _Names()


def local_name(element: Element) -> str:
    """``observation`` for ``{urn:hl7-org:v3}observation``; empty for an entity reference."""
    tag = element.tag
    return NAMES[tag] if isinstance(tag, str) else ""


def children(element: Element, name: str) -> Iterator[Element]:
    """The child elements of that local name."""
    for child in element:
        tag = child.tag
        if isinstance(tag, str) and NAMES[tag] == name:
            yield child


def child(element: Element | None, *path: str) -> Element | None:
    """The first child of that name, or its first child of the next name, and so on."""
    found = element
    for name in path:
        if found is None:
            return None
        for kid in found:
            tag = kid.tag
            if isinstance(tag, str) and NAMES[tag] == name:
                found = kid
                break
        else:
            return None
    return found


def xsi_type(element: Element) -> str:
    """The datatype named by ``xsi:type``, without prefix; empty where none is named."""
    named = element.get(_XSI_TYPE) or element.get("xsi:type") or element.get("type") or ""
    return named.rpartition(":")[2].strip()


def squeeze(text: str | None) -> str:
    """White space collapsed; empty for nothing."""
    return " ".join(text.split()) if text else ""


def all_text(element: Element | None) -> str:
    """The text of an element and all below it, white space collapsed; cells and items stay apart."""
    if element is None:
        return ""
    if len(element) == 0:
        return squeeze(element.text)
    apart = local_name(element) in _APART
    return squeeze((" " if apart else "").join(str(part) for part in element.itertext()))


_APART = {"table", "thead", "tbody", "tr", "list", "text", "item"}


class Node:
    """An element with its children grouped by local name."""

    __slots__ = ("_below", "_templates", "element", "kids", "name")

    def __init__(self, element: Element) -> None:
        self.element = element
        self.name = local_name(element)
        kids: dict[str, list[Element]] = {}
        names = NAMES
        for kid in element:
            tag = kid.tag
            if isinstance(tag, str):
                name = names[tag]
                if name in kids:
                    kids[name].append(kid)
                else:
                    kids[name] = [kid]
        self.kids = kids
        self._templates: list[str] | None = None
        self._below: list[tuple[str, Node]] | None = None

    def one(self, name: str) -> Element | None:
        """The first child of that name."""
        found = self.kids.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Element]:
        """The children of that name, in order."""
        return self.kids.get(name, [])

    def node(self, name: str) -> Node | None:
        """The first child of that name as a ``Node``."""
        found = self.kids.get(name)
        return Node(found[0]) if found else None

    def templates(self) -> list[str]:
        """The roots of its templateIds, in order; one of an older guide as the C-CDA template of its meaning."""
        if self._templates is None:
            means = column("template_aliases", "template", "means")
            told = (kid.get("root") or "" for kid in self.kids.get("templateId", ()))
            self._templates = [means.get(root, root) for root in told if root]
        return self._templates

    def has(self, *templates: str) -> bool:
        """Whether it claims one of the templates."""
        return any(root in templates for root in self.templates())

    def below(self) -> list[tuple[str, Node]]:
        """The acts in its entryRelationships and components, each with the typeCode of the relation."""
        if self._below is None:
            self._below = [
                (link.get("typeCode") or "", Node(act))
                for name in ("entryRelationship", "component")
                for link in self.kids.get(name, ())
                for act in link
                if local_name(act) in ACTS
            ]
        return self._below

    def get(self, attribute: str) -> str | None:
        """An attribute."""
        return self.element.get(attribute)

    def code(self) -> str:
        """``code/@code``, or empty."""
        found = self.kids.get("code")
        return (found[0].get("code") or "").strip() if found else ""
