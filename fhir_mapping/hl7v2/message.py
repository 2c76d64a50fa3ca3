"""A message as a lazy tree: cut into segments at once, into fields when a segment is asked, deeper when a field is.

Paths: ``PID-3`` is a field of the first PID, ``PID-3[2]`` its second repetition, ``PID-3[2].4.1`` the first
sub-component of that repetition's component 4; ``OBX[3]-5`` is the third OBX's. Numbers count from 1 as in the
standard, MSH-1 is the field separator itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from fhir_mapping.document import RecordError
from fhir_mapping.hl7v2.delimiters import Delimiters
from fhir_mapping.hl7v2.escapes import unescape

NULL = '""'
"""What a sender writes to say: delete this value. Not the same as an empty field."""

_LINES = re.compile(r"\r\n|\r|\n")
_OTHER_LINES = re.compile(r"(?:[\x0b\x85\u2028]|\\r\\n|\\[rn])(?=[A-Z][A-Z0-9]{2}\W)")
"""What stands between segments in files without line ends; looked for only where the header is the only segment."""
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?")
_HEADERS = ("MSH", "FHS", "BHS")
_WITH_LINES = frozenset({"OBX", "NTE", "DSP", "TXA", "ERR"})
"""Segments whose text senders break into lines."""
_NAMES = """
    evn pid pd1 nk1 pv1 pv2 db1 obx al1 iam dg1 drg pr1 gt1 in1 in2 in3 acc ub1 ub2 mrg orc obr spm sac nte tq1 tq2 rxo
    rxe rxd rxa rxr rxc rxg ft1 blg sch rgs ais aig ail aip txa rol prt ctd cti sft msa err con prb gol pth stf pra rf1
    prd aut ods odt rqd rq1
"""
_LOWER = frozenset(_NAMES.split())
"""Segment names that are understood in small letters too."""


@dataclass(frozen=True)
class Path:
    """A parsed path; ``repetition``, ``component`` and ``subcomponent`` are None where the path does not name one."""

    segment: str
    occurrence: int
    field: int
    repetition: int | None = None
    component: int | None = None
    subcomponent: int | None = None


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """A path such as ``PID-3[1].4.1``.

    Raises:
        ValueError: it is none.
    """
    match = _PATH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no HL7 v2 path: expected SEG-field[repetition].component.subcomponent")
    segment, *numbers = match.groups()
    occurrence, field, repetition, component, subcomponent = (int(n) if n else None for n in numbers)
    return Path(segment, occurrence or 1, field or 0, repetition, component, subcomponent)


class Segment:
    """One segment. ``fields[n]`` is the raw text of field n (``fields[0]`` the name)."""

    __slots__ = ("_fields", "delimiters", "name", "text")

    def __init__(self, text: str, delimiters: Delimiters) -> None:
        self.name = text[:3]
        self.text = text
        self.delimiters = delimiters
        self._fields: list[str] | None = None

    @property
    def fields(self) -> list[str]:
        """Raw texts by field number."""
        if self._fields is None:
            separator = self.delimiters.field
            fields = self.text.split(separator)
            if self.name in _HEADERS:
                fields.insert(1, separator)
            self._fields = fields
        return self._fields

    def raw(self, field: int) -> str:
        """The raw text of a field; empty when the segment ends before it, or it holds delimiters and nulls only."""
        fields = self.fields
        text = fields[field] if field < len(fields) else ""
        if text and text[0] in self.delimiters.hollow and not text.strip(self.delimiters.hollow):
            return text if field <= 2 and self.name in _HEADERS else ""
        return text

    def repetitions(self, field: int) -> list[str]:
        """The raw texts of a field's repetitions; none when it is empty. MSH-1 and MSH-2 are not cut."""
        raw = self.raw(field)
        if not raw:
            return []
        separator = self.delimiters.repetition
        if separator not in raw or (field <= 2 and self.name in _HEADERS):
            return [raw]
        return raw.split(separator)

    def components(self, field: int, repetition: int = 1) -> list[str]:
        """The raw texts of the components of one repetition."""
        repetitions = self.repetitions(field)
        if repetition > len(repetitions):
            return []
        if field <= 2 and self.name in _HEADERS:
            return repetitions
        return repetitions[repetition - 1].split(self.delimiters.component)

    def values(self, path: Path) -> Iterator[str | None]:
        """What a path names, repetition by repetition, escapes resolved; None where it is absent or null.

        Without a component number a repetition's whole text is given, its delimiters as they stand.
        """
        if path.field <= 2 and self.name in _HEADERS:
            yield self.raw(path.field) or None
            return
        repetitions = self.repetitions(path.field)
        if path.repetition is not None:
            repetitions = repetitions[path.repetition - 1 : path.repetition]
        for text in repetitions:
            yield self._part(text, path)

    def value(self, path: Path) -> str | None:
        """The first of ``values`` that is there."""
        return next((value for value in self.values(path) if value is not None), None)

    def _part(self, text: str, path: Path) -> str | None:
        delimiters = self.delimiters
        if path.component is not None:
            text = _nth(text, delimiters.component, path.component)
            if path.subcomponent is not None:
                text = _nth(text, delimiters.subcomponent, path.subcomponent)
        return None if not text or text == NULL else unescape(text, delimiters)


