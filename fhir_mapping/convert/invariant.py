"""FHIR's invariants evaluated on JSON: enough of FHIRPath for what the definitions state, compiled to closures.

What needs another resource (``resolve()``) or a terminology server cannot be asked here:
``compile_rule`` gives None for it.
Source: FHIRPath 2.0 (hl7.org/fhirpath); an invariant holds when it is true, or not empty and no boolean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from fhir_mapping.convert.invariant_functions import (
    Scope,
    Step,
    UnsupportedError,
    chain,
    function,
    members,
    number,
    operation,
    typed,
    variable,
)

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<string>'(?:[^'\\]|\\.)*')|(?P<variable>%[\w-]+|\$this)
    |(?P<name>[A-Za-z_]\w*)|(?P<symbol><=|>=|!=|!~|[=~<>+\-*/&|.,()\[\]{}]))""",
    re.VERBOSE,
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "!="),
    ("<=", "<", ">=", ">"),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
)


@cache
def compile_rule(expression: str) -> Callable[[Any, Scope], bool] | None:
    """``holds(element, scope)`` of an invariant; None when it cannot be decided from one resource."""
    try:
        step = _Parser(expression).whole()
    except UnsupportedError:
        return None

    def holds(element: Any, scope: Scope) -> bool:
        try:
            found = step([element], scope)
        except UnsupportedError:
            return True
        return found[0] is not False if len(found) == 1 else bool(found)

    return holds


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise UnsupportedError(text)
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self._at = 0

    def whole(self) -> Step:
        step = self._binary(0)
        if self._at < len(self._tokens):
            raise UnsupportedError(self._peek())
        return step

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens) or (wanted and self._peek() != wanted):
            raise UnsupportedError(wanted)
        self._at += 1
        return self._tokens[self._at - 1]

    def _binary(self, level: int) -> Step:
        if level == len(_LEVELS):
            return self._path()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level] and self._tokens[self._at][0] != "string":
            operator = self._take()[1]
            if operator in ("is", "as"):
                left = typed(left, self._take()[1], operator)
            else:
                left = operation(operator, left, self._binary(level + 1))
        return left

    def _path(self) -> Step:
        step = self._term()
        while self._peek() in (".", "["):
            if self._take()[1] == "[":
                index = int(self._take()[1])
                self._take("]")
                step = chain(step, lambda items, _, at=index: items[at : at + 1])  # type: ignore[misc]
            else:
                step = chain(step, self._invocation())
        return step

    def _term(self) -> Step:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if text == "(":
            self._take()
            step = self._binary(0)
            self._take(")")
            return step
        if text == "{":
            self._take()
            self._take("}")
            return lambda items, scope: []
        if kind == "string":
            value: Any = re.sub(r"\\(.)", r"\1", self._take()[1][1:-1])
            return lambda items, scope: [value]
        if kind == "number":
            value = number(self._take()[1])
            return lambda items, scope: [value]
        if kind == "variable":
            return variable(self._take()[1])
        return self._invocation(is_first=True)

    def _invocation(self, *, is_first: bool = False) -> Step:
        kind, name = self._take()
        if kind != "name":
            raise UnsupportedError(name)
        if self._peek() == "(":
            self._take()
            arguments: list[Step] = []
            while self._peek() != ")":
                arguments.append(self._argument(name))
                if self._peek() == ",":
                    self._take()
            self._take(")")
            return function(name, arguments)
        if is_first and name in ("true", "false"):
            return lambda items, scope: [name == "true"]
        return lambda items, scope: members(items, name)

    def _argument(self, function: str) -> Step:
        if function in ("is", "as", "ofType"):
            name = self._take()[1]
            return lambda items, scope: [name]
        return self._binary(0)
