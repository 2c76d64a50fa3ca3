"""When a mapping line holds: a small closed language over the message's fields.

    PID-25 not valued            OBX-2 in NM|SN              PV1-2.1 = P
    OBX-25 valued                OBX-5.3 not in :|/          PID-7 length > 8
    OBX-33 count > 1             .5 = SN (of the field's own repetition)

Terms are joined by ``and`` and ``or``; ``and`` binds tighter. A segment name means the nearest one of the same group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from contracts.errors import SpecError
from fhir_mapping.hl7v2.escapes import unescape
from fhir_mapping.hl7v2.message import NULL, Path, Segment, parse_path

Scope = Mapping[str, Segment]
Condition = Callable[[Scope, str], bool]
"""Takes the segments in reach and the raw repetition at hand."""

_TERM = re.compile(
    r"(?P<path>\S+) (?:(?P<valued>valued|not valued)|(?P<op>=|!=|in|not in) (?P<values>.+)"
    r"|(?P<measure>count|length) (?P<sign>>|=) (?P<number>\d+))"
)


def compile_condition(text: str) -> Condition | None:
    """A condition; None for an empty text.

    Raises:
        SpecError: the text is no condition.
    """
    if not text.strip():
        return None
    alternatives = [[_term(term) for term in part.split(" and ")] for part in text.strip().split(" or ")]
    if len(alternatives) == 1 and len(alternatives[0]) == 1:
        return alternatives[0][0]
    return lambda scope, raw: any(all(term(scope, raw) for term in terms) for terms in alternatives)


def _term(text: str) -> Condition:
    match = _TERM.fullmatch(text.strip())
    if match is None:
        raise SpecError(f"{text!r} is no condition; expected for example 'PID-25 not valued' or 'OBX-2 in NM|SN'.")
    read = _reader(match["path"])
    if match["valued"]:
        wanted = match["valued"] == "valued"
        return lambda scope, raw: bool(read(scope, raw)) is wanted
    if match["op"]:
        values = frozenset(match["values"].split("|")) if "in" in match["op"] else frozenset([match["values"]])
        is_in = match["op"] in ("=", "in")
        return lambda scope, raw: ((read(scope, raw) or "") in values) is is_in
    number, measure = int(match["number"]), _measure(match["path"], match["measure"])
    if match["sign"] == ">":
        return lambda scope, raw: measure(scope, raw) > number
    return lambda scope, raw: measure(scope, raw) == number


def _reader(path: str) -> Callable[[Scope, str], str | None]:
    if path.startswith("."):
        component = int(path[1:])
        return lambda scope, raw: _component(scope, raw, component)
    try:
        parsed = parse_path(path)
    except ValueError as error:
        raise SpecError(str(error)) from error
    return lambda scope, raw: _read(scope, parsed)


def _read(scope: Scope, path: Path) -> str | None:
    segment = scope.get(path.segment)
    if segment is None or not segment.raw(path.field):
        return None
    return segment.value(path)


def _component(scope: Scope, raw: str, number: int) -> str | None:
    delimiters = next(iter(scope.values())).delimiters
    parts = raw.split(delimiters.component)
    text = parts[number - 1] if number <= len(parts) else ""
    return None if not text or text == NULL else unescape(text, delimiters)


def _measure(path: str, measure: str) -> Callable[[Scope, str], int]:
    parsed = parse_path(path)

    def count(scope: Scope, raw: str) -> int:
        segment = scope.get(parsed.segment)
        return len(segment.repetitions(parsed.field)) if segment else 0

    def length(scope: Scope, raw: str) -> int:
        return len(_read(scope, parsed) or "")

    return count if measure == "count" else length
