"""ED and RP: attachments that a message carries or points at."""

from __future__ import annotations

import base64
import binascii
import re

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.identifiers import cleaned

_TYPES = {
    "PDF": "application/pdf",
    "HTML": "text/html",
    "HTM": "text/html",
    "RTF": "application/rtf",
    "XML": "application/xml",
    "JPEG": "image/jpeg",
    "JPG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
    "DICOM": "application/dicom",
    "TEXT": "text/plain",
    "TXT": "text/plain",
    "PLAIN": "text/plain",
    "SGML": "text/sgml",
    "OCTET-STREAM": "application/octet-stream",
    "X-HL7-CDA-LEVEL-ONE": "application/xml",
}
_MAIN = frozenset({"application", "audio", "image", "text", "video", "multipart", "model"})


def content_type(main: str | None, subtype: str | None) -> str | None:
    """A MIME type from ED.2 (``image``, ``AP``) and ED.3 (``JPEG``); None when they are none."""
    for text in (subtype, main):
        if text and "/" in text and re.fullmatch(r"[\w.+-]+/[\w.+-]+", text):
            return text.lower()
    for text in (subtype, main):
        if text and (known := _TYPES.get(text.upper())):
            return known
    kind = (main or "").lower()
    if kind in _MAIN and subtype and re.fullmatch(r"[\w.+-]+", subtype):
        return f"{kind}/{subtype.lower()}"
    return {"text": "text/plain", "ft": "text/plain", "tx": "text/plain"}.get(kind)


def encapsulated(context: Context, raw: str) -> Fragment | None:
    """ED as an Attachment: Base64 and hexadecimal data are kept as data, text becomes it."""
    parts = context.split(raw)
    # Some senders put the data straight into component 5 of four-part values, others leave the encoding out.
    encoding = (context.at(parts, 4) or "").upper()
    body = context.raw_at(parts, 5)
    data = _data(context, encoding, body)
    if data is None:
        if body:
            context.problem("bad_attachment")
        return None
    return cleaned({"contentType": content_type(context.at(parts, 2), context.at(parts, 3)), "data": data})


def _data(context: Context, encoding: str, body: str) -> str | None:
    if not body:
        return None
    try:
        if encoding == "HEX":
            return base64.b64encode(bytes.fromhex("".join(body.split()))).decode()
        if encoding == "BASE64":
            text = re.sub(r"\\\.br\\|\s", "", body)
            base64.b64decode(text, validate=True)
            return text
    except (ValueError, binascii.Error):
        return None
    return base64.b64encode((context.text(body) or "").encode()).decode()


def pointer(context: Context, raw: str) -> Fragment | None:
    """RP as an Attachment that is elsewhere: its URL, or what names it as title."""
    parts = context.split(raw)
    name = context.at(parts, 1)
    if name is None:
        return None
    type_ = content_type(context.at(parts, 3), context.at(parts, 4))
    is_url = re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+", name) is not None
    return cleaned({"contentType": type_, "url" if is_url else "title": name})
