"""Declared JSON paths compiled to one Python function: what several paths share is looked up once.

Walking the paths one by one, or as a tree, took most of the time that a line of JSON takes to read; a function written
for the paths takes a third of it. Names stand in its source as Python literals and nothing else of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

Path = tuple[str | int, ...]
Texts = tuple[str | None, ...]
Reader = Callable[[Any, Callable[[Any], str | None]], tuple[Texts, bool]]
"""From a value and a function that gives any value as text to the text at each path (None where a path leads nowhere),
and whether one of the values is no string."""


@cache
def compile_paths(paths: tuple[Path, ...]) -> Reader:
    """The reader of these paths."""
    results = [f"r{number}" for number in range(len(paths))]
    lines = ["def read(value, text):", "    other = False"]
    lines += [f"    {name} = None" for name in results]
    lines += _below(list(enumerate(paths)), "value", 1)
    lines += [f"    return ({''.join(name + ', ' for name in results)}), other"]
    found: dict[str, Any] = {}
    exec("\n".join(lines), found)  # words of this module and quoted names, nothing of a record
    reader: Reader = found["read"]
    return reader


def _below(paths: Sequence[tuple[int, Path]], here: str, level: int) -> Iterator[str]:
    """Lines that read what stands below the variable ``here``, indented ``level`` times."""
    pad, value = "    " * level, f"v{level}"
    steps: dict[str | int, list[tuple[int, Path]]] = {}
    for number, path in paths:
        steps.setdefault(path[0], []).append((number, path[1:]))
    for step, ends in steps.items():
        kind = "list" if isinstance(step, int) else "dict"
        get = f"{here}[{step}] if len({here}) > {step} else None" if kind == "list" else f"{here}.get({step!r})"
        yield f"{pad}{value} = ({get}) if type({here}) is {kind} else None"
        yield f"{pad}if {value} is not None:"
        for number, rest in ends:
            if not rest:
                yield f"{pad}    if type({value}) is str:"
                yield f"{pad}        r{number} = {value}"
                yield f"{pad}    else:"
                yield f"{pad}        r{number}, other = text({value}), True"
        yield from _below([end for end in ends if end[1]], value, level + 1)
