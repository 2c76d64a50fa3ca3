"""PQ, INT, REAL, MO, IVL_PQ and RTO to FHIR Quantity, Range and Ratio; every number keeps its own text."""

from __future__ import annotations

import re
from typing import Any

from contracts.fhir.json_text import DecimalText
from fhir_mapping.cda.element import Element, child, children
from fhir_mapping.terminology.ucum import ucum_code

UCUM = "http://unitsofmeasure.org"
_NUMBER = re.compile(r"([+-]?)0*((?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)$", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d{1,2}", re.ASCII)
_FULL_WIDTH = str.maketrans("０１２３４５６７８９．＋－", "0123456789.+-")
_CURRENCY = {"元": "CNY", "人民币": "CNY", "RMB": "CNY", "￥": "CNY", "¥": "CNY", "角": "", "分": ""}


def decimal(text: str | None) -> DecimalText | int | None:
    """The number as written (``5.60``), without what JSON forbids (``+5``, ``065.8``, ``.5``); None if it is none."""
    if not text:
        return None
    if not text.isascii():
        text = text.translate(_FULL_WIDTH)
    value = text.strip().replace(",", "") if re.match(r"^\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*$", text) else text.strip()
    if _DECIMAL_COMMA.fullmatch(value):
        value = value.replace(",", ".")
    value = re.sub(r"^([+-]?)\.", r"\g<1>0.", value)
    value = value[:-1] if value.endswith(".") else value
    match = _NUMBER.match(value)
    if match is None or len(value) > 30:
        return None
    plain = ("-" if match[1] == "-" else "") + match[2]
    return int(plain) if len(plain) < 16 and plain.lstrip("-").isdigit() and plain != "-0" else DecimalText(plain)


def unit_parts(unit: str | None) -> dict[str, str]:
    """``unit``, and ``system`` with ``code`` where the unit is UCUM or known to mean a UCUM unit."""
    name = " ".join(unit.split()) if unit else ""
    if not name:
        return {}
    code = ucum_code(name)
    return {"unit": name, "system": UCUM, "code": code} if code else {"unit": name}


def quantity(element: Element | None) -> dict[str, Any]:
    """A Quantity from ``value`` and ``unit`` (MO: ``currency``); empty where there is no number."""
    if element is None:
        return {}
    value = decimal(element.get("value"))
    if value is None:
        return {}
    currency = (element.get("currency") or "").strip()
    if currency:
        code = _CURRENCY.get(currency, currency if re.fullmatch(r"[A-Z]{3}", currency) else "")
        extra = {"system": "urn:iso:std:iso:4217", "code": code} if code else {}
        return {"value": value, "unit": currency, **extra}
    unit = unit_parts(element.get("unit"))
    if not unit:
        other = child(element, "translation")  # a unit outside UCUM is told by its original text
        text = child(other, "originalText") if other is not None else None
        if text is not None and text.text and other is not None and other.get("value") == element.get("value"):
            unit = {"unit": " ".join(text.text.split())}
    return {"value": value, **unit}


def simple_range(element: Element) -> dict[str, Any]:
    """A Range from low and high; empty where neither has a number."""
    found = {}
    for name in ("low", "high"):
        bound = quantity(child(element, name))
        if bound:
            found[name] = bound
    return found


def bounded(element: Element) -> tuple[str, dict[str, Any]]:
    """IVL_PQ: ``("Range", {...})`` with both ends, else ``("Quantity", {...})`` with a comparator."""
    limits = simple_range(element)
    if len(limits) == 2:
        return "Range", limits
    for name, inclusive, exclusive in (("low", ">=", ">"), ("high", "<=", "<")):
        if name in limits:
            edge = next(children(element, name))
            sign = exclusive if edge.get("inclusive") == "false" else inclusive
            return "Quantity", _compared(limits[name], sign)
    return "Quantity", quantity(child(element, "center") if child(element, "center") is not None else element)


def _compared(value: dict[str, Any], comparator: str) -> dict[str, Any]:
    return {"value": value["value"], "comparator": comparator, **{k: v for k, v in value.items() if k != "value"}}


def ratio(element: Element) -> dict[str, Any]:
    """A Ratio where both parts have a number (rat-1), else empty."""
    parts = {name: quantity(child(element, name)) for name in ("numerator", "denominator")}
    return parts if all(parts.values()) else {}
