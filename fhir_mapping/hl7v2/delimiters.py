"""The characters that cut a message: the field separator of MSH-1 and the encoding characters of MSH-2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from fhir_mapping.document import RecordError

_EXPONENT = re.compile(r"[0-9]{1,2}/[A-Za-zμµ]{1,3}")
_TEN = frozenset({"10", "×10", "x10", "X10", "*10"})
_USUAL = "^~\\&#"
_ABSENT = ("\ufdd0", "\ufdd1", "", "\ufdd2", "")
"""In place of a delimiter that a message cannot have, since its character has another use: no text holds these."""


@dataclass(frozen=True)
class Delimiters:
    """The delimiters of one message; each one character (escape and truncation may be none)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = "#"

    @cached_property
    def hollow(self) -> str:
        """The characters of a field that says nothing: delimiters inside fields, and the quotes of a null."""
        return f'{self.component}{self.repetition}{self.subcomponent}"'

    @classmethod
    def of(cls, header: str) -> Delimiters:
        """The delimiters a header segment (``MSH|^~\\&|...``) states; those it leaves out are the usual ones.

        Raises:
            RecordError: ``bad_delimiters``: a letter or a digit as a delimiter, or one character used for two.
        """
        if len(header) < 4:
            return cls()
        field = header[3]
        stated = header[4:].split(field, 1)[0].strip()
        return _cached(field, stated)


_known: dict[tuple[str, str], Delimiters] = {}


def _cached(field: str, stated: str) -> Delimiters:
    found = _known.get((field, stated))
    if found is None:
        found = _state(field, stated)
        if len(_known) < 256:
            _known[field, stated] = found
    return found


def _state(field: str, stated: str) -> Delimiters:
    # A blank says that the message has no such delimiter.
    characters = [_ABSENT[n] if c == " " else c for n, c in enumerate(stated[:5])]
    places = range(len(characters), len(_USUAL))
    rest = [_USUAL[n] if _USUAL[n] != field and _USUAL[n] not in characters else _ABSENT[n] for n in places]
    every = [field, *characters, *rest]
    used = [c for c in every if c]
    if any(c.isalnum() or c.isspace() for c in used) or len(set(used)) != len(used):
        raise RecordError("bad_delimiters", "MSH-2")
    return Delimiters(*every[:6])


def is_power_of_ten(first: str, second: str) -> bool:
    """Whether two components are a unit such as ``10^9/L`` or ``×10^9/L`` whose ``^`` its sender did not escape."""
    return first in _TEN and _EXPONENT.fullmatch(second) is not None
