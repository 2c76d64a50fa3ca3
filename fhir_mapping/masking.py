"""Names and numbers of a person hidden in free text, in plain Python: what ``spec.text`` does in native columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from fhir_mapping.spec.text import MARK, MASK, half_width, in_groups, mask_numbers

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
    """The text with known names and numbers, and all that looks like a person's number, as ``***``.

    Known ones count in any width, numbers of six and more digits in whatever groups, Latin words in any case.
    """
    for value in sorted(map(half_width, known.names | known.numbers), key=len, reverse=True):
        for pattern in _patterns(value):
            text = _mask(text, pattern)
    return mask_numbers(text)


def _patterns(value: str) -> Iterator[str]:
    """What a value is looked for by; half-width."""
    if not any(map(str.isalnum, value)):
        return
    words = re.sub(r"[\W_]", lambda mark: MARK if re.match(MARK, mark[0]) else re.escape(mark[0]), value)
    yield words
    if value.lower() != value.upper() and len(value) >= _SHORTEST:
        yield f"(?i)(?<![A-Za-z]){words}(?![A-Za-z])"
    if (number := in_groups(value)) is not None:
        yield f"(?i){number}"


def _mask(text: str, pattern: str) -> str:
    """The text with all that its half-width form matches as ``***``."""
    parts, last = [], 0
    for found in re.finditer(pattern, half_width(text)):
        parts.append(text[last : found.start()])
        last = found.end()
    return MASK.join([*parts, text[last:]])


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
