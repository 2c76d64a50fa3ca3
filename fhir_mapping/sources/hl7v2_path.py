"""What a column of an HL7 v2 source names, as data: paths, first-of, times, and facts about the row itself.

PID-5               field 5 of the PID that belongs to the row, its first repetition, delimiters as they stand
PID-3.1             component 1;  PID-3.4.2: its sub-component 2
PID-3[2].1          of the second repetition;  OBX-5[*]: all repetitions, a line each
PID-3[5=MR].1       of the first repetition whose component 5 is MR;  [5=MR,PI]: either; [CX.5=MR] is the same
DG1[2]-3.1          of the message's second DG1, whatever the row
A | B | 'text'      A, or B where A has no value, or the text where neither has one
time(A | B)         an HL7 time in FHIR's form: 20240301080500.5+0800 is 2024-03-01T08:05:00.5+08:00
order(A | B, C)     times as text that sorts: 14 digits and the fraction, C's behind A's; offsets do not count
system(A)           the URI of a code system that HL7 names (LN, I10, SCT, HL70162); no value for a local one
unit(A)             a unit's text, of the whole field: mg/L^milligram is mg/L, and 10^9/L itself although ^ divides
join(A, B)          the texts one behind the other
nth(A, B)           which one it is of the rows of its order that hold the same there, from 1
first_in_message, first_in_group, message_no, message_time, group_no, row_no, segment, set_id
                    see ``PSEUDO``
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, get_args

from fhir_mapping.hl7v2.delimiters import is_power_of_ten

PSEUDO = {
    "first_in_message": "true on the first row of a message, else false",
    "first_in_group": "true on the first row of an order (ORC, OBR) or, outside orders, of a message",
    "message_no": "number of the message in its file, from 1",
    "message_time": "time(MSH-7 | EVN-2)",
    "group_no": "number of the order in its message, from 1; none outside orders",
    "row_no": "number of the row in its message, from 1",
    "segment": "the name of the row's segment; MSH where a message has none of the source's names",
    "set_id": "field 1 of the row's segment",
}

_PATH = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>[1-9][0-9]*)\])?-(?P<field>[1-9][0-9]*)"
    r"(?:\[(?:(?P<repetition>[1-9][0-9]*)|(?P<all>\*)|(?:[A-Z]{2,3}\.)?(?P<key>[1-9][0-9]*)=(?P<keys>[^\[\]|()]+))\])?"
    r"(?:\.(?P<component>[1-9][0-9]*)(?:\.(?P<sub>[1-9][0-9]*))?)?"
)
_HL7_TABLE = re.compile("HL7([0-9]{4})")
_SEGMENT = re.compile("[A-Z][A-Z0-9]{2}")
Form = Literal["text", "time", "order", "system", "unit", "join", "nth"]
_CALL = re.compile(r"([a-z]+)\((.*)\)")
_LITERAL = re.compile("'([^']+)'")
_KEPT_TIMES = 1 << 16
"""Times whose other form is remembered: a message says the same one in several fields."""
_SYSTEMS = Path(__file__).parent.parent / "hl7v2" / "own" / "systems.csv"
_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(\.[0-9]{1,9})?)?)?)?)?)?"
    r"([+-][0-9]{4})?"
)


@dataclass(frozen=True)
class FieldPath:
    """One place of a message.

    Attributes:
        occurrence: of the segment in its message; None: the one that belongs to the row.
        repetition: from 1; 0: all of them.
        key, keys: the first repetition whose component ``key`` is one of ``keys``; then ``repetition`` does not count.
    """

    segment: str
    field: int
    occurrence: int | None = None
    repetition: int = 1
    key: int | None = None
    keys: tuple[str, ...] = ()
    component: int | None = None
    sub: int | None = None


@dataclass(frozen=True)
class Value:
    """What a column takes: for each of ``parts`` the first of its paths that has a value; ``form`` says how it reads.

    A text among the paths stands for itself. ``text``, ``time``, ``system`` and ``unit`` have one part.
    """

    form: Form
    parts: tuple[tuple[FieldPath | str, ...], ...]


def parse_value(text: str) -> Value | str:
    """A column's path; for a pseudo column its name.

    Raises:
        ValueError: it is no path.
    """
    text = text.strip()
    if text == "message_time":
        text = "time(MSH-7 | EVN-2)"
    if text in PSEUDO:
        return text
    call = _CALL.fullmatch(text)
    if call is None:
        return Value("text", (_alternatives(text),))
    form = next((form for form in get_args(Form) if form == call[1] != "text"), None)
    if form is None:
        raise ValueError(f"{text!r} is no path of HL7 v2: {call[1]!r} is none of time, order, system, unit, join, nth")
    parts = tuple(_alternatives(part) for part in re.split(r",(?![^\[]*\])", call[2]))
    if form in ("time", "system", "unit") and len(parts) > 1:
        raise ValueError(f"{text!r}: {form} takes one place; write alternatives as A | B")
    return Value(form, parts)


def parse_rows(text: str) -> tuple[str, ...]:
    """The names of the segments that are records: ``OBX``, or several, ``PID | DG1``.

    Raises:
        ValueError: one is no segment's name.
    """
    names = tuple(name.strip() for name in text.split("|"))
    if wrong := [name for name in names if not _SEGMENT.fullmatch(name)]:
        raise ValueError(f"{wrong[0]!r} is no segment's name: rows are segments, such as OBX, or PID | DG1")
    return names


@lru_cache(_KEPT_TIMES)
def iso_time(text: str) -> str:
    """An HL7 time in FHIR's form; minutes and seconds it leaves out after an hour are 00. Other text stays as it is."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return text
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    date = "-".join(part for part in (year, month, day) if part)
    if hour is None:
        return date
    zone = f"{offset[:3]}:{offset[3:]}" if offset else ""
    return f"{date}T{hour}:{minute or '00'}:{second or '00'}{fraction or ''}{zone}"


