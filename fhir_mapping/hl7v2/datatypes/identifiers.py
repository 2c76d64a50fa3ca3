"""CX, EI, EIP, HD, ST and their like as Identifiers, and assigning authorities as Organizations."""

from __future__ import annotations

import re
from uuid import UUID

from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.codes import LOCAL, PLACEHOLDERS, V2_TABLES, code_text, system_uri, urn
from fhir_mapping.hl7v2.datatypes.moments import moment

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_CARD = re.compile(r"[1-9]\d{16}[0-9Xx]|[1-9]\d{14}")
_NO_SYSTEM = frozenset({"ISO", "OID", "UUID", "GUID", "URI", "URL", "L", "M", "N", "RANDOM"})
"""Types of a universal id that promise a form, or say that the name is known to the sender only: no system."""
_NATIONAL_TYPE = re.compile(r"NN[A-Z]{3}")
CHINESE_CARD = "urn:oid:2.16.156.10011.1.3"
"""居民身份证号码, as the shared documents of WS/T 500 identify it."""
NATIONAL = "National unique individual identifier"
FACILITY = "urn:cloister:fhir-extension:assigning-facility"
_CARD_TYPES = frozenset({"IDC", "NNCHN", "SFZ", "身份证", "居民身份证", "IDENTITYCARD", "IDCARD", "NI"})


def universal(name: str | None, kind: str | None) -> str | None:
    """A universal id (HD.2 with its type) as a URI; None when it is none."""
    if not name:
        return None
    if _OID.fullmatch(name):
        # FHIR's own check refuses the short ones that test systems use.
        is_said = kind in ("ISO", "OID") or (kind is None and name.count(".") > 4)
        return f"urn:oid:{name}" if is_said and name.count(".") > 2 else None
    if kind in ("UUID", "GUID"):
        try:
            return f"urn:uuid:{UUID(name)}"
        except ValueError:
            return None
    if _URI.fullmatch(name) and (kind in ("URI", "URL", None) or name.startswith("urn:")):
        return name
    return None


def system_of(context: Context, parts: list[str]) -> str | None:
    """The system of identifiers that an authority (HD's components) gives out."""
    namespace, uri = _named(context, parts)
    known = context.tables.systems
    if uri:
        return known.get(uri.removeprefix("urn:oid:"), uri)
    own = (namespace or context.at(parts, 2) or "").strip()
    if own.upper() == "NPI":
        return known.get("NPI")
    return urn(own) if own and own.upper() not in LOCAL else None


def _named(context: Context, parts: list[str]) -> tuple[str | None, str | None]:
    """Namespace and universal id of an HD; an OID in the namespace's place is the universal id."""
    namespace, name, kind = (context.at(parts, number) for number in (1, 2, 3))
    uri, other = universal(name, kind), oid_of(namespace)
    if uri is None and other:
        return (None if name in _NO_SYSTEM else name), other
    return (None if other else namespace), uri


def oid_of(text: str | None) -> str | None:
    """The URN of an OID that stands where a name is expected; None for a name."""
    return universal(text, None) if text and _OID.fullmatch(text) else None


def authority(context: Context, raw: str) -> Fragment | None:
    """HD as an Organization: the namespace is its name, the universal id an identifier."""
    parts = context.parts(raw)
    namespace, uri = _named(context, parts)
    name = context.at(parts, 2)
    if not namespace and not name and not uri:
        return None
    found: Fragment = {"resourceType": "Organization"}
    if uri:
        found["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": uri}]
    elif name:
        found["identifier"] = [_plain(name, context.at(parts, 3))]
    if namespace or not uri:
        found["name"] = namespace or name
    return found


def _plain(name: str, kind: str | None) -> Fragment:
    return {"system": urn(kind), "value": name} if kind and kind.upper() not in _NO_SYSTEM else {"value": name}


def is_number(text: str) -> bool:
    """Whether an identifier's text is one: not zeros only, and no word for unknown."""
    return bool(text.strip("0")) and text.upper() not in PLACEHOLDERS


def _number(context: Context, parts: list[str]) -> str | None:
    """The number of an identifier, its first component; None for zeros, ``null`` and the like."""
    value = context.at(parts, 1)
    return value if value and is_number(value) else None


def type_concept(context: Context, code: str | None) -> Fragment | None:
    """Table 0203 with its display; a code that is not of the table stands alone."""
    code = code_text(code)
    if code is None:
        return None
    known = context.code("IdentifierType", code)
    if known and known.code:
        return {"coding": [{"system": known.system, "code": known.code, "display": known.display}]}
    if _NATIONAL_TYPE.fullmatch(code) and (national := context.code("IdentifierType", "NNxxx")):
        # The table has one code for all countries, and says how each is written.
        return {"coding": [{"system": national.system, "code": national.code}], "text": code}
    return {"coding": [{"code": code}]}


