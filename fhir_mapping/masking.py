"""Names and numbers of a person hidden in free text, in plain Python: what ``spec.text`` does in native columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from fhir_mapping.spec.text import IDENTIFYING, MASK, half_width

_IDENTIFYING = re.compile(IDENTIFYING)
_SHORTEST = 2
"""One character alone is no name."""


@dataclass(frozen=True)
class Known:
    """What is known to identify the person of a record.

    Attributes:
        names: as written anywhere: whole, and family and given name apart where they are written in Latin letters.
        numbers: of records, cards and telephones.
    """

    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


NOBODY = Known()


def mask_text(text: str, known: Known = NOBODY) -> str:
    """The text with known names and numbers, in any width, and all that looks like a person's number, as ``***``."""
    for value in sorted(map(half_width, known.names | known.numbers), key=len, reverse=True):
        parts, last = [], 0
        for found in re.finditer(re.escape(value), half_width(text)):
            parts.append(text[last : found.start()])
            last = found.end()
        text = MASK.join([*parts, text[last:]])
    return _IDENTIFYING.sub(MASK, text)


def known_of(patient: Mapping[str, Any]) -> Known:
    """Names and numbers that a Patient or RelatedPerson (FHIR JSON) carries, those of its contacts too."""
    names: set[str] = set()
    numbers: set[str] = set()
    for person in (patient, *_entries(patient.get("contact"))):
        for name in (*_entries(person.get("name")), *([person["name"]] if _is_object(person.get("name")) else [])):
            names |= _names(name)
        numbers |= {entry["value"] for entry in _entries(person.get("telecom")) if _is_text(entry.get("value"))}
        numbers |= {entry["value"] for entry in _entries(person.get("identifier")) if _is_text(entry.get("value"))}
    return Known(frozenset(names), frozenset(numbers))


def _names(name: Mapping[str, Any]) -> set[str]:
    family, given = name.get("family"), name.get("given")
    first = [part for part in given if _is_text(part)] if isinstance(given, list) else []
    found = {name.get("text"), "".join([family, *first]) if _is_text(family) else None}
    # Latin names stand apart in text; a Chinese family name alone is a word of its own and would mask too much.
    found |= {part for part in (family, *first) if _is_text(part) and part.isascii() and len(part) > _SHORTEST}
    return {part for part in found if _is_text(part)}


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if _is_object(entry)] if isinstance(value, list) else []


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) >= _SHORTEST
