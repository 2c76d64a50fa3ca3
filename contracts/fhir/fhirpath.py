"""Parser of the FHIRPath subset that SQL on FHIR views use, to a small tree of frozen nodes.

Both evaluators (``features`` over DataFrame columns, ``registry`` over JSON) walk the same tree, so a view means one
thing. The parser accepts the grammar; which functions an evaluator knows is the evaluator's business, except that a
name outside ``FUNCTIONS`` is refused here with its name.
Source: FHIRPath 2.0 grammar (hl7.org/fhirpath), SQL on FHIR v2 "required and experimental functions".
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from contracts.errors import SpecError
from contracts.fhir.expression import Binary, Call, Empty, Index, Literal, Member, Negate, Node, This, Variable

FUNCTIONS = frozenset(
    (
        *("where", "exists", "empty", "extension", "ofType", "first", "not", "join"),
        *("lowBoundary", "highBoundary", "getResourceKey", "getReferenceKey"),
    )
)


PRECEDENCE: tuple[tuple[str, ...], ...] = (
    ("or", "xor"),
    ("and",),
    ("=", "!="),
    ("<=", "<", ">=", ">"),
    ("+", "-", "&"),
    ("*", "/"),
)
"""Binary operators from the loosest to the tightest; all associate to the left."""

UNSUPPORTED_OPERATORS = frozenset(("|", "is", "as", "in", "contains", "implies", "div", "mod", "~", "!~"))

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<moment>@T?[0-9][0-9T:.+Z-]*)
  | (?P<number>[0-9]+(?:\.[0-9]+)?)
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`))
  | (?P<this>\$this\b)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<quoted>`[^`]+`)
  | (?P<symbol><=|>=|!=|!~|[=<>+\-*/&|~.,()\[\]{}])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Node:
    """The tree of an expression. Raises SpecError that names the expression and the position."""
    return _Parser(text).whole()


def type_name(call: Call) -> str:
    """The one type argument of ``ofType`` or ``getReferenceKey``, without its namespace. Raises SpecError."""
    if len(call.arguments) == 1 and isinstance(call.arguments[0], Member):
        argument = call.arguments[0]
        namespace = argument.source
        if namespace is None or (isinstance(namespace, Member) and namespace.name in ("FHIR", "System")):
            return argument.name
    raise SpecError(f"{call.function}() needs one type name, such as {call.function}(Patient)")


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise self._error("no token of FHIRPath", position)
            self.tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            position = match.end()

    def whole(self) -> Node:
        node = self._binary(0)
        if self.at < len(self.tokens):
            _, found, position = self.tokens[self.at]
            if found in UNSUPPORTED_OPERATORS:
                raise self._error(f"operator '{found}' is not supported", position)
            raise self._error(f"unexpected '{found}'", position)
        return node

    def _error(self, problem: str, position: int) -> SpecError:
        return SpecError(f"FHIRPath {self.text!r}: {problem} at character {position + 1}")

    def _peek(self) -> str | None:
        """The next symbol or bare word; None at the end and before literals."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] in ("symbol", "name"):
            return self.tokens[self.at][1]
        return None

    def _take(self, symbol: str) -> bool:
        if self._peek() != symbol:
            return False
        self.at += 1
        return True

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
            raise self._error(f"expected '{symbol}'", position)

    def _binary(self, level: int) -> Node:
        if level == len(PRECEDENCE):
            return self._unary()
        left = self._binary(level + 1)
        while (operator := self._peek()) in PRECEDENCE[level] and operator is not None:
            self.at += 1
            left = Binary(operator, left, self._binary(level + 1))
        return left

    def _unary(self) -> Node:
        if self._take("-"):
            return Negate(self._unary())
        if self._take("+"):
            return self._unary()
        return self._postfix()

    def _postfix(self) -> Node:
        node = self._term()
        while True:
            if self._take("."):
                node = self._invocation(node)
            elif self._take("["):
                node = Index(node, self._binary(0))
                self._expect("]")
            else:
                return node

    def _term(self) -> Node:
        if self._take("("):
            node = self._binary(0)
            self._expect(")")
            return node
        if self._take("{"):
            self._expect("}")
            return Empty()
        if self.at >= len(self.tokens):
            raise self._error("expression ends too early", len(self.text))
        kind, text, position = self.tokens[self.at]
        if kind in ("name", "quoted") and text not in ("true", "false"):
            return self._invocation(None)
        self.at += 1
        node_or_none = _literal(kind, text)
        if node_or_none is None:
            raise self._error(f"unexpected '{text}'", position)
        return node_or_none

    def _invocation(self, source: Node | None) -> Node:
        if self.at >= len(self.tokens):
            raise self._error("expression ends too early", len(self.text))
        kind, text, position = self.tokens[self.at]
        if kind == "this" and source is None:
            self.at += 1
            return This()
        if kind not in ("name", "quoted"):
            raise self._error(f"expected a name, found '{text}'", position)
        self.at += 1
        if kind == "quoted":
            return Member(source, text[1:-1])
        if not self._take("("):
            return Member(source, text)
        if text not in FUNCTIONS:
            raise self._error(f"function '{text}()' is not supported", position)
        return Call(source, text, self._arguments())

    def _arguments(self) -> tuple[Node, ...]:
        if self._take(")"):
            return ()
        arguments = [self._binary(0)]
        while self._take(","):
            arguments.append(self._binary(0))
        self._expect(")")
        return tuple(arguments)


def _literal(kind: str, text: str) -> Node | None:
    if kind == "number":
        return Literal(Decimal(text), "decimal") if "." in text else Literal(int(text), "integer")
    if kind == "string":
        return Literal(_unescape(text[1:-1]), "string")
    if kind == "variable":
        return Variable(text[1:].strip("`"))
    if kind == "this":
        return This()
    if kind == "moment":
        if text.startswith("@T"):
            return Literal(text[2:], "time")
        return Literal(text[1:].removesuffix("T"), "dateTime" if "T" in text else "date")
    if kind == "name" and text in ("true", "false"):
        return Literal(text == "true", "boolean")
    return None


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, text)
