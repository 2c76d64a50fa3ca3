"""What an expression contributes to a resource: leaf columns below its element, and the rules it may break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import or_

from pyspark.sql import Column
from pyspark.sql import functions as F

from fhir_mapping.spec.plan import fold_balanced

Steps = tuple[tuple[str, int | None], ...]
"""Path below an element: names of elements, with an index in lists; () is the element itself."""


@dataclass(frozen=True)
class Leaf:
    """One primitive value.

    Attributes:
        column: null where there is no value.
        constant: the same in every resource; a constant does not keep the element around it alive.
        text: of a decimal: the number as it was written.
        id_name: of a plain reference: name of the column of the id it is made of.
    """

    column: Column
    constant: bool = False
    text: Column | None = None
    id_name: str | None = None

    def only_when(self, condition: Column) -> Leaf:
        """No value unless the condition holds."""
        text = None if self.text is None else F.when(condition, self.text)
        return Leaf(F.when(condition, self.column), text=text)


@dataclass(frozen=True)
class Part:
    """The leaves of an expression, and columns that name a broken rule or are null."""

    leaves: dict[Steps, Leaf]
    rules: tuple[Column, ...] = ()

    def present(self) -> Column | None:
        """Whether there is a value; None when it is all constants and so always there."""
        return any_present(list(self.leaves.values()))

    def only_when(self, condition: Column) -> Part:
        """No value and no broken rule unless the condition holds."""
        leaves = {steps: leaf.only_when(condition) for steps, leaf in self.leaves.items()}
        return Part(leaves, tuple(F.when(condition, rule) for rule in self.rules))

    def forgiving(self) -> Part:
        """The same without its rules: what cannot be read has no value."""
        return Part(self.leaves)


def any_present(leaves: Sequence[Leaf]) -> Column | None:
    """Whether one of the leaves that are not constant has a value; None when all are constant."""
    tests = {str(leaf.column): leaf.column.isNotNull() for leaf in leaves if not leaf.constant}
    return fold_balanced(or_, list(tests.values())) if tests else None


def first_of(parts: Sequence[Part]) -> Part:
    """The first part that has a value. Rules count only where none has one."""
    paths = list(dict.fromkeys(steps for part in parts for steps in part.leaves))
    presence = [part.present() for part in parts]
    nothing = F.lit(True)
    for present in presence:
        nothing = nothing & (F.lit(False) if present is None else ~present)
    leaves = {steps: _first_leaf([part.leaves.get(steps) for part in parts], presence) for steps in paths}
    return Part(leaves, tuple(F.when(nothing, rule) for part in parts for rule in part.rules))


def _first_leaf(leaves: Sequence[Leaf | None], presence: Sequence[Column | None]) -> Leaf:
    tests = [F.lit(True) if present is None else present for present in presence]
    values = [F.lit(None) if leaf is None else leaf.column for leaf in leaves]
    texts = [F.lit(None) if leaf is None or leaf.text is None else leaf.text for leaf in leaves]
    is_decimal = any(leaf is not None and leaf.text is not None for leaf in leaves)
    return Leaf(_case(tests, values), text=_case(tests, texts) if is_decimal else None)


def _case(tests: Sequence[Column], values: Sequence[Column]) -> Column:
    case = F.when(tests[0], values[0])
    for test, value in zip(tests[1:], values[1:], strict=True):
        case = case.when(test, value)
    return case
