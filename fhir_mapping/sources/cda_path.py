"""What a column of a CDA source names, as data: a closed part of XPath, and its XPath.

code/@code                          an attribute of the first ``code`` that has it
value                               the text of the first element that has one, white space collapsed
value/@xsi:type, sdtc:raceCode      prefixes that are known: xsi, sdtc, xml
observation[DE04.30.015.00]/value   of elements whose own ``code`` is that; [A,B]: either
templateId[@root=2.16.840.1.113883.10.20.22.4.2]   by an attribute;  id[2]: the second
entry//observation                  at any depth;  */id: of any name;  ..: the element around
^section/title                      of the nearest such element around
+component, -component              the next such element beside, the one before
/recordTarget/patientRole/id        from the document, whatever the row (``/ClinicalDocument/`` may stand before)
A | B | 'text', time(A | B)         as in ``hl7v2_path``
system(A | B)                       the URI of a code system by its OID
first_in_document, row_no           true on a document's first row; number of the row in it, from 1

The path of rows (``section[30954-2]//observation``) starts anywhere in the document; ``A | B`` are the elements of
both, in the document's order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

PSEUDO = ("first_in_document", "row_no")

NAMESPACES = {
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "sdtc": "urn:hl7-org:sdtc",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
OWN = "d"
"""Prefix of the document's own namespace in the XPath made here; names have none where the document has none."""

_NAME = "[A-Za-z_][A-Za-z0-9_.-]*"
_STEP = re.compile(
    rf"(?P<mark>[\^+-]?)(?:(?P<prefix>[a-z]+):)?(?P<name>{_NAME}|\*)"
    r"(?:\[(?:@(?P<attribute>[A-Za-z:]+)=(?P<value>[^\[\]'\"]+)|(?P<index>[1-9][0-9]{0,3})|(?P<codes>[^\[\]@='\"]+))\])?"
)
_ATTRIBUTE = re.compile(rf"(?:([a-z]+):)?{_NAME}")
_LITERAL = re.compile("'([^']+)'")
_BAR = r"\|(?![^\[]*\])"
"""What divides alternatives; in brackets it is text."""

Axis = Literal["child", "descendant", "parent", "ancestor", "next", "previous"]
_MARKS: dict[str, Axis] = {"^": "ancestor", "+": "next", "-": "previous"}
_WAYS = {
    "child": "/",
    "descendant": "/descendant::",
    "ancestor": "/ancestor::",
    "next": "/following-sibling::",
    "previous": "/preceding-sibling::",
}
Form = Literal["text", "time", "system"]


@dataclass(frozen=True)
class Step:
    """From an element to others: along an axis, by name, then by code, attribute or number."""

    axis: Axis
    name: str = "*"
    codes: tuple[str, ...] = ()
    attribute: tuple[str, str] | None = None
    index: int | None = None

    def moves(self, prefix: str) -> tuple[str, ...]:
        """The step in XPath, in parts that are written one after the other; ``prefix`` is that of names without one
        (``d:``, or nothing).

        A code is looked for by going to the codes and back, so that steps to other codes share the way.
        """
        if self.axis == "parent":
            return ("/..",)
        named = self.name if self.name == "*" or ":" in self.name else prefix + self.name
        text = _WAYS[self.axis] + named
        if self.axis in _MARKS.values():
            text += "[1]"
        if self.attribute is not None:
            text += f"[@{self.attribute[0]}='{self.attribute[1]}']"
        if self.index is not None:
            text += f"[{self.index}]"
        if not self.codes:
            return (text,)
        return text, f"/{prefix}code/@code", "[" + " or ".join(f".='{code}'" for code in self.codes) + "]", "/../.."


@dataclass(frozen=True)
class Place:
    """One place: steps, then an attribute (None: the text) of where they lead."""

    steps: tuple[Step, ...]
    attribute: str | None
    is_absolute: bool

    def moves(self, prefix: str) -> tuple[str, ...]:
        """The way from the root element, or from the row, in parts (see ``Step.moves``)."""
        return tuple(move for step in self.steps for move in step.moves(prefix))

    def xpath(self, path: str) -> str:
        """The first value where ``path`` (the steps) leads, white space collapsed; an empty text if there is none."""
        if self.attribute:
            return f"normalize-space({path}/@{self.attribute})"
        return f"normalize-space(({path})[normalize-space()])" if self.steps else f"normalize-space({path})"


@dataclass(frozen=True)
class Value:
    """What a column takes: the first of its places that has a value; a text among them stands for itself."""

    places: tuple[Place | str, ...]
    form: Form = "text"


def parse_value(text: str) -> Value | str:
    """A column's path; for a pseudo column its name.

    Raises:
        ValueError: it is no path.
    """
    text = text.strip()
    if text in PSEUDO:
        return text
    call = re.fullmatch(r"(time|system)\((.*)\)", text)
    form: Form = "text" if call is None else "time" if call[1] == "time" else "system"
    parts = re.split(_BAR, call[2] if call else text)
    return Value(tuple(_place(part.strip()) for part in parts), form)


def parse_rows(text: str) -> tuple[tuple[Step, ...], ...]:
    """The paths of the elements that are records; the first step of each is found anywhere in the document.

    Raises:
        ValueError: one is no path, or ends in an attribute.
    """
    return tuple(_rows(path.strip()) for path in re.split(_BAR, text))


def _rows(text: str) -> tuple[Step, ...]:
    place = _place(text.lstrip("/"))
    if isinstance(place, str) or place.attribute is not None or not place.steps:
        raise ValueError(f"{text!r}: rows are elements, such as section[30954-2]//observation")
    first = place.steps[0]
    return (Step("descendant", first.name, first.codes, first.attribute, first.index), *place.steps[1:])


def _place(text: str) -> Place | str:
    if literal := _LITERAL.fullmatch(text):
        return literal[1]
    body, attribute = text, None
    head, slash, last = text.rpartition("/")
    if last.startswith("@"):
        attribute = _known(text, last.removeprefix("@"))
        body = head or slash
    is_absolute = body.startswith("/")
    body = re.sub("^/ClinicalDocument(/|$)", "/", body).removeprefix("/") if is_absolute else body
    return Place(tuple(_steps(text, body)), attribute, is_absolute)


def _known(text: str, name: str) -> str:
    """A name whose prefix, if it has one, is known."""
    match = _ATTRIBUTE.fullmatch(name)
    if match is None or (match[1] or "xsi") not in NAMESPACES:
        raise ValueError(f"{text!r}: {name!r} is no name; prefixes are {', '.join(NAMESPACES)}")
    return name


def _steps(text: str, body: str) -> Iterator[Step]:
    axis: Axis = "child"
    for part in _split(body):
        if part == "":
            axis = "descendant"
            continue
        if part in (".", ".."):
            if part == "..":
                yield Step("parent")
            continue
        match = _STEP.fullmatch(part)
        if match is None or (match["mark"] and axis == "descendant"):
            raise ValueError(f"{text!r} is no path of CDA: {part!r} is not understood")
        named = (_known(text, match["attribute"]), match["value"]) if match["attribute"] else None
        codes = tuple(code.strip() for code in (match["codes"] or "").split(",") if code.strip())
        index = int(match["index"]) if match["index"] else None
        name = _known(text, f"{match['prefix']}:{match['name']}") if match["prefix"] else match["name"]
        yield Step(_MARKS.get(match["mark"], axis), name, codes, named, index)
        axis = "child"


def _split(body: str) -> list[str]:
    """Steps between slashes; ``//`` gives an empty one. A slash in brackets is text."""
    return re.split(r"/(?![^\[]*\])", body) if body else []
