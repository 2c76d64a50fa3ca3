"""CD, CE, CV, CS and II to FHIR CodeableConcept, Coding and Identifier; code systems by OID.

A code that HL7 never defined in one of its own systems keeps the OID as its system: a URI would claim a code that is
not there. Displays of HL7's own codes stay out of the Coding where they are not the published one, in ``text`` then.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from fhir_mapping.cda.data_tables import column, rows
from fhir_mapping.cda.element import Element, all_text, child, children, squeeze

if TYPE_CHECKING:
    from fhir_mapping.cda.context import Context

_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_NO_CODES = frozenset({"UNK", "ASKU", "NASK", "NAV"})
_FLAVORS = _NO_CODES | {"NI", "NA", "OTH", "NULL"}
_TERMINOLOGIES = frozenset({
    "http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/sid/ndc", "http://hl7.org/fhir/sid/cvx", "http://www.ama-assn.org/go/cpt",
    "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-9-cm",
    "http://www.cms.gov/Medicare/Coding/ICD10", "http://nucc.org/provider-taxonomy", "http://fdasis.nlm.nih.gov",
})  # fmt: skip
"""Code systems in which none of these words is a code."""
_SNOMED = ("http://snomed.info/sct", re.compile(r"[1-9]\d{5,17}", re.ASCII))
_NAMED_SYSTEMS = {
    "LOINC": ("http://loinc.org", re.compile(r"\d{1,7}-\d", re.ASCII)),
    "SNOMEDCT": _SNOMED,
    "SNOMED-CT": _SNOMED,
    "SNOMED": _SNOMED,
}
_CHINESE_NUMBERS = "2.16.156.10011.1."
ABSENT_URL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ABSENT_CODES = {
    "ASKU": "asked-unknown",
    "NAV": "temp-unknown",
    "NASK": "not-asked",
    "MSK": "masked",
    "NA": "not-applicable",
    "NINF": "negative-infinity",
    "PINF": "positive-infinity",
}


@cache
def _closed_systems() -> dict[str, frozenset[str]]:
    return {row["uri"]: frozenset(row["codes"].split()) for row in rows("hl7_codes")}


@cache
def system_uri(oid: str) -> str | None:
    """The FHIR URI of a code system or identifier namespace given by OID (or UUID, or URI); None for rubbish."""
    oid = oid.removeprefix("urn:oid:")
    known = column("code_systems", "oid", "uri").get(oid)
    if known:
        return known
    if _OID.match(oid) and oid.rfind(".") >= 5:  # shorter ones are nobody's and validators refuse them
        return f"urn:oid:{oid}"
    if _UUID.match(oid):
        return f"urn:uuid:{oid.lower()}"
    return oid if re.match(r"(https?://|urn:)[^\s]+$", oid) else None


def coding(element: Element) -> dict[str, str]:
    """A Coding from ``code``, ``codeSystem`` and ``displayName``; empty without a code.

    A nullFlavor written as the code of no code system, or of one that does not have it, is no code.
    """
    get = element.get
    code = get("code")
    if not code or (code in _FLAVORS and not _has_code(get("codeSystem") or "", code)):
        return {}
    others = (get(name) or "" for name in ("codeSystem", "displayName", "codeSystemVersion", "codeSystemName"))
    return dict(_coding(code, *others))


def _named_system(name: str, code: str) -> str | None:
    """The system that the name beside a wrong OID means, where the code has that system's form."""
    uri, form = _NAMED_SYSTEMS.get("".join(name.split()).upper(), ("", None))
    return uri if form is not None and form.fullmatch(code) else None


def _has_code(oid: str, code: str) -> bool:
    system = system_uri(oid.strip()) if oid else None
    codes = _closed_systems().get(system or "")
    if codes is not None:
        return code in codes
    return system not in _TERMINOLOGIES if system else code not in _NO_CODES


@lru_cache(maxsize=8192)
def _coding(code: str, oid: str, display: str, version: str, name: str) -> tuple[tuple[str, str], ...]:
    code, display, oid = squeeze(code), squeeze(display), oid.strip()
    if not code:
        return ()
    system = system_uri(oid) if oid else None
    codes = _closed_systems().get(system) if system is not None else None
    if codes is not None:
        if code not in codes:
            system = _named_system(name, code) or f"urn:oid:{oid}"
        else:
            display = ""
    known = system is not None and system.startswith("urn:oid:")
    parts = (
        ("system", system or ""),
        ("version", squeeze(version) if known else ""),
        ("code", code),
        ("display", display),
    )
    return tuple((name, value) for name, value in parts if value)


