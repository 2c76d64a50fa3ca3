"""Where in a TOML file a key stands: ``tomllib`` gives values without lines, messages to people need them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

Key = tuple[str | int, ...]
"""Path to a value: ``("elements", "code.text")``, ``("check", 0, "rule")`` (entries of ``[[check]]`` from 0)."""


def key_lines(text: str) -> dict[Key, int]:
    """Line (from 1) of every key and table header of a TOML text.

    A table that stands on one line (``{ ... }``) is one key. Text that is no TOML gives the lines up to the fault.
    """
    found: dict[Key, int] = {}
    entries: dict[Key, int] = {}
    prefix: Key = ()
    for number, statement in _statements(text):
        if statement.lstrip().startswith("["):
            prefix = _header(statement, entries)
            found.setdefault(prefix, number)
        else:
            found.setdefault((*prefix, *_key_of(statement)), number)
    return found


def line_of(lines: dict[Key, int], key: Key) -> int:
    """The line of the key, else of the nearest table around it, else 1."""
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return 1


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Key-value pairs and table headers, each with its first line; a value may span lines."""
    rows = text.split("\n")
    number = 0
    while number < len(rows):
        row = rows[number].strip()
        if not row or row.startswith("#"):
            number += 1
            continue
        for end in range(number + 1, len(rows) + 1):
            statement = "\n".join(rows[number:end])
            if _is_toml(statement):
                yield number + 1, statement
                break
        else:
            return
        number = end


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _header(statement: str, entries: dict[Key, int]) -> Key:
    """Path of ``[a.b]`` or ``[[a]]``; ``entries`` holds the number of the last entry of each list of tables."""
    is_list = statement.lstrip().startswith("[[")
    names = _names(tomllib.loads(statement))
    if is_list:
        entries[names] = entries.get(names, -1) + 1
    path: Key = ()
    for length, name in enumerate(names, start=1):
        path = (*path, name)
        if names[:length] in entries:
            path = (*path, entries[names[:length]])
    return path


def _key_of(statement: str) -> Key:
    """The key of ``key = value``; an equals sign may stand in a quoted part of it."""
    position = statement.index("=")
    while not _is_toml(statement[:position] + "= 0"):
        position = statement.index("=", position + 1)
    return _names(tomllib.loads(statement[:position] + "= 0"))


def _names(body: Any) -> Key:
    """The names that lead to the one value: ``a.b = 0`` gives ``("a", "b")``."""
    path: Key = ()
    while isinstance(body, dict) and body:
        (name,) = body
        path, body = (*path, name), body[name]
    return path
