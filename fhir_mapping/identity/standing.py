"""Who stands for whom: chains of replaced record numbers followed to their end, in whatever order they arrived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Link:
    """One statement that a person is now known by another id.

    Attributes:
        order: the statement's own time as text, or None; the greater counts where two contradict each other.
        place: names the record, so that equal orders are settled alike on every run.
    """

    old: str
    new: str
    order: str | None = None
    place: tuple[Any, ...] = ()


def resolve_links(links: Iterable[Link]) -> dict[str, str | None]:
    """The standing id of every replaced id; None where the statements go in a circle that no time settles.

    Of two statements about one id the later counts. A circle is opened at its earliest statement: a merge that was
    taken back by a later one the other way round. It stays closed when a statement in it has no time, or two share the
    earliest.
    """
    latest: dict[str, Link] = {}
    for link in sorted(links, key=lambda one: (one.order is not None, one.order or "", repr(one.place), one.new)):
        if link.old != link.new:
            latest[link.old] = link
    for circle in _circles(latest):
        orders = sorted(link.order or "" for link in circle)
        if all(link.order is not None for link in circle) and orders[0] != orders[1]:
            del latest[min(circle, key=lambda link: link.order or "").old]
    return {old: _end(latest, old) for old in latest}


def _circles(latest: dict[str, Link]) -> list[list[Link]]:
    """Every circle once."""
    found: list[list[Link]] = []
    done: set[str] = set()
    for start in latest:
        path: dict[str, None] = {}
        here = start
        while here in latest and here not in done and here not in path:
            path[here] = None
            here = latest[here].new
        if here in path:
            members = list(path)
            found.append([latest[old] for old in members[members.index(here) :]])
        done.update(path)
    return found


def _end(latest: dict[str, Link], start: str) -> str | None:
    seen: set[str] = set()
    here = start
    while here in latest:
        if here in seen:
            return None
        seen.add(here)
        here = latest[here].new
    return here