def extended(context: Context, raw: str) -> Fragment | None:
    """CX as an Identifier: value, system, type, assigner and period."""
    parts = context.split(raw)
    value = _number(context, parts)
    if value is None:
        return None
    # An assigning authority without its components' separator is cut by the type's own.
    owner = context.subsplit(context.raw_at(parts, 4))
    found: Fragment = {"type": type_concept(context, context.at(parts, 5)), "system": system_of(context, owner)}
    found["value"] = value
    found["period"] = {"start": _moment(context, parts, 7), "end": _moment(context, parts, 8)}
    if any(owner):
        found["assigner"] = authority(context, context.raw_at(parts, 4))
    _add_check_digit(context, parts, found)
    facility = context.raw_at(parts, 6)
    if facility:
        _add_facility(context, facility, found)
    _know_card(context, parts, found)
    return cleaned(found)


def _add_check_digit(context: Context, parts: list[str], found: Fragment) -> None:
    digit = context.at(parts, 2)
    if digit:
        url = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
        found["extension"] = [{"url": url, "valueString": digit}]


def _add_facility(context: Context, raw: str, found: Fragment) -> None:
    """The facility that gave the number: the assigner when no authority is named, else an Organization beside it."""
    facility = authority(context, raw)
    if facility and "assigner" not in found:
        found["assigner"] = facility
    elif facility and facility != found["assigner"]:
        found.setdefault("extension", []).append({"url": FACILITY, "valueReference": facility})


def _know_card(context: Context, parts: list[str], found: Fragment) -> None:
    """A Chinese identity card: said by the type, or shown by 18 digits of the right form with type NI or none."""
    said = (context.at(parts, 5) or "").upper()
    if said in _CARD_TYPES and _CARD.fullmatch(found["value"]):
        found["type"] = {"coding": [{"system": f"{V2_TABLES}0203", "code": "NI", "display": NATIONAL}]}
        found["system"] = CHINESE_CARD


def _moment(context: Context, parts: list[str], number: int) -> str | None:
    raw = context.raw_at(parts, number)
    return moment(context, raw) if raw else None


def cleaned(found: Fragment) -> Fragment:
    """Without empty members."""
    return {
        key: value
        for key, value in found.items()
        if value is not None and not (isinstance(value, dict) and not any(v is not None for v in value.values()))
    }


def entity(context: Context, raw: str) -> Fragment | None:
    """EI as an Identifier; of an EIP (``placer^filler``) the caller hands over one half."""
    parts = context.parts(raw)
    value = _number(context, parts)
    if value is None:
        return None
    return cleaned({"system": system_of(context, parts[1:4]), "value": value})


def placer(context: Context, raw: str) -> Fragment | None:
    """The placer's half of an EIP."""
    return _half(context, raw, 1, "PLAC")


def filler(context: Context, raw: str) -> Fragment | None:
    """The filler's half of an EIP."""
    return _half(context, raw, 2, "FILL")


def _half(context: Context, raw: str, number: int, kind: str) -> Fragment | None:
    half = context.raw_at(context.split(raw), number)
    parts = context.subsplit(half)
    value = context.at(parts, 1)
    if value is None:
        return None
    type_ = {"coding": [{"system": f"{V2_TABLES}0203", "code": kind, "display": f"{kind.title()}er Identifier"}]}
    type_["coding"][0]["display"] = "Placer Identifier" if kind == "PLAC" else "Filler Identifier"
    return cleaned({"type": type_, "system": system_of(context, parts[1:4]), "value": value})


def named(context: Context, raw: str) -> Fragment | None:
    """HD as an Identifier."""
    parts = context.parts(raw)
    uri = universal(context.at(parts, 2), context.at(parts, 3))
    value = context.at(parts, 1) or context.at(parts, 2)
    if value is None:
        return None
    return cleaned({"system": uri if uri and context.at(parts, 1) else None, "value": value})


def coded(context: Context, raw: str) -> Fragment | None:
    """CWE as an Identifier: the code is the value."""
    parts = context.parts(raw)
    value = context.at(parts, 1) or context.at(parts, 2)
    system = context.at(parts, 3)
    return cleaned({"system": system_uri(context, system) if system else None, "value": value}) if value else None


def simple(context: Context, raw: str) -> Fragment | None:
    """ST as an Identifier."""
    value = _number(context, context.split(raw))
    return {"value": value} if value else None


def licence(context: Context, raw: str) -> Fragment | None:
    """DLN (driver's licence) as an Identifier: number, issuer, end."""
    parts = context.split(raw)
    value = context.at(parts, 1)
    if value is None:
        return None
    issuer = context.at(context.subsplit(context.raw_at(parts, 2)), 1)
    return cleaned(
        {
            "type": type_concept(context, "DL"),
            "system": urn(issuer) if issuer else None,
            "value": value,
            "period": {"end": _moment(context, parts, 3)},
        }
    )


def professional(context: Context, raw: str) -> Fragment | None:
    """PLN (practitioner's licence or other id) as an Identifier."""
    parts = context.split(raw)
    value = context.at(parts, 1)
    if value is None:
        return None
    state = context.at(parts, 3)
    return cleaned(
        {
            "type": type_concept(context, context.at(parts, 2)),
            "system": urn(state) if state else None,
            "value": value,
            "period": {"end": _moment(context, parts, 4)},
        }
    )
