"""A plan of places as a stylesheet: libxslt reads all rows of a document in C, without a Python object a node.

The stylesheet is made here from checked paths; a document cannot add to it, and it may open no file or address. Its
output is text: the header's values, then for each row an empty text and its values. A tab ends each; collapsed white
space has none.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import takewhile
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from fhir_mapping.document import RecordError
from fhir_mapping.sources.cda_path import NAMESPACES, OWN, Place, Step

_ACCESS: Any = etree.XSLTAccessControl
_TAB = "<xsl:text>&#9;</xsl:text>"
_KEPT = 16
"""Namespaces whose stylesheets a thread keeps; documents of one source have one, or two."""


class Sheet:
    """Reads documents by places. May be used by several threads: each has stylesheets of its own.

    Args:
        rows: the ways to the rows; none: the document is the row.
        header, own: places read once from the document, and from each row.
    """

    def __init__(self, rows: tuple[tuple[Step, ...], ...], header: Sequence[Place], own: Sequence[Place]) -> None:
        self._rows, self._header, self._own = rows, header, own
        self._local = threading.local()

    def read(self, root: etree._Element) -> bytes:
        """The header's values, then those of each row after an empty one, in UTF-8 with a tab after each.

        Raises:
            RecordError: ``bad_xml``: the tree is beyond libxslt's limits.
        """
        try:
            return bytes(self._transform(root.tag.rpartition("}")[0].lstrip("{"))(root))
        except etree.XSLTError as error:
            raise RecordError("bad_xml", "/") from error

    def _transform(self, namespace: str) -> etree.XSLT:
        known: dict[str, etree.XSLT] = self._local.__dict__
        if namespace not in known:
            if len(known) >= _KEPT:
                known.clear()
            known[namespace] = _compile(namespace, self._rows, self._header, self._own)
        return known[namespace]


def _compile(
    namespace: str, rows: Sequence[Sequence[Step]], header: Sequence[Place], own: Sequence[Place]
) -> etree.XSLT:
    prefix = f"{OWN}:" if namespace else ""
    declared = {name: uri for name, uri in NAMESPACES.items() if name != "xml"} | ({OWN: namespace} if prefix else {})
    names = " ".join(f"xmlns:{name}={quoteattr(uri)}" for name, uri in declared.items())
    ways = ["".join([".", *(move for step in way for move in step.moves(prefix))]) for way in rows or [()]]
    select = quoteattr(" | ".join(ways))
    sheet = (
        f'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" {names}>'
        '<xsl:output method="text" encoding="UTF-8"/><xsl:template match="/*">'
        f"{_values(header, prefix, '/*', 'document')}<xsl:for-each select={select}>{_TAB}"
        f"{_values(own, prefix, '.', 'row')}</xsl:for-each></xsl:template></xsl:stylesheet>"
    )
    return etree.XSLT(etree.fromstring(sheet), access_control=_ACCESS.DENY_ALL)


def _values(places: Sequence[Place], prefix: str, start: str, kind: str) -> str:
    """Instructions that write the places' values; what several places' ways have in common is gone once."""
    variables: list[str] = []
    paths: dict[Place, str] = {}

    def follow(start: str, ways: dict[Place, tuple[str, ...]]) -> None:
        for own in _by_first(ways):
            if len(own) == 1 or () in own.values():
                paths.update((place, start + "".join(way)) for place, way in own.items())
                continue
            shared = _common(list(own.values()))
            variable = f"{kind}{len(variables)}"
            variables.append(f'<xsl:variable name="{variable}" select={quoteattr(start + "".join(shared))}/>')
            follow(f"${variable}", {place: way[len(shared) :] for place, way in own.items()})

    follow(start, {place: place.moves(prefix) for place in places})
    values = (f"<xsl:value-of select={quoteattr(place.xpath(paths[place]))}/>{_TAB}" for place in places)
    return "".join([*variables, *values])


def _common(ways: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The moves with which all ways begin."""
    alike = (moves[0] for moves in takewhile(lambda moves: len(set(moves)) == 1, zip(*ways, strict=False)))
    return tuple(alike)


def _by_first(ways: dict[Place, tuple[str, ...]]) -> list[dict[Place, tuple[str, ...]]]:
    """Places whose ways begin alike."""
    groups: dict[tuple[str, ...], dict[Place, tuple[str, ...]]] = {}
    for place, way in ways.items():
        groups.setdefault(way[:1], {})[place] = way
    return list(groups.values())
