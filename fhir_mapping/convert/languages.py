"""Language tags (BCP 47): written the way the standard asks, or not at all."""

from __future__ import annotations

import re

from fhir_mapping.convert.definitions.reader import languages

LANGUAGE_SYSTEM = "urn:ietf:bcp:47"
LANGUAGES = frozenset(("all-languages", "languages"))
"""Names of the value sets of languages."""

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?")


def sober_language(text: str, *, with_script: bool = True) -> str | None:
    """A language tag as BCP 47 writes it; None when it is none.

    >>> sober_language("zho_CN"), sober_language("EN-us"), sober_language("chinese")
    ('zh-CN', 'en-US', None)
    """
    found = _TAG.fullmatch(text)
    if found is None:
        return None
    language = found[1].lower()
    language = languages().get(language, language if len(language) == 3 else "")
    parts = (language, found[2].title() if found[2] and with_script else None, found[3] and found[3].upper())
    return "-".join(part for part in parts if part) if language else None
