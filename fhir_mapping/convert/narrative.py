"""The XHTML of a narrative: well-formed, of the elements and attributes that FHIR allows, with some content.

Source: https://hl7.org/fhir/R4/narrative.html (txt-1: HTML 4 chapters 7-11 and 15, images, links, no script or events).
"""

from __future__ import annotations

from typing import Any

XHTML = "{http://www.w3.org/1999/xhtml}"

_HTML = """a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i
    img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var"""
_ALLOWED = """abbr accesskey align alt axis border cellpadding cellspacing char charoff charset cite class cols colspan
    compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel rev rows rowspan rules
    scope shape span src start style summary tabindex title type usemap valign value vspace width"""
_ELEMENTS, _ATTRIBUTES = frozenset(_HTML.split()), frozenset(_ALLOWED.split())
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def is_narrative(text: str) -> bool:
    """Whether ``Narrative.div`` may hold this text."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return False
    if root.tag != XHTML + "div" or text.lstrip().startswith(("<!", "<?")):
        return False
    if not _links_resolve(root):
        return False
    has_content = False
    for node in root.iter():
        if node.tag is etree.Comment:
            continue
        if not isinstance(node.tag, str) or not _is_allowed(node.tag, node.attrib) or not _is_nested(node):
            return False
        has_content = has_content or node.tag == XHTML + "img" or bool((node.text or "").strip())
        has_content = has_content or bool(node is not root and (node.tail or "").strip())
    return has_content


def _links_resolve(root: Any) -> bool:
    """Whether what ``#name`` points at stands in the narrative."""
    names = {node.get("id") or node.get("name") for node in root.iter() if isinstance(node.tag, str)}
    links = (node.get("href") or node.get("src") or "" for node in root.iter() if isinstance(node.tag, str))
    return all(link[1:] in names for link in links if link.startswith("#"))


_CHILDREN = {
    "ul": {"li"},
    "ol": {"li"},
    "dl": {"dt", "dd"},
    "table": {"caption", "col", "colgroup", "thead", "tfoot", "tbody", "tr"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tfoot": {"tr"},
    "tr": {"td", "th"},
}


def _is_nested(node: Any) -> bool:
    """Whether lists and tables hold only their own parts and no loose text."""
    allowed = _CHILDREN.get(node.tag[len(XHTML) :])
    if allowed is None:
        return True
    children = [child for child in node if isinstance(child.tag, str)]
    loose = (node.text or "") + "".join(child.tail or "" for child in node)
    return not loose.strip() and all(child.tag[len(XHTML) :] in allowed for child in children)


def _is_allowed(tag: str, attributes: object) -> bool:
    if not tag.startswith(XHTML) or tag[len(XHTML) :] not in _ELEMENTS:
        return False
    return all(name in _ATTRIBUTES or name == _LANG for name in dict(attributes))  # type: ignore[call-overload]
