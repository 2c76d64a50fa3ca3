"""Bytes of a CDA document to an lxml tree, safely: no DOCTYPE, no entity, no network, no bomb, encodings honoured.

A DOCTYPE is refused before the parser sees it (entities in attribute values are expanded by libxml2 whatever its
options say); depth, names and text lengths keep libxml2's own limits (``huge_tree=False``).
Fragments are mended where only their surroundings are missing: undeclared prefixes, several roots.
A plain UTF-8 document, the common case, goes to libxml2 as it is; all else is decoded and looked at more closely.
"""

from __future__ import annotations

import codecs
import re
import threading

from lxml import etree

from fhir_mapping.document import RecordError

_DECLARED = re.compile(rb"^\s*<\?xml\b[^>]*?encoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._:-]*)[\"'][^>]*\?>", re.S)
_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]*\?>", re.S)
# What may stand before the root element; whatever else starts with "<!" there is a DOCTYPE.
_PROLOG = re.compile(r"(?:\s+|<\?(?:[^?]|\?(?!>))*\?>|<!--(?:[^-]|-(?!->))*-->)*", re.S)
_PLAIN = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<\?xml(?:\s++version\s*+=\s*+[\"'][0-9.]++[\"'])?"
    rb"(?:\s++encoding\s*+=\s*+[\"'](?i:utf-?8)[\"'])?(?:\s++standalone\s*+=\s*+[\"'](?:yes|no)[\"'])?\s*+\?>\s*+)?"
    rb"(?P<body>(?:\s++|<\?(?!xml[\s?])(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->)*+<[A-Za-z_])"
)
"""How a document of UTF-8 without a DOCTYPE begins; ``body`` is what the parser gets."""
_ELEMENT_FIRST = re.compile(rb"(?:\s+|<\?(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->|<fragment>)*+<[A-Za-z]")
_GB = {"gb18030", "gbk", "gb2312", "cp936", "hz"}
_ALLOWED = _GB | {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "big5", "cp950", "latin-1", "iso8859-1"}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UNESCAPED = re.compile(r"&(?!(?:#[0-9]+|#x[0-9A-Fa-f]+|[^\W\d][\w.:-]*);)|<(?=[\s\d.=-])")
"""Marks of a text that its program did not escape: what follows cannot be an entity or a tag."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CHINESE = re.compile(rb"realmCode[^>]{0,40}[\"']CN[\"']|2\.16\.156\.10011|languageCode[^>]{0,40}[\"']zh")
_local = threading.local()


def parse_document(data: bytes, *, is_utf8: bool = False) -> etree._Element:
    """The root element of a document, section or entry; comments and processing instructions are left out.

    Args:
        is_utf8: the bytes are known to be valid UTF-8, and need not be looked through for that.

    Raises:
        RecordError: ``unsafe_xml`` (DOCTYPE, entities, nesting or sizes beyond libxml2's limits), ``bad_encoding``,
            ``bad_xml`` (not well-formed) or ``not_a_clinical_document`` (no XML at all).
    """
    root = _parse_plain(data) if is_utf8 or _is_utf8(data) else None
    return _parse_closely(data) if root is None else root


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _parse_plain(data: bytes) -> etree._Element | None:
    """The root of valid UTF-8 that claims nothing else, if it is well-formed; None: look at it more closely."""
    start = _PLAIN.match(data)
    if start is None:
        return None
    if not hasattr(_local, "parser"):
        _local.parser = _parser()
    try:
        root = etree.fromstring(data[start.start("body") :], _local.parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return _checked(root)


def _parse_closely(data: bytes) -> etree._Element:
    # Control characters, and the zeros that fill up a record, stand for nothing and may not be in XML.
    text = _CONTROL.sub("", _decode(data))
    prolog = _PROLOG.match(text)
    rest = text[prolog.end() if prolog else 0 :]
    if rest.startswith("<!--"):
        raise RecordError("bad_xml", "/")
    if rest.startswith("<!"):
        raise RecordError("unsafe_xml", "/")
    if not rest.startswith("<"):
        raise RecordError("not_a_clinical_document", "/")
    body = _DECLARATION.sub("", text, count=1).lstrip()
    try:
        return _parse(body.encode("utf-8", "surrogatepass"))
    except RecordError:
        if "<![CDATA[" in body or not _UNESCAPED.search(body):
            raise
    escaped = _UNESCAPED.sub(lambda match: "&amp;" if match[0] == "&" else "&lt;", body)
    return _parse(escaped.encode("utf-8", "surrogatepass"))


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise RecordError("bad_encoding", "/")
    for mark, name in _BOMS:
        if data.startswith(mark):
            return _text(data[len(mark) :], name)
    if data[:4] in (b"<\0?\0", b"<\0C\0"):
        return _text(data, "utf-16-le")
    if data[:4] in (b"\0<\0?", b"\0<\0C"):
        return _text(data, "utf-16-be")
    declared = _DECLARED.match(data[:400])
    name = _encoding(declared.group(1).decode("ascii")) if declared else "utf-8"
    if name == "utf-8":
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            # Chinese exports often declare UTF-8 (or nothing) and are GB18030; other encodings cannot be told apart.
            if not _CHINESE.search(data):
                raise RecordError("bad_encoding", "/") from None
            name = "gb18030"
    elif name == "gb18030" and _is_wide_utf8(data):
        name = "utf-8"
    return _text(data, name)


def _is_wide_utf8(data: bytes) -> bool:
    """Whether bytes said to be GB18030 were brought to UTF-8 since: valid, with characters of three bytes or more."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not text.isascii() and max(text) >= "\u0800"


def _encoding(declared: str) -> str:
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        raise RecordError("bad_encoding", "/") from None
    if name in _GB:
        return "gb18030"
    if name not in _ALLOWED and not name.startswith(("iso8859", "cp125", "utf-16")):
        raise RecordError("bad_encoding", "/")
    return "utf-8" if name.startswith("utf-16") else name  # no mark and no zero bytes: it cannot be UTF-16


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError):
        raise RecordError("bad_encoding", "/") from None


def _parser(recover: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
        recover=recover,
        collect_ids=False,
        encoding="utf-8",
    )


def _parse(data: bytes) -> etree._Element:
    attempts = [data, b"<fragment>" + data + b"</fragment>"]
    for attempt in attempts:
        parser = _parser()
        try:
            return _checked(etree.fromstring(attempt, parser))
        except etree.XMLSyntaxError:
            # The parser's own log: the exception's is shared by all parsers of the process.
            codes = {entry.type_name for entry in parser.error_log}
            if "ERR_DOCUMENT_END" in codes and attempt is data:
                continue
            return _mended(attempt, codes)
        except ValueError:
            raise RecordError("bad_xml", "/") from None
    raise RecordError("bad_xml", "/")


def _mended(data: bytes, codes: set[str]) -> etree._Element:
    """A tree whose only faults are prefixes that nobody declared, as in examples cut out of a document."""
    if any("ENTITY" in code or "DTD" in code or "LOOP" in code for code in codes):
        raise RecordError("unsafe_xml", "/")
    if any(code in ("ERR_INTERNAL_ERROR", "ERR_NAME_TOO_LONG", "ERR_RESOURCE_LIMIT") for code in codes):
        raise RecordError("unsafe_xml", "/")
    if codes - {"NS_ERR_UNDEFINED_NAMESPACE"}:
        if not _ELEMENT_FIRST.match(data):
            raise RecordError("not_a_clinical_document", "/")
        raise RecordError("bad_xml", "/")
    root = etree.fromstring(data, _parser(recover=True))
    if root is None:
        raise RecordError("bad_xml", "/")
    return _checked(root)


def _checked(root: etree._Element) -> etree._Element:
    if root.getroottree().docinfo.internalDTD is not None:
        raise RecordError("unsafe_xml", "/")
    return root
