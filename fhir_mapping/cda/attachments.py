"""An ED as the Attachment that it is: embedded bytes, a link, words."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from fhir_mapping.cda.context import Context
from fhir_mapping.cda.element import Element, child, squeeze


def content_of(text: Element | None, ctx: Context) -> dict[str, Any]:
    """An Attachment of an ED: embedded bytes, a link, or its words as plain text."""
    if text is None:
        return {}
    media = squeeze(text.get("mediaType"))
    if text.get("representation") == "B64":
        data = "".join("".join(str(part) for part in text.itertext()).split())
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            ctx.problem("bad_base64", text)
            return {}
        if not raw:
            return {}
        return {"contentType": media or "application/octet-stream", "data": data, "size": len(raw)}
    words = ctx.words(text)
    if words:
        return {"contentType": "text/plain", "data": base64.b64encode(words.encode("utf-8", "replace")).decode()}
    pointer = child(text, "reference")
    url = squeeze(pointer.get("value")) if pointer is not None else ""
    if url and " " not in url and not url.startswith("#"):
        return {**({"contentType": media} if media else {}), "url": url}
    return {}
