"""Chinese codings: ICD-10 whatever OID it stands under, editions by what the document says of them."""

from __future__ import annotations

import re
from typing import Any

from fhir_mapping.cda.coded import coding
from fhir_mapping.cda.element import Element
from fhir_mapping.terminology.editions import diagnosis_edition, procedure_edition

_ICD10 = re.compile(r"[A-TV-Z]\d{2}(\.[0-9x]{1,3}([xX+*]?\d{0,3}([+*])?)?)?([+*†])?$")
_ICD9 = re.compile(r"\d{2}\.\d{1,4}([xX]\d{2,3})?$")
_ICD10_ROOT, _ICD9_ROOT = "2.16.156.10011.2.3.3.11", "2.16.156.10011.2.3.3.12"


def diagnosis_coding(element: Element) -> dict[str, str]:
    """The Coding of a diagnosis: ICD-10 known by its shape, its edition by codeSystemName or codeSystemVersion.

    OID suffixes (``.11.1`` to ``.11.5``) mean the same list; an ICD-10 code under the OID of TCM or of another table is
    ICD-10 still. Empty without a code.
    """
    found = coding(element)
    if not found:
        return {}
    code = found["code"]
    oid = (element.get("codeSystem") or "").strip()
    if _ICD10.match(code) or oid.startswith(_ICD10_ROOT):
        found["system"] = diagnosis_edition(_said(element)) or f"urn:oid:{_ICD10_ROOT}"
    return _ordered(found)


def procedure_coding(element: Element) -> dict[str, str]:
    """The Coding of a procedure: ICD-9-CM-3 by OID or shape."""
    found = coding(element)
    if not found:
        return {}
    oid = (element.get("codeSystem") or "").strip()
    if oid.startswith(_ICD9_ROOT) or (_ICD9.match(found["code"]) and oid.startswith("2.16.156.10011")):
        found["system"] = procedure_edition(_said(element)) or f"urn:oid:{_ICD9_ROOT}"
    return _ordered(found)


def _said(element: Element) -> str:
    return f"{element.get('codeSystemName') or ''} {element.get('codeSystemVersion') or ''}"


def _ordered(found: dict[str, str]) -> dict[str, str]:
    return {name: found[name] for name in ("system", "version", "code", "display") if name in found}


def with_name(one: dict[str, str], name: str) -> dict[str, Any]:
    """A CodeableConcept of a coding and a name; either may be empty."""
    found: dict[str, Any] = {}
    if one:
        found["coding"] = [one]
    words = name or one.get("display", "")
    if words:
        found["text"] = words
    return found