@lru_cache(_KEPT_TIMES)
def order_time(text: str | None) -> str:
    """An HL7 time as text that sorts like it; what is none, and none at all, sorts first."""
    match = _TIME.fullmatch((text or "").strip())
    if match is None:
        return "0" * 14
    digits = "".join(part or "" for part in match.groups()[:6])
    return digits.ljust(14, "0") + (match[7] or "")


def system_uri(name: str) -> str | None:
    """The URI of a code system by its name in HL7 table 0396 or as senders write it, or of an HL7 table (HL70487)."""
    name = name.strip().upper()
    if table := _HL7_TABLE.fullmatch(name):
        return f"http://terminology.hl7.org/CodeSystem/v2-{table[1]}"
    return _systems().get(name)


def unit_text(field: str) -> str | None:
    """A unit as written, of a whole field: its code, else its text; a power of ten that nobody escaped is one text."""
    code, _, rest = field.partition("^")
    if is_power_of_ten(code, rest):
        return f"{code}^{rest}"
    return code or rest.partition("^")[0] or None


@cache
def _systems() -> dict[str, str]:
    with _SYSTEMS.open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["name"].upper(): row["uri"] for row in rows}


def _alternatives(text: str) -> tuple[FieldPath | str, ...]:
    return tuple(_field_path(part.strip()) for part in text.split("|"))


def _field_path(text: str) -> FieldPath | str:
    if literal := _LITERAL.fullmatch(text):
        return literal[1]
    match = _PATH.fullmatch(text)
    if match is None:
        known = ", ".join(PSEUDO)
        raise ValueError(f"{text!r} is no path of HL7 v2: expected one like PID-3[1].1, OBX-5, or one of {known}")
    found = match.groupdict()

    def number(name: str) -> int | None:
        return int(found[name]) if found[name] else None

    keys = tuple(key.strip() for key in (found["keys"] or "").split(",") if key.strip())
    repetition = 0 if found["all"] else number("repetition") or 1
    if found["segment"] == "MSH" and int(found["field"]) < 3:
        raise ValueError(f"{text!r}: MSH-1 and MSH-2 are the delimiters, no values")
    return FieldPath(
        found["segment"],
        int(found["field"]),
        number("occurrence"),
        repetition,
        number("key"),
        keys,
        number("component"),
        number("sub"),
    )
