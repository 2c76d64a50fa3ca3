"""Lint: conditions that never hold, and branches of ``first_of`` that are never reached."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.region import Source
from fhir_mapping.spec.conditions import Condition
from fhir_mapping.spec.expressions import Code, Const, Expression, FirstOf
from fhir_mapping.spec.finding import Finding, TomlFile
from fhir_mapping.spec.model import Emit
from fhir_mapping.spec.satisfy import Context, present
from fhir_mapping.spec.text import fold


def null_texts(source: Source) -> frozenset[str]:
    """Prepared texts that mean no value in a source."""
    return frozenset({"", *(fold(value) for value in source.null_values)})


def context_of(emit: Emit, source: Source) -> Context:
    """What holds for every record from which an emit makes a resource."""
    context = Context(null_texts(source)).given(emit.skip_when, holds=False)
    columns = [part.column for part in emit.key if not part.column.startswith("_")]
    required = [
        name for check in emit.check if check.rule == "required" and check.when is None for name in check.columns
    ]
    return context.given(present(*columns, *required)) if columns or required else context


def unreachable(file: TomlFile, emit: Emit, source: Source) -> Iterator[Finding]:
    """Conditions of an emit that can never hold, and dead branches."""
    item = f" (item {emit.item})" if emit.item else ""
    empty = Context(null_texts(source))

    def finding(key: tuple[str | int, ...], words: str) -> Finding:
        return file.find(key, "warning", "unreachable", words + item)

    if emit.skip_when is not None and not empty.can_hold(emit.skip_when):
        yield finding(("skip_when",), "skip_when can never hold")
    known = context_of(emit, source)
    if emit.when is not None and not known.can_hold(emit.when):
        why = "can never hold" if not empty.can_hold(emit.when) else "can never hold beside key, checks and skip_when"
        yield finding(("when",), f"when {why}")
        return
    known = known.given(emit.when)
    for number, check in enumerate(emit.check):
        if check.when is not None and not known.can_hold(check.when):
            yield finding(("check", number, "when"), f"when of check {check.label!r} can never hold")
    for path, expression in emit.elements.items():
        for words in _dead_parts(expression, known):
            yield finding(("elements", path), f"{path}: {words}")


def _dead_parts(expression: Expression, known: Context) -> Iterator[str]:
    if expression.when is not None and not known.can_hold(expression.when):
        yield "when can never hold"
        return
    if not isinstance(expression, FirstOf):
        return
    known = known.given(expression.when)
    earlier: list[Expression] = []
    taken: list[Condition] = []
    for number, part in enumerate(expression.first_of, start=1):
        reached = known
        for condition in taken:
            reached = reached.given(condition, holds=False)
        if not known.can_hold(part.when):
            yield f"branch {number} of first_of: its when can never hold"
        elif _always(earlier) or not reached.can_hold(part.when):
            yield f"branch {number} of first_of is never reached: an earlier branch always gives a value"
        elif part in earlier:
            yield f"branch {number} of first_of repeats an earlier one"
        else:
            yield from _dead_parts(part, reached.given(part.when))
        earlier.append(part)
        if _is_constant(part) and part.when is not None:
            taken.append(part.when)


def _always(parts: list[Expression]) -> bool:
    return any(_is_constant(part) and part.when is None for part in parts)


def _is_constant(part: Expression) -> bool:
    return isinstance(part, Const | Code)
