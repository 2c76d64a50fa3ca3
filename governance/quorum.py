"""How many sites an opened sum needs, and what that tolerates.

Default quorum = threshold = min(n, max(3, ceil(2n/3) + 1)) (SECURE_SUM, Claims). A region may ask for more sites, never
for fewer: below it two disjoint groups could each be opened, or unmasked, with few colluding sites.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """What a roster of ``sites`` with ``quorum`` and ``threshold`` bears.

    Attributes:
        drop_outs: sites that may fail in a round.
        with_one: colluding sites beside the coordinator alone or the authority alone (claims 1 and 2).
        with_both: colluding sites beside coordinator and authority together (claim 3; needs masks). Negative: none.
    """

    sites: int
    quorum: int
    threshold: int
    drop_outs: int
    with_one: int
    with_both: int


def default_quorum(sites: int) -> int:
    """Fewest sites in an opened sum of a roster of ``sites`` >= 1."""
    if sites < 1:
        raise ValueError("a roster has at least one site")
    return min(sites, max(3, -(-2 * sites // 3) + 1))


def allowed_quorums(sites: int) -> str:
    """In words: which quorums a roster of ``sites`` may have."""
    least = default_quorum(sites)
    span = str(sites) if least == sites else f"{least} to {sites}"
    return f"a roster of {sites} sites has a quorum of {span} (the default is the least)"


def tolerance(sites: int, quorum: int | None = None, threshold: int | None = None) -> Tolerance:
    """What the claims of the secure sum allow: c <= quorum - 2, and also c < 2 threshold - n for both together."""
    quorum = default_quorum(sites) if quorum is None else quorum
    threshold = quorum if threshold is None else threshold
    with_one = max(0, quorum - 2)
    return Tolerance(sites, quorum, threshold, sites - quorum, with_one, min(with_one, 2 * threshold - sites - 1))
