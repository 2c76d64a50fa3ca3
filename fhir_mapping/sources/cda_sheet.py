"""A plan of places as a stylesheet: libxslt reads all rows of a document in C, without a Python object a node.

The stylesheet is made here from checked paths; a document cannot add to it, and it may open no file or address. Its
output is text: the header's values, then a line a row, values between tabs (collapsed white space has neither).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from fhir_mapping.document import RecordError
from fhir_mapping.sources.cda_path import NAMESPACES, OWN, Place, Step

_ACCESS: Any = etree.XSLTAccessControl
_KEPT = 16
"""Namespaces whose stylesheets a thread keeps; documents of one source have one, or two."""


class Sheet:
    """Reads documents by places. May be used by several threads: each has stylesheets of its own.

    Args:
        rows: the way to the rows; empty: the document is the row.
        header, own: places read once from the document, and from each row.
    """

    def __init__(self, rows: tuple[Step, ...], header: Sequence[Place], own: Sequence[Place]) -> None:
        self._rows, self._header, self._own = rows, header, own
        self._local = threading.local()

    def read(self, root: etree._Element) -> tuple[list[str], list[list[str]]]:
        """The header's values and those of each row; an empty text is no value.

        Raises:
            RecordError: ``bad_xml``: the tree is beyond libxslt's limits.
        """
        try:
            text = str(self._transform(root.tag.rpartition("}")[0].lstrip("{"))(root))
        except etree.XSLTError as error:
            raise RecordError("bad_xml", "/") from error
        lines = [line.split("\t")[:-1] for line in text.split("\n")[:-1]]
        return lines[0], lines[1:]

    def _transform(self, namespace: str) -> etree.XSLT:
        known: dict[str, etree.XSLT] = self._local.__dict__
        if namespace not in known:
            if len(known) >= _KEPT:
                known.clear()
            known[namespace] = _compile(namespace, self._rows, self._header, self._own)
        return known[namespace]


def _compile(namespace: str, rows: Sequence[Step], header: Sequence[Place], own: Sequence[Place]) -> etree.XSLT:
    prefix = f"{OWN}:" if namespace else ""
    declared = {name: uri for name, uri in NAMESPACES.items() if name != "xml"} | ({OWN: namespace} if prefix else {})
    names = " ".join(f"xmlns:{name}={quoteattr(uri)}" for name, uri in declared.items())
    way = "/".join(step.xpath(prefix) for step in rows) or "."
    sheet = (
        f'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" {names}>'
        '<xsl:output method="text" encoding="UTF-8"/><xsl:template match="/*">'
        f"{_line(header, prefix)}<xsl:for-each select={quoteattr(way)}>{_line(own, prefix)}</xsl:for-each>"
        "</xsl:template></xsl:stylesheet>"
    )
    return etree.XSLT(etree.fromstring(sheet), access_control=_ACCESS.DENY_ALL)


def _line(places: Sequence[Place], prefix: str) -> str:
    values = (f"<xsl:value-of select={quoteattr(place.xpath(prefix))}/><xsl:text>&#9;</xsl:text>" for place in places)
    return "".join(values) + "<xsl:text>&#10;</xsl:text>"