def concept(element: Element | None, context: Context | None = None) -> dict[str, Any]:
    """A CodeableConcept of the code, its translations and its original text; empty where none is given."""
    if element is None:
        return {}
    if len(element) == 0 and (one := coding(element)):  # most codes: no translation, no original text
        return _plain(element, one)
    codings: list[dict[str, str]] = []
    for part in (element, *children(element, "translation")):
        one = coding(part)
        if one and one not in codings:
            codings.append(one)
    text = _original_text(element, context) or (squeeze(element.text) if codings else "")
    display = squeeze(element.get("displayName"))
    if not text and display and not (codings and any(one.get("display") for one in codings)):
        text = display
    if not text and (details := _qualified(element)):
        text = f"{display or next((one.get('display', '') for one in codings), '')} ({details})".strip()
    if not text and not codings:
        # A dialect writes the words as the element's own text.
        text = squeeze(element.text) or next(
            (squeeze(part.get("displayName")) for part in children(element, "translation")), ""
        )
    found: dict[str, Any] = {}
    if codings:
        found["coding"] = codings
    if text:
        found["text"] = text
    return found


def _qualified(element: Element) -> str:
    """The qualifiers of a code in words: ``Laterality: Left``."""
    told = []
    for part in children(element, "qualifier"):
        name, value = child(part, "name"), child(part, "value")
        words = squeeze(value.get("displayName")) if value is not None else ""
        if words:
            label = squeeze(name.get("displayName")) if name is not None else ""
            told.append(f"{label}: {words}" if label else words)
    return ", ".join(told)


def named(code: dict[str, Any], name: str) -> dict[str, Any]:
    """A code with the name that its holder has besides: its text, or one more name where it has another text."""
    told = {code.get("text", "").casefold(), *(one.get("display", "").casefold() for one in code.get("coding", ()))}
    if not name or name.casefold() in told:
        return code
    if "text" not in code or not any("system" in one for one in code.get("coding", ())):
        return {**code, "text": name}
    return {**code, "coding": [*code["coding"], {"display": name}]}


def _plain(element: Element, one: dict[str, str]) -> dict[str, Any]:
    text = squeeze(element.text) or ("" if "display" in one else squeeze(element.get("displayName")))
    return {"coding": [one], "text": text} if text and text != one.get("display") else {"coding": [one]}


def _original_text(element: Element, context: Context | None) -> str:
    original = child(element, "originalText")
    if original is None:
        return ""
    return context.words(original) if context is not None else all_text(original)


def absent(element: Element | None = None) -> dict[str, Any]:
    """The data-absent-reason extension, alone in an element that FHIR requires and the source left out."""
    flavor = element.get("nullFlavor") if element is not None else None
    return {"extension": [{"url": ABSENT_URL, "valueCode": ABSENT_CODES.get(flavor or "", "unknown")}]}


def absent_reason(flavor: str | None) -> dict[str, Any]:
    """``Observation.dataAbsentReason`` for a nullFlavor."""
    code = ABSENT_CODES.get(flavor or "", "unknown")
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": code}]}


def identifier(element: Element) -> dict[str, Any]:
    """An Identifier from II: extension in the root's namespace, or the root itself as a URN; empty for neither."""
    if element.get("nullFlavor") and not element.get("extension"):
        return {}
    # The root of a known namespace alone, with a number left out, names nobody.
    root, extension = (element.get("root") or "").strip(), squeeze(element.get("extension"))
    assigner = squeeze(element.get("assigningAuthorityName"))
    found: dict[str, Any] = {}
    if extension:
        system = identifier_system(root) if root else None
        found = {"system": system, "value": extension} if system else {"value": extension}
    elif root and not _is_namespace(root):
        if _OID.match(root):
            found = {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{root}"}
        elif _UUID.match(root):
            found = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{root.lower()}"}
        else:
            found = {"value": squeeze(root)}
    if found and assigner:
        found["assigner"] = {"display": assigner}
    return found


@cache
def _is_namespace(root: str) -> bool:
    return root.startswith(_CHINESE_NUMBERS) or root in column("identifier_systems", "oid", "uri")


@cache
def identifier_system(root: str) -> str | None:
    """The URI of an identifier's namespace."""
    known = column("identifier_systems", "oid", "uri").get(root)
    return known or system_uri(root)


def identifiers(elements: list[Element]) -> list[dict[str, Any]]:
    """The identifiers of II elements, each once."""
    found: list[dict[str, Any]] = []
    for element in elements:
        one = identifier(element)
        if one and one not in found:
            found.append(one)
    return found
