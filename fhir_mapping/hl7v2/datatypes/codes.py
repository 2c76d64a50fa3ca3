"""CWE, CE, CNE, CF, ID, IS and ST as codes, Codings and CodeableConcepts.

A code map's coding stands first; the sender's own coding stays beside it when it says something else. A code that no
map knows keeps its own coding, and is counted as ``unmapped_code:<map>``.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from fhir_mapping.hl7v2.context import Context, Fragment

_TABLE = re.compile(r"(?:HL7?|V2-?)?0*(\d{1,4})", re.IGNORECASE)
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
PLACEHOLDERS = frozenset({"UNKNOWN", "UNK", "NONE", "N/A", "NULL", "NIL", "不详", "未知"})
"""What senders write, in capitals, where a name, number or telephone is not known."""
LOCAL = frozenset({"L", "LOCAL"})
_SNOMED = "http://snomed.info/sct"
_CHINESE = re.compile(r"[\u3400-\u9fff]")
V2_TABLES = "http://terminology.hl7.org/CodeSystem/v2-"


def system_uri(context: Context, name: str) -> str | None:
    """The URI of a code system named in CWE.3; a name that nobody registered becomes ``urn:id:NAME``, ``L`` nothing."""
    if known := context.tables.systems.get(name.upper()):
        return known
    if name.upper().startswith("HL7") and (table := _TABLE.fullmatch(name)):
        return f"{V2_TABLES}{int(table[1]):04d}"
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if _URI.fullmatch(name):
        return name
    return None if name.upper() in LOCAL else urn(name)


def urn(name: str) -> str:
    """A URI for a name that is unique only where it was given."""
    return "urn:id:" + quote(name, safe="-._~")


def code_text(text: str | None) -> str | None:
    """Text as a FHIR code: no white space around it, single blanks inside; None for none."""
    return " ".join(text.split()) if text else None


def coding(context: Context, parts: list[str], start: int, version: int) -> Fragment | None:
    """The triplet of components that begins at ``start``."""
    code = code_text(context.at(parts, start))
    display = context.at(parts, start + 1)
    if code is None:
        return None
    found: Fragment = {"code": code}
    if display:
        found["display"] = display
    oid = context.at(parts, {1: 14, 4: 17, 10: 20}[start])
    name = context.at(parts, start + 2)
    system = system_uri(context, name) if name else None
    if oid and _OID.fullmatch(oid) and (system is None or system.startswith("urn:id:")):
        system = system_uri(context, oid)
    if system == _SNOMED and not code.isdigit():
        # A code of the older SNOMED (``T-04020``), which the same names stand for.
        system = urn(name or "SNM")
    if system:
        found["system"] = system
    if said := context.at(parts, version):
        found["version"] = said
    return found


def mapped(context: Context, codes: str, code: str) -> Fragment | None:
    """The coding a code map gives; a problem when it does not know the code."""
    if codes not in context.tables.codes:
        return None
    found = context.code(codes, code)
    if found is None or found.code is None:
        if found is None:
            context.problem(f"unmapped_code:{codes}")
        return None
    return {"system": found.system, "code": found.code, "display": found.display}


def concept(context: Context, raw: str, codes: str = "") -> Fragment | None:
    """A CodeableConcept from up to three triplets and the original text (component 9)."""
    parts = context.parts(raw)
    first = coding(context, parts, 1, 7)
    own = [found for found in (first, coding(context, parts, 4, 8), coding(context, parts, 10, 13)) if found]
    text = context.at(parts, 9) or (context.at(parts, 2) if first is None else None)
    if first is None and not text:
        text = context.at(parts, 5)
    if first and codes and (standard := mapped(context, codes, first["code"])):
        own = _beside(standard, own)
        if not text and first.get("display") and first not in own and first["display"] != standard["display"]:
            text = first["display"]
    if first and first.keys() == {"code"} and _CHINESE.search(first["code"]):
        # Words where a code belongs, as Chinese senders write them.
        text = text or first["code"]
        own = [one for one in own if one is not first]
    found: Fragment = {}
    if own:
        found["coding"] = own
    if text:
        found["text"] = text
    return found or None


def _beside(standard: Fragment, own: list[Fragment]) -> list[Fragment]:
    """The standard coding, then the sender's own ones that are not the same code or a code of the table mapped from."""
    rest = [c for c in own[1:] if (c.get("system"), c["code"]) != (standard["system"], standard["code"])]
    first = own[0]
    system = first.get("system", "")
    is_local = bool(system) and not system.startswith(V2_TABLES) and system != standard["system"]
    return [standard, first, *rest] if is_local else [standard, *rest]


def single_coding(context: Context, raw: str, codes: str = "") -> Fragment | None:
    """A Coding: the code map's, else the sender's own."""
    parts = context.parts(raw)
    first = coding(context, parts, 1, 7)
    if first is None:
        display = context.at(parts, 2)
        return {"display": display} if display else None
    standard = mapped(context, codes, first["code"]) if codes else None
    return standard or first


def plain_code(context: Context, raw: str, codes: str = "") -> str | None:
    """A FHIR code: by the code map, or as it is written when the line names none."""
    code = code_text(context.at(context.parts(raw), 1))
    if code is None:
        return None
    if not codes:
        return code
    standard = mapped(context, codes, code)
    return standard["code"] if standard else None


def boolean(context: Context, raw: str) -> bool | None:
    """Y/N of table 0136, and how others write it; else a ``bad_code`` problem."""
    text = (context.at(context.parts(raw), 1) or "").upper()
    if text in ("Y", "YES", "TRUE", "T", "1", "是"):
        return True
    if text in ("N", "NO", "FALSE", "F", "0", "否"):
        return False
    if text:
        context.problem("bad_code:boolean")
    return None
