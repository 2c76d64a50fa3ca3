r"""Escape sequences of HL7 v2 text: ``\F\`` and its like become the characters they stand for.

Source: HL7 v2.8 chapter 2.7; ``\.br\`` and other formatting commands of FT (2.7.6) become line breaks and spaces.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fhir_mapping.hl7v2.delimiters import Delimiters

_COMMAND = re.compile(r"\.(br|sp|sk|in|ti|fi|nf|ce)\s*([+-]?\d*)", re.IGNORECASE)
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_SILENT = re.compile(r"[HN]|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?")
# Not allowed in a FHIR string, and no writing in any language.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@lru_cache(maxsize=64)
def _sequence(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"{mark}([^{mark}\\r\\n]{{1,64}}){mark}")


def unescape(text: str, delimiters: Delimiters) -> str:
    r"""Text with its escape sequences resolved; what is no known sequence stays as it is written.

    ``\X..\`` holds bytes: UTF-8 where they are UTF-8, else GB18030, else Latin-1.
    """
    escape = delimiters.escape
    if not escape or escape not in text:
        return text
    plain = {
        "F": delimiters.field,
        "S": delimiters.component,
        "R": delimiters.repetition,
        "E": escape,
        "T": delimiters.subcomponent,
        "P": delimiters.truncation,
        "L": "\n",
    }
    return _sequence(escape).sub(lambda match: _resolve(match, plain), text)


def _resolve(match: re.Match[str], plain: dict[str, str]) -> str:
    body = match[1]
    if body in plain:
        return plain[body]
    if hexadecimal := _HEX.fullmatch(body):
        return _CONTROL.sub("", _from_bytes(bytes.fromhex(hexadecimal[1])))
    if command := _COMMAND.fullmatch(body):
        return _format(command[1].lower(), command[2])
    return "" if _SILENT.fullmatch(body) else match[0]


def _format(command: str, number: str) -> str:
    count = min(abs(int(number or 1)), 80)
    if command in ("br", "ce"):
        return "\n"
    if command == "sp":
        return "\n" * count
    return " " * count if command == "sk" else ""


def _from_bytes(data: bytes) -> str:
    for codec in ("utf-8", "gb18030"):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
