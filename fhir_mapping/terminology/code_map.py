"""Code maps as CSV: ``source,target_system,target_code,target_display`` and optionally ``note``.

A concept map in the sense of FHIR, one row a source text. Site, region and project each have a folder; the first that
has a file of the name wins whole. Lines in front of the header say more, ``# version: 2.0``: ``version``, ``standard``,
and ``from`` and ``to`` (names in ``code_systems.csv``) where the map leads from one edition of codes to another. Many
codes may become one; such a map says nothing about the way back, so its inversion is refused.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import SpecError
from fhir_mapping.spec.text import fold
from fhir_mapping.terminology.code_system import check_direction

GENERAL = Path(__file__).parent / "maps"
_ABOUT = ("version", "standard", "from", "to")
_HEADER = ("source", "target_system", "target_code", "target_display")


@dataclass(frozen=True)
class Target:
    """What a source text means in a shared code system."""

    system: str
    code: str
    display: str


@dataclass(frozen=True)
class CodeMap:
    """One map.

    Attributes:
        name: file stem.
        file: where it was read.
        rows: prepared source text -> target.
        digest: SHA-256 of the rows, sorted; comments, order and line ends do not count.
        about: the lines in front of the header: ``version``, ``standard``, ``from``, ``to``.
    """

    name: str
    file: Path
    rows: dict[str, Target]
    digest: str
    about: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """As the file says it; a file that says none is known by its digest."""
        return self.about.get("version", self.digest[:12])


def load_map(name: str, folders: Sequence[Path]) -> CodeMap:
    """Read the map of this name from the first folder that has it; ``GENERAL`` is searched last.

    Raises:
        SpecError: no such map; a wrong header; a row without source or code, or a source given twice (line named).
    """
    searched = [*folders, GENERAL]
    for folder in searched:
        path = folder / f"{name}.csv"
        if path.is_file():
            return _read(name, path)
    raise SpecError(f"no code map {name!r}: looked for {name}.csv in {', '.join(str(f) for f in searched)}")


def terminology_version(maps: Iterable[CodeMap]) -> str:
    """SHA-256 over the used maps: equal versions map every code alike."""
    lines = sorted(f"{code_map.name}={code_map.digest}" for code_map in maps)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read(name: str, path: Path) -> CodeMap:
    rows: dict[str, Target] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = file.readlines()
        about = read_about(path, lines)
        reader = csv.DictReader(lines[len(about) :])
        fields = tuple(reader.fieldnames or ())
        if fields not in (_HEADER, (*_HEADER, "note")):
            raise SpecError(f"{path}: header is {','.join(fields)}; expected {','.join(_HEADER)} and optionally note")
        for row in reader:
            source, code = fold(row["source"] or ""), (row["target_code"] or "").strip()
            line = reader.line_num + len(about)
            if not source or not code or None in row:
                raise SpecError(f"{path}: line {line}: needs source and target_code, and no further cells")
            target = Target((row["target_system"] or "").strip(), code, (row["target_display"] or "").strip())
            if rows.get(source, target) != target:
                raise SpecError(f"{path}: line {line}: source {source!r} has two meanings")
            rows[source] = target
    text = "\n".join(f"{s}\t{t.system}\t{t.code}\t{t.display}" for s, t in sorted(rows.items()))
    check_direction(path, about, {target.system for target in rows.values()})
    return CodeMap(name, path, rows, hashlib.sha256(text.encode()).hexdigest(), about)


def read_about(path: Path, lines: Sequence[str]) -> dict[str, str]:
    """The ``# key: value`` lines in front of a map's header. Raises SpecError: another key, or one given twice."""
    found: dict[str, str] = {}
    for line in lines:
        if not line.startswith("#"):
            break
        key, _, value = (part.strip() for part in line[1:].partition(":"))
        if key not in _ABOUT or key in found or not value:
            raise SpecError(f"{path}: line {len(found) + 1}: write '# key: value' once each of {', '.join(_ABOUT)}")
        found[key] = value
    return found
