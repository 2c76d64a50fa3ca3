"""FHIR JSON with its numbers' text kept: ``5.60`` stays ``5.60``, in and out."""

from __future__ import annotations

import json
from typing import Any

import orjson


class DecimalText(str):
    """A JSON number by its own text (``"5.60"``); ``dumps`` writes it without quotes."""

    __slots__ = ()


def loads(text: str | bytes) -> Any:
    """JSON to plain objects; a number with a point, an exponent or over 15 digits becomes ``DecimalText``.

    Raises:
        ValueError: the text is not JSON (NaN and Infinity are not).
    """
    return json.loads(text, parse_float=DecimalText, parse_int=_integer, parse_constant=_refuse)


def dumps(value: Any, *, indent: bool = False) -> bytes:
    """UTF-8 JSON; ``DecimalText`` is written as the number it is."""
    options = orjson.OPT_PASSTHROUGH_SUBCLASS | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(value, default=_number, option=options)


def _integer(text: str) -> int | DecimalText:
    return int(text) if len(text) < 16 else DecimalText(text)


def _number(value: Any) -> orjson.Fragment:
    if isinstance(value, DecimalText):
        return orjson.Fragment(value.encode())
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
