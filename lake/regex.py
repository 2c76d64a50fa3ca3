"""The dialect of regular expressions that Java's and Rust's engines read alike.

Sail's expressions are Rust's: look-around and backreferences fail, and others silently mean something else (``\\d`` and
``\\s`` are Unicode there, ``$`` and ``.`` differ at line ends, ``$1a`` in a replacement names a group ``1a``). Patterns
of specs are checked against this dialect when the specs are read, so that neither engine ever sees another.
Source: docs.rs/regex 1 (syntax); java.util.regex.Pattern 17.
"""

from __future__ import annotations

import re

from contracts.errors import SpecError

_CATEGORIES = {
    *("L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No"),
    *("P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp"),
}
_PUNCTUATION = set(r"\.+*?()|[]{}^$-/,:;=!#&~%@\"' ") - {"\\"} | {"\\"}
_CONTROLS = set("nrtf")
_ANCHORS = set("Az")
_INSTEAD = {
    "d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "s": "[ \\t\\r\\n]", "S": "[^ \\t\\r\\n]",
    "b": "explicit neighbours", "B": "explicit neighbours", "Z": "\\z", "h": "[ \\t]", "R": "\\r?\\n",
}  # fmt: skip
_REPEAT = re.compile(r"\{[0-9]{1,3}(,([0-9]{1,3})?)?\}")
_PROPERTY = re.compile(r"[pP]\{([A-Za-z]{1,2}|script=[A-Z][a-z]+)\}")
_HEX = re.compile(r"x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|x\{[0-9A-Fa-f]{1,6}\}")


def check_regex(pattern: str) -> None:
    """Accept a pattern that both engines read alike.

    Allowed: literals, ``[...]`` with ranges and negation, ``(...)``, ``(?:...)``, ``|``, ``* + ? {n,m}`` and their lazy
    forms, ``^`` and ``\\A``, ``\\z``, ``\\p{L}`` and other general categories, ``\\p{script=Han}``, escaped
    punctuation, ``\\n \\r \\t \\f \\xhh \\uhhhh``.

    Raises:
        SpecError: anything else; names the construct and what to write instead.
    """
    _Scan(pattern).run()


def check_replacement(text: str) -> None:
    """Accept a replacement that both engines read alike: text, and ``$1`` not followed by a letter, digit or ``_``."""
    rest = re.sub(r"\$[0-9](?![A-Za-z0-9_])", "", text)
    if "$" in rest or "\\" in rest:
        raise SpecError(
            f"replacement {text!r}: the engines read it differently; allowed are plain text and $1 to $9 that no "
            "letter, digit or _ follows. Use concat for the rest."
        )


class _Scan:
    """One pass over a pattern, from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def run(self) -> None:
        while self.at < len(self.pattern):
            self._element()
        if self.depth:
            raise self._refused("a group that is not closed", "close it with )")

    def _element(self) -> None:
        char = self.pattern[self.at]
        if char == "\\":
            self._escape(in_class=False)
        elif char == "[":
            self._class()
        elif char == "(":
            self._open_group()
        elif char == ")":
            self.depth -= 1
            self.at += 1
            if self.depth < 0:
                raise self._refused(")", "\\) for the character")
        elif char in "|^":
            self.at += 1
            return
        elif char in ".$]{}*+?":
            raise self._refused_special(char)
        else:
            self.at += 1
        if char != "(":
            self._quantifier()

    def _refused_special(self, char: str) -> SpecError:
        instead = {".": "[^\\r\\n]", "$": "\\z for the end, \\$ for the character"}
        return self._refused(
            char, instead.get(char, f"\\{char} for the character; a repetition follows what it repeats")
        )

    def _open_group(self) -> None:
        if self.pattern.startswith("(?", self.at) and not self.pattern.startswith("(?:", self.at):
            raise self._refused(self.pattern[self.at : self.at + 4], "(?:...) or (...): no look-around, flags or names")
        self.at += 3 if self.pattern.startswith("(?:", self.at) else 1
        self.depth += 1

    def _quantifier(self) -> None:
        repeat = _REPEAT.match(self.pattern, self.at)
        if repeat:
            self.at = repeat.end()
        elif self.pattern[self.at : self.at + 1] in ("*", "+", "?"):
            self.at += 1
        else:
            return
        if self.pattern.startswith("?", self.at):
            self.at += 1
        if self.pattern[self.at : self.at + 1] in ("*", "+", "?"):
            raise self._refused("a possessive or doubled repetition", "a plain or lazy one")

    def _class(self) -> None:
        self.at += 2 if self.pattern.startswith("[^", self.at) else 1
        start = self.at
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char == "]" and self.at > start:
                self.at += 1
                return
            if char in "[]":
                raise self._refused(f"{char} inside a class", f"\\{char}; classes are not nested")
            if self.pattern[self.at : self.at + 2] in ("&&", "--", "~~"):
                raise self._refused(self.pattern[self.at : self.at + 2], "one class that lists what is meant")
            if char == "\\":
                self._escape(in_class=True)
            else:
                self.at += 1
        raise self._refused("a class that is not closed", "close it with ]")

    def _escape(self, in_class: bool) -> None:
        rest = self.pattern[self.at + 1 :]
        named = _PROPERTY.match(rest)
        code = _HEX.match(rest)
        if named and (named.group(1) in _CATEGORIES or named.group(1).startswith("script=")):
            self.at += 1 + named.end()
        elif code:
            self.at += 1 + code.end()
        elif rest and (rest[0] in _PUNCTUATION or rest[0] in _CONTROLS or (rest[0] in _ANCHORS and not in_class)):
            self.at += 2
        else:
            name = rest[:1]
            raise self._refused(f"\\{name}", _INSTEAD.get(name, "an explicit class such as [0-9] or \\p{L}"))

    def _refused(self, what: str, instead: str) -> SpecError:
        return SpecError(
            f"pattern {self.pattern!r}, at character {self.at}: {what} is outside the dialect that both engines read "
            f"alike; write {instead}."
        )
