"""NM, SN, NR, CQ and MO: decimals by their own text, with comparator and unit."""

from __future__ import annotations

import re
from functools import lru_cache

from contracts.fhir.json_text import DecimalText
from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.datatypes.codes import system_uri
from fhir_mapping.hl7v2.delimiters import is_power_of_ten
from fhir_mapping.terminology.ucum import ucum_code

_DECIMAL = re.compile(r"([+-]?)(\d*)(\.\d*)?(?:[eE]([+-]?\d{1,3}))?")
_COMPARED = re.compile(r"(<=|>=|<|>|≤|≥|＜|＞)?\s*(.+)", re.DOTALL)
_COMPARATORS = {"≤": "<=", "≥": ">=", "＜": "<", "＞": ">"}
UCUM = "http://unitsofmeasure.org"
_NULL_TABLE = "HL70353"
"""Why a coded value is missing: ``NA^not applicable^HL70353`` is no unit."""
_BRACKETS = re.compile(r"\[[^\]]*\]|\{[^}]*\}")
_WORD = re.compile(r"[A-Za-z]+")
_CAPITALS = frozenset({"L", "U", "V", "J", "N", "W"})
_MISREAD = frozenset({"pc", "u", "ar", "b"})
_TONNES = re.compile(r"(?:[YZEPTGMkhdcmunpfazy]|da)t")


def decimal(text: str | None) -> DecimalText | int | None:
    """A number without leading zeros and plus sign, its trailing zeros kept: ``065.88`` -> ``65.88``."""
    if text is None:
        return None
    if not text.isascii():
        text = "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in text)
    match = _DECIMAL.fullmatch(text.strip().replace(" ", ""))
    if match is None or not (match[2] or (match[3] or ".") != "."):
        return None
    sign = "-" if match[1] == "-" else ""
    whole, fraction = match[2].lstrip("0") or "0", (match[3] or "").rstrip(".")
    exponent = f"e{match[4]}" if match[4] else ""
    if not fraction and not exponent and len(whole) < 16:
        return int(sign + whole)
    return DecimalText(sign + whole + fraction + exponent)


def integer(text: str | None) -> int | None:
    """A whole number; ``2.0`` is one."""
    number = decimal(text)
    if isinstance(number, int):
        return number
    if number is None or "e" in number:
        return None
    whole, _, fraction = number.partition(".")
    return int(whole) if not fraction.strip("0") and len(whole) < 16 else None


def compared(text: str | None) -> Fragment | None:
    """``<0.5`` and ``12.0`` as value with comparator; None when there is no number."""
    match = _COMPARED.fullmatch((text or "").strip())
    number = decimal(match[2]) if match else None
    if match is None or number is None:
        return None
    comparator = _COMPARATORS.get(match[1] or "", match[1])
    return {"value": number, "comparator": comparator} if comparator else {"value": number}


def unit(context: Context, raw: str) -> Fragment:
    """A unit (CWE) as the unit part of a Quantity: a code stands only with its system.

    A unit of UCUM, and one that is known to mean a unit of it, has that system's code whatever system is named.
    """
    parts = context.parts(raw)
    code, shown, name = context.at(parts, 1), context.at(parts, 2), context.at(parts, 3)
    if name == _NULL_TABLE:
        return {}
    if code and shown and is_power_of_ten(code, shown):
        standard = ucum_code(f"10^{shown}") or ucum_code(f"10*{shown}")
        return {"unit": f"{code}^{shown}", **({"system": UCUM, "code": standard} if standard else {})}
    system = system_uri(context, name) if name else None
    alternate, alternate_system = context.at(parts, 4), context.at(parts, 6)
    is_known = system is not None and not system.startswith("urn:id:")
    says_ucum = bool(alternate_system) and system_uri(context, alternate_system or "") == UCUM
    if not is_known and says_ucum and (standard := ucum_code(alternate or "")):
        return {"unit": context.at(parts, 5) or shown or code or alternate, "system": UCUM, "code": standard}
    if code and system == UCUM:
        # A code that UCUM does not have would be refused under its name.
        standard = ucum_code(code)
        return {"unit": shown or code, **({"system": UCUM, "code": standard} if standard else {})}
    if code and not is_known and (standard := standard_unit(code)):
        return {"unit": shown or code, "system": UCUM, "code": standard}
    if code and system and not any(map(str.isspace, code)):
        return {"unit": shown or code, "system": system, "code": code}
    found = code or shown
    return {"unit": found} if found else {}


@lru_cache(maxsize=4096)
def standard_unit(text: str) -> str:
    """The UCUM code of a unit that is not said to be UCUM, or empty.

    ``EA`` (each), ``ft`` and ``pc`` are UCUM by the letter, exa-ampere, femto-tonne and parsec: nobody means these.
    """
    found = ucum_code(text)
    if text.isdigit() and text != "1":
        return ""
    if found == text and any(_is_doubtful(word) for word in _WORD.findall(_BRACKETS.sub("", text))):
        return ""
    return found


def _is_doubtful(word: str) -> bool:
    return (word.isupper() and word not in _CAPITALS) or word in _MISREAD or bool(_TONNES.fullmatch(word))


def quantity(context: Context, raw: str) -> Fragment | None:
    """NM or CQ: the number of component 1, the unit of component 2 (its sub-components a CWE)."""
    parts = context.split(raw)
    value = compared(context.at(parts, 1))
    if value is None:
        if context.at(parts, 1):
            context.problem("bad_number")
        return None
    return {**value, **unit(context, context.raw_at(parts, 2).replace("&", "^"))}


def money(context: Context, raw: str) -> Fragment | None:
    """MO or CP: amount and currency (ISO 4217)."""
    parts = context.split(raw)
    amount = context.subsplit(parts[0])
    value = decimal(context.at(amount, 1))
    currency = context.at(amount, 2) or context.at(parts, 2)
    if value is None:
        return None
    is_code = bool(currency and len(currency) == 3 and currency.isascii() and currency.isalpha())
    return {"value": value, "currency": (currency or "").upper() if is_code else ""}


def bounds(context: Context, raw: str, of_unit: Fragment) -> Fragment | None:
    """NR (``low^high``) as a Range."""
    parts = context.split(raw)
    low, high = decimal(context.at(parts, 1)), decimal(context.at(parts, 2))
    found: Fragment = {}
    if low is not None:
        found["low"] = {"value": low, **of_unit}
    if high is not None:
        found["high"] = {"value": high, **of_unit}
    return found or None
