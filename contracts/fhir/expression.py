"""The nodes of a parsed FHIRPath expression: frozen, hashable, equal by content.

``contracts.fhir.fhirpath`` builds them; ``features`` (columns) and ``registry`` (plain Python) evaluate them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Literal:
    """A constant value; ``kind`` is its FHIR type family: string, integer, decimal, boolean, date, dateTime, time."""

    value: str | int | bool | Decimal
    kind: str


@dataclass(frozen=True)
class Empty:
    """``{}``: the empty collection."""


@dataclass(frozen=True)
class Variable:
    """``%name``: a constant of the view, or ``%rowIndex``."""

    name: str


@dataclass(frozen=True)
class This:
    """``$this``: the element in focus."""


@dataclass(frozen=True)
class Member:
    """Child elements ``name`` of ``source`` (None: of the focus)."""

    source: Node | None
    name: str


@dataclass(frozen=True)
class Index:
    """``source[position]``, counted from 0 over the whole collection."""

    source: Node
    position: Node


@dataclass(frozen=True)
class Call:
    """``source.function(arguments)`` (source None: on the focus)."""

    source: Node | None
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Binary:
    """``left operator right``; the operator is one of ``PRECEDENCE``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Negate:
    """``-operand``."""

    operand: Node


Node = Literal | Empty | Variable | This | Member | Index | Call | Binary | Negate
