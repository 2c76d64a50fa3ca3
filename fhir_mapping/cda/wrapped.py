"""A document that stands in something else: an envelope, the text of an element, base64."""

from __future__ import annotations

import base64
import binascii
import re

from fhir_mapping.cda.element import Element, local_name
from fhir_mapping.cda.safe_xml import parse_document
from fhir_mapping.document import RecordError

_DOCUMENT = "ClinicalDocument"
_DECLARATION = re.compile(r"^<\?xml\b[^>]*\?>\s*")
_STARTS = (b"PD94", b"PENs", b"77u/")
"""Base64 of ``<?x``, ``<Cl`` and the byte-order mark."""
_ENCODED = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*$")


def plain_bytes(data: bytes) -> bytes:
    """The bytes themselves, or those that they are base64 of."""
    if not data[:40].lstrip().startswith(_STARTS):
        return data
    return _decoded(data) or data


def document_in(root: Element, data: bytes) -> tuple[Element, bytes]:
    """The one document inside of a tree whose root is none, with its bytes where it was kept as text.

    Raises:
        RecordError: ``several_documents``; what ``parse_document`` raises for a document in text.
    """
    inside = [element for element in root.iter() if local_name(element) == _DOCUMENT]
    kept = [] if inside else [text for element in root.iter() if (text := _kept(element))]
    if len(inside) > 1 or len(kept) > 1:
        raise RecordError("several_documents", "/" + local_name(root))
    if inside:
        return inside[0], data
    if not kept:
        return root, data
    found = parse_document(kept[0])
    return (found, kept[0]) if local_name(found) == _DOCUMENT else (root, data)


def _kept(element: Element) -> bytes:
    """The document that an element's text is, escaped or in base64; empty where it is none."""
    text = (element.text or "").strip() if len(element) == 0 else ""
    if len(text) < len(_DOCUMENT):
        return b""
    if text.startswith("<"):
        return _DECLARATION.sub("", text).encode("utf-8", "surrogatepass") if _DOCUMENT in text else b""
    raw = _decoded(text.encode()) if text.startswith(tuple(start.decode() for start in _STARTS)) else b""
    return raw if _DOCUMENT.encode() in raw or _DOCUMENT.encode("utf-16-le") in raw else b""


def _decoded(data: bytes) -> bytes:
    if not _ENCODED.match(data):
        return b""
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
