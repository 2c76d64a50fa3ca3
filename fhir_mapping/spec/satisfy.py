"""Whether a condition can ever hold: conditions as alternatives of constraints on single columns, no row is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from fhir_mapping.spec.conditions import Condition
from fhir_mapping.spec.text import fold

_MOST = 256
"""Alternatives beyond which a condition counts as one that can hold."""
_ESCAPE = re.compile(r"\\(?:x\{([0-9A-Fa-f]+)\}|.)", re.DOTALL)


@dataclass(frozen=True)
class Constraint:
    """What is known of one column's prepared text.

    Attributes:
        may_be_null, may_be_text: whether no value, or a value, is possible.
        allowed: the only texts; None: any.
        excluded: texts that it is not.
        patterns: regular expressions that it matches whole.
    """

    may_be_null: bool = True
    may_be_text: bool = True
    allowed: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()

    def both(self, other: Constraint) -> Constraint:
        """What is known when both hold."""
        allowed = self.allowed if other.allowed is None else other.allowed
        if self.allowed is not None and other.allowed is not None:
            allowed = self.allowed & other.allowed
        return Constraint(
            self.may_be_null and other.may_be_null,
            self.may_be_text and other.may_be_text,
            allowed,
            self.excluded | other.excluded,
            self.patterns + other.patterns,
        )

    def can_hold(self) -> bool:
        if self.may_be_null:
            return True
        if not self.may_be_text:
            return False
        return self.allowed is None or any(self._fits(text) for text in self.allowed - self.excluded)

    def _fits(self, text: str) -> bool:
        known = [plain for pattern in self.patterns if (plain := _in_python(pattern)) is not None]
        return all(re.fullmatch(pattern, text) for pattern in known)


@dataclass(frozen=True)
class Context:
    """What a place in a spec may take for granted.

    Attributes:
        null_values: the source's texts that mean no value: no prepared text is one of them.
        conditions: hold, or fail where the flag is False.
    """

    null_values: frozenset[str]
    conditions: tuple[tuple[Condition, bool], ...] = ()

    def given(self, condition: Condition | None, holds: bool = True) -> Context:
        """The same with one more condition known to hold or to fail."""
        return self if condition is None else replace(self, conditions=(*self.conditions, (condition, holds)))

    def can_hold(self, condition: Condition | None = None) -> bool:
        """Whether some record satisfies all that is known, and ``condition``."""
        known = self.given(condition).conditions
        if prod(_most(one, holds) for one, holds in known) > _MOST:
            return True
        alternatives = [list(_alternatives(one, holds, self.null_values)) for one, holds in known]
        return any(_consistent(choice) for choice in product(*alternatives))


def present(*columns: str) -> Condition:
    """The condition that all columns have a value."""
    return Condition.model_validate({"all": tuple({"present": name} for name in columns)})


def _consistent(parts: Iterable[dict[str, Constraint]]) -> bool:
    known: dict[str, Constraint] = {}
    for part in parts:
        for column, constraint in part.items():
            known[column] = known[column].both(constraint) if column in known else constraint
    return all(constraint.can_hold() for constraint in known.values())


def _in_python(pattern: str) -> str | None:
    """A checked pattern in Python's dialect; None where that has no such thing, so that it may match."""
    if re.search(r"\\[pP]|\|\|", pattern):
        return None
    return _ESCAPE.sub(_escape_in_python, pattern)


def _escape_in_python(found: re.Match[str]) -> str:
    return "\\Z" if found[0] == "\\z" else re.escape(chr(int(found[1], 16))) if found[1] else found[0]


def _most(condition: Condition, holds: bool) -> int:
    """How many ``_alternatives`` there are at most (one at least), without making them: they may be very many."""
    if condition.not_ is not None:
        return _most(condition.not_, not holds)
    parts = condition.all_ if condition.all_ is not None else condition.any_
    counts = [_most(part, holds) for part in parts or ()]
    return prod(counts) if (condition.all_ is not None) == holds else max(sum(counts), 1)


def _alternatives(condition: Condition, holds: bool, null_values: frozenset[str]) -> Iterator[dict[str, Constraint]]:
    """Ways in which a condition holds (or fails), each as constraints by column."""
    if condition.not_ is not None:
        yield from _alternatives(condition.not_, not holds, null_values)
    elif condition.all_ is not None or condition.any_ is not None:
        parts = condition.all_ if condition.all_ is not None else condition.any_
        if (condition.all_ is not None) == holds:
            yield from _jointly([list(_alternatives(part, holds, null_values)) for part in parts or ()])
        else:
            for part in parts or ():
                yield from _alternatives(part, holds, null_values)
    else:
        yield from _of_column(condition, holds, null_values)


def _jointly(choices: Sequence[list[dict[str, Constraint]]]) -> Iterator[dict[str, Constraint]]:
    for choice in product(*choices):
        known: dict[str, Constraint] = {}
        for part in choice:
            for column, constraint in part.items():
                known[column] = known[column].both(constraint) if column in known else constraint
        yield known


def _of_column(condition: Condition, holds: bool, null_values: frozenset[str]) -> Iterator[dict[str, Constraint]]:
    if condition.present is not None or condition.absent is not None:
        is_text = (condition.present is not None) == holds
        yield {condition.present or condition.absent or "": Constraint(not is_text, is_text)}
        return
    column = condition.column or ""
    if condition.matches is not None:
        # what does not match is left open: only a match narrows
        yield {column: Constraint(False, True, patterns=(condition.matches,)) if holds else Constraint()}
        return
    texts = frozenset(fold(text) for text in (condition.in_ if condition.in_ is not None else condition.not_in) or ())
    if (condition.in_ is not None) == holds:
        yield {column: Constraint(False, True, allowed=texts - null_values)}
    else:
        yield {column: Constraint(excluded=texts)}
