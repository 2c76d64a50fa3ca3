"""What the shapes are made of. See ``shapes``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Value = dict[str, Any]
Apply = Callable[[Value, Value], Iterable[str]]
"""``apply(source, target)`` fills the target; gives the names of source elements that have no place."""


def items_of(value: Value, name: str) -> list[Any]:
    found = value.get(name, [])
    return found if isinstance(found, list) else [found]


def add(target: Value, name: str, entries: list[Any]) -> None:
    if entries:
        target[name] = [*target.get(name, ()), *entries]


def left(source: Value, name: str, rest: list[Any]) -> Iterable[str]:
    """The element keeps only what found no place."""
    if not rest:
        return ()
    source[name] = rest
    return (name,)


def wrapped(r4: str, r5: str, inner: str) -> tuple[Apply, Apply]:
    """``[x]`` (or ``x``) in R4, ``[{inner: x}]`` in R5."""

    def up(source: Value, target: Value) -> Iterable[str]:
        add(target, r5, [{inner: one} for one in items_of(source, r4)])
        return ()

    def down(source: Value, target: Value) -> Iterable[str]:
        entries = items_of(source, r5)
        rest = [one for one in entries if one.keys() != {inner}]
        values = [one[inner] for one in entries if one.keys() == {inner}]
        if values:
            target[r4] = values
        return left(source, r5, rest)

    return up, down


def wrapped_one(r4: str, r5: str, wrap: Callable[[Any], Value], unwrap: Callable[[Value], Any]) -> tuple[Apply, Apply]:
    """One text in R4, a list of one in R5."""

    def up(source: Value, target: Value) -> Iterable[str]:
        if r4 in source:
            add(target, r5, [wrap(source[r4])])
        return ()

    def down(source: Value, target: Value) -> Iterable[str]:
        entries = items_of(source, r5)
        value = unwrap(entries[0]) if entries else None
        if value is not None and r4 not in target:
            target[r4] = value
            entries = entries[1:]
        return left(source, r5, entries)

    return up, down


def only(name: str, inner: Callable[[Any], Any] = lambda value: value) -> Callable[[Value], Any]:
    return lambda entry: inner(entry[name]) if entry.keys() == {name} else None


def only_text(value: Any) -> Any:
    return value["text"] if isinstance(value, dict) and value.keys() == {"text"} else None


def no_place(*names: str) -> Apply:
    """Elements of one name whose meaning differs: they go into extensions."""
    return lambda source, target: [name for name in names if name in source]
