"""A section's CDA text as the XHTML that FHIR allows: one pass of a pattern over its own serialization.

Each tag is translated with the element it lands in (a caption is legal in a table and not in a list), so that what
comes out has the content model of XHTML; unknown tags are dropped and their text kept. No script, style, event or
remote image can pass: only the attributes below are written.
Source: CDA R2 narrative block (NarrativeBlock.xsd); https://hl7.org/fhir/R4/narrative.html#xhtml.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lxml import etree

from fhir_mapping.cda.element import Element

_TAG = re.compile(r"([^<]*)<(/?)([^\s<>/]+)([^<>]*?)(/?)>")
_ATTRIBUTE = re.compile(r"([^\s=]+)\s*=\s*\"([^\"]*)\"")
_NCNAME = re.compile(r"[A-Za-z_][\w.-]*$", re.ASCII)
_LINK = re.compile(r"(https?:|#|mailto:|[\w./-]+$)")
_KEPT = "table thead tbody tfoot tr td th br sub sup div span ul ol li b i"
_TAGS = {name: name for name in _KEPT.split()} | {
    "text": "div",
    "paragraph": "div",
    "p": "div",
    "content": "span",
    "footnote": "span",
    "list": "ul",
    "item": "li",
    "linkHtml": "a",
    "caption": "b",
    "title": "b",
}
_ROWS, _CELLS = ("thead", "tbody", "tfoot"), ("td", "th")
_NO_WORDS = {"ul": ("<li>", "</li>"), "ol": ("<li>", "</li>"), "tr": ("<td>", "</td>")} | {
    name: ("<tr><td>", "</td></tr>") for name in ("table", *_ROWS)
}
_CHILDREN = {
    "ul": ("li",),
    "ol": ("li",),
    "table": (*_ROWS, "tr"),
    "thead": ("tr",),
    "tbody": ("tr",),
    "tfoot": ("tr",),
    "tr": _CELLS,
}
_STRUCTURAL = (*_ROWS, "tr", *_CELLS, "li")
_INLINE = ("span", "b", "a", "i", "sub", "sup")
_DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def xhtml(text: Element) -> str:
    """``<div xmlns="http://www.w3.org/1999/xhtml">...</div>``; empty where the narrative has no words (txt-2)."""
    if not any(not str(part).isspace() for part in text.itertext()):
        return ""
    source = etree.tostring(text, encoding="unicode", with_tail=False)
    holders, closings = ["div"], ["</div>"]

    def translate(match: re.Match[str]) -> str:
        words = match[1]
        if words and holders[-1] in _NO_WORDS and not words.isspace():
            before, after = _NO_WORDS[holders[-1]]
            words = before + words + after
        if match[2]:
            holders.pop()
            return words + closings.pop()
        inner, opening, closing = _placed(holders[-1], match[3], match[4])
        if match[5]:
            return words + (opening if opening.endswith("/>") else opening + closing)
        holders.append(inner)
        closings.append(closing)
        return words + opening

    start = source.find(">") + 1
    if source[start - 2] == "/":
        return ""
    body = _TAG.sub(translate, source[start : source.rfind("<")])
    return f"{_DIV}{body}</div>"


def plain(words: str) -> str:
    """Words as a narrative of their own."""
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{_DIV}{escaped}</div>"


@lru_cache(maxsize=4096)
def _placed(holder: str, name: str, attributes: str) -> tuple[str, str, str]:
    """The element that children land in, the opening and the closing text of a tag inside ``holder``."""
    local = name.rpartition(":")[2]
    target = _TAGS.get(local, "")
    if target == "ul" and 'listType="ordered"' in attributes:
        target = "ol"
    if target == "br":
        return holder, "" if holder in ("ul", "ol", "table", "tr", *_ROWS) else "<br/>", ""
    before, after, target = _fitted(holder, target, local)
    if not target:
        return (holder if not before else "td"), before, after
    kept = _attributes(target, attributes)
    return target, f"{before}<{target}{kept}>", f"</{target}>{after}"


def _fitted(holder: str, target: str, local: str) -> tuple[str, str, str]:
    """What must stand around a tag so that ``holder`` may hold it, and the tag itself (empty: only its text stays)."""
    if holder == "table" and local == "caption":
        return "", "", "caption"
    if target in _CHILDREN.get(holder, ()):
        return "", "", target
    if target in _CELLS and "tr" in _CHILDREN.get(holder, ()):
        return "<tr>", "</tr>", target
    if target in _STRUCTURAL:  # rows without a table, items without a list
        target = "span" if holder in _INLINE else "div"
    elif target == "div" and holder in _INLINE:
        target = "span"
    before, after = _NO_WORDS.get(holder, ("", "")) if target else ("", "")
    return before, after, target


def _attributes(target: str, text: str) -> str:
    kept = ""
    for name, value in _ATTRIBUTE.findall(text):
        if name == "ID" and _NCNAME.match(value):
            kept += f' id="{value}"'
        elif name in ("colspan", "rowspan") and target in _CELLS and value.isdigit():
            kept += f' {name}="{value}"'
        elif name == "href" and target == "a" and _LINK.match(value):
            kept += f' href="{value}"'
    return kept
