"""Which flat siblings belong together, by order alone; what cannot be told apart is not guessed."""

from __future__ import annotations

from collections.abc import Sequence

from fhir_mapping.cda.wst500.facts import Fact


class Unpaired(Exception):
    """The counts of what should be paired differ."""


def pair(facts: Sequence[Fact], lead: str, follow: Sequence[str]) -> list[list[Fact]]:
    """Groups of one ``lead`` fact each with its followers, of facts in document order.

    Where every lead has its followers before the next lead begins, adjacency decides. Where all leads come first, the
    n-th lead takes the n-th of each kind of follower, and the counts must agree.

    Raises:
        Unpaired: followers before any lead, counts that differ, or a lead without followers among leads with some.
    """
    groups: list[list[Fact]] = []
    for fact in facts:
        if fact.part == lead:
            groups.append([fact])
        elif not groups:
            raise Unpaired
        else:
            groups[-1].append(fact)
    followed = [len(group) > 1 for group in groups]
    if all(followed) and all(_once(group) for group in groups):
        return groups
    if not any(followed):
        return groups
    if any(followed[:-1]):
        raise Unpaired
    return _by_turn([group[0] for group in groups], groups[-1][1:], follow)


def _once(group: list[Fact]) -> bool:
    parts = [fact.part for fact in group]
    return len(parts) == len(set(parts))


def _by_turn(leads: list[Fact], rest: list[Fact], follow: Sequence[str]) -> list[list[Fact]]:
    kinds = [[fact for fact in rest if fact.part == part] for part in follow]
    if any(kind and len(kind) != len(leads) for kind in kinds):
        raise Unpaired
    return [[lead, *(kind[turn] for kind in kinds if kind)] for turn, lead in enumerate(leads)]
