"""What became of one record of an input file, as workers tell it: counts, rules and paths, never a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fhir_mapping.document import Problem, Resource

Disposition = Literal["mapped", "quarantined", "skipped"]


@dataclass(frozen=True)
class Written:
    """A resource in a part file.

    Attributes:
        type, id: of the resource.
        start, size: where its JSON stands in the part file.
        digest: of its JSON, to tell a repeat from another version.
        updated: ``meta.lastUpdated``, "" where there is none.
    """

    type: str
    id: str
    start: int
    size: int
    digest: bytes
    updated: str


@dataclass(frozen=True)
class RecordOutcome:
    """One record: a message, a document, a line, an entry of a bundle.

    Attributes:
        disposition: exactly one; a record of which one resource is written is mapped.
        place: where it stands, where that is not its number: ``line 7``, ``entry 3``.
        document: records of one file with the same text share an output bundle; None = it is a bundle of its own.
        faults: why it, or resources of it, were left out whole.
        problems: parts left out, mended or kept elsewhere.
        resources: as written to the part file.
        recorded: the record's own time (FHIR instant), None where it tells none.
    """

    disposition: Disposition
    place: str = ""
    document: str | None = None
    faults: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    resources: tuple[Written, ...] = ()
    recorded: str | None = None


@dataclass(frozen=True)
class Finished:
    """Resources ready to be written, and what was done to make them so.

    Attributes:
        faults: one for each resource left out whole.
        problems: parts left out; ``unknown_extension`` by URL among them.
    """

    resources: list[Resource]
    faults: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
