"""The mapping tables: lines of segment maps, code maps and names of code systems, in layers.

A folder of tables holds up to three files, CSV with a header line; lines that open with ``#`` are comments.

``segments.csv``: ``map,source,when,target,as,codes,value``
    What a field becomes: in the map (``PID[Patient]``) the field ``source`` goes to the FHIR path ``target``, read as
    ``as`` (v2 data type and FHIR type, ``CX[Identifier]``), coded by the code map ``codes``; or the constant ``value``
    is set there wherever the field has a value. ``[label]`` in a path tells list items apart, ``>Type`` steps into the
    resource a reference points at: ``participant[att].individual>Practitioner``.
``codes.csv``: ``map,code,to,system,display``
    A code of a v2 table and what it becomes; an empty ``to`` says that it has no equal.
``systems.csv``: ``name,uri``
    Names of code systems in CWE.3 (HL7 table 0396) and their URIs.

Layers: the generated tables, then our own (``own``), then the folders of a site. What a layer says of a field of a map
replaces all that earlier layers say of it; an empty target leaves the field out. A code's line replaces that code's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from contracts.errors import SpecError

_HERE = Path(__file__).parent
_LAYERS = (_HERE / "generated", _HERE / "own")
_COLUMNS = {
    "segments.csv": ("map", "source", "when", "target", "as", "codes", "value"),
    "codes.csv": ("map", "code", "to", "system", "display"),
    "systems.csv": ("name", "uri"),
}


@dataclass(frozen=True)
class Line:
    """One line of ``segments.csv``; ``where`` names file and line for messages."""

    map: str
    source: str
    when: str
    target: str
    kind: str
    codes: str
    value: str
    where: str


@dataclass(frozen=True)
class Code:
    """What a v2 code becomes; ``code`` None: it has no equal in FHIR."""

    code: str | None
    system: str
    display: str


@dataclass(frozen=True, eq=False)
class Tables:
    """All layers put together. ``maps``: lines by map, in the order of the layers; ``codes``: code maps by name."""

    maps: dict[str, tuple[Line, ...]]
    codes: dict[str, dict[str, Code]]
    systems: dict[str, str]

    @classmethod
    def load(cls, *folders: Path | str) -> Tables:
        """The defaults, overridden line by line from folders of the same format.

        Raises:
            SpecError: a folder without any table, a file that is not as described, with file and line.
        """
        for folder in folders:
            if not any((Path(folder) / name).is_file() for name in _COLUMNS):
                raise SpecError(f"{folder}: no HL7 v2 tables; expected at least one of {', '.join(_COLUMNS)}.")
        return _load(tuple(Path(folder) for folder in folders))


@cache
def _load(folders: tuple[Path, ...]) -> Tables:
    fields: dict[str, dict[str, list[Line]]] = {}
    codes: dict[str, dict[str, Code]] = {}
    systems: dict[str, str] = {}
    for folder in (*_LAYERS, *folders):
        _overlay(fields, list(_lines(folder)))
        for _, row in _rows(folder, "codes.csv"):
            to = Code(row["to"] or None, row["system"], row["display"])
            codes.setdefault(row["map"], {})[row["code"]] = to
        for _, row in _rows(folder, "systems.csv"):
            systems[row["name"].upper()] = row["uri"]
    maps = {name: tuple(line for lines in by.values() for line in lines if line.target) for name, by in fields.items()}
    return Tables(maps, codes, systems)


def _overlay(fields: dict[str, dict[str, list[Line]]], lines: Sequence[Line]) -> None:
    fresh: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        fresh.setdefault((line.map, line.source.split(".")[0]), []).append(line)
    for (name, source), group in fresh.items():
        fields.setdefault(name, {})[source] = group


def _lines(folder: Path) -> Iterator[Line]:
    for where, row in _rows(folder, "segments.csv"):
        yield Line(row["map"], row["source"], row["when"], row["target"], row["as"], row["codes"], row["value"], where)


def _rows(folder: Path, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    path = folder / name
    if not path.is_file():
        return
    header: list[str] | None = None
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, cells in enumerate(csv.reader(file), start=1):
            if not cells or cells[0].startswith("#") or not any(cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if tuple(header) != _COLUMNS[name]:
                    raise SpecError(f"{path}:{number}: columns are {','.join(header)}; expected {_COLUMNS[name]}.")
                continue
            if len(cells) > len(header):
                raise SpecError(f"{path}:{number}: {len(cells)} cells, expected at most {len(header)}; quote commas.")
            cells += [""] * (len(header) - len(cells))
            yield f"{path.name}:{number}", dict(zip(header, (cell.strip() for cell in cells), strict=True))