def _nth(text: str, separator: str, number: int) -> str:
    if not separator:
        return text if number == 1 else ""
    parts = text.split(separator, number)
    return parts[number - 1] if number <= len(parts) else ""


@dataclass(frozen=True)
class Message:
    """One message. ``segments`` stand in the order of the text, the first is MSH.

    ``strays``: the names of the segments behind which a line stands that is neither a segment nor part of one.
    """

    text: str
    delimiters: Delimiters
    segments: tuple[Segment, ...]
    strays: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, list[Segment]]:
        """The segments of each name, in order."""
        found: dict[str, list[Segment]] = {}
        for segment in self.segments:
            found.setdefault(segment.name, []).append(segment)
        return found

    def all(self, name: str) -> list[Segment]:
        """The segments of a name, in order."""
        return self.by_name.get(name, [])

    def values(self, path: str) -> list[str | None]:
        """What a path names, repetition by repetition; empty when the segment or field is not there."""
        parsed = parse_path(path)
        segments = self.all(parsed.segment)
        if parsed.occurrence > len(segments):
            return []
        return list(segments[parsed.occurrence - 1].values(parsed))

    def value(self, path: str) -> str | None:
        """The first value a path names; None when there is none (or only nulls)."""
        return next((value for value in self.values(path) if value is not None), None)

    @property
    def header(self) -> Segment:
        """The MSH segment."""
        return self.segments[0]

    @property
    def kind(self) -> tuple[str, str]:
        """Message code and trigger event of MSH-9: ``("ADT", "A01")``; ``ADT_A01`` alone is understood too."""
        parts = self.header.components(9)
        code = parts[0].strip().upper() if parts else ""
        event = parts[1].strip().upper() if len(parts) > 1 else ""
        if not event and "_" in code:
            code, event = code.split("_", 1)
        return code, event


def parse(text: str) -> Message:
    """Cut a message into segments. CR, LF and CR LF end a segment; a line that opens no segment continues its field.

    Raises:
        RecordError: ``missing_msh``: it does not open with a header; ``bad_delimiters``.
    """
    text_only = text.strip("\ufeff\x0b\x1c\r\n \t")
    lines = _LINES.split(text_only)
    if not lines[0].startswith("MSH") or len(lines[0]) < 4:
        raise RecordError("missing_msh", "MSH")
    delimiters = Delimiters.of(lines[0])
    if len(lines) == 1:
        lines = _OTHER_LINES.split(text_only)
    texts: list[str] = []
    strays: list[str] = []
    for line in lines:
        if _opens_segment(line, delimiters.field):
            texts.append(line)
        elif (stripped := line.lstrip(" \t\x0b")) != line and _opens_segment(stripped, delimiters.field):
            texts.append(stripped)
        elif stripped[:3] in _LOWER and stripped[3:4] == delimiters.field:
            texts.append(stripped[:3].upper() + stripped[3:])
        elif not stripped.strip("\x1c"):
            continue
        elif texts[-1][:3] in _WITH_LINES or texts[-1][0] == "Z" or delimiters.field in line:
            texts[-1] += "\n" + line
        else:
            strays.append(texts[-1][:3])
    return Message(text, delimiters, tuple(Segment(line, delimiters) for line in texts), tuple(strays))


def _opens_segment(line: str, separator: str) -> bool:
    if len(line) > 3:
        if line[3] != separator:
            return False
    elif len(line) < 3:
        return False
    name = line[:3]
    return name.isascii() and name.isalnum() and name[0].isalpha() and name == name.upper()
