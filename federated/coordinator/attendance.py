"""Who takes part in a run: present, absent for now, or out of it; and what each site has been given already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

NO_ANSWER = "no_answer"


class Attendance:
    """The sites of one run.

    Attributes:
        present: sites that answer; the members of the next round.
        left: sites that are out of this run, with their refusal code.
        keys: signed KeyMessages by site, of all that joined.
        seeds: the sealed seeds of r by site, not proved to have arrived.
    """

    def __init__(self, roster: Iterable[str], online: Iterable[str]) -> None:
        self._roster = frozenset(roster)
        self.present = set(online) & self._roster
        self.left: dict[str, str] = {}
        self.keys: dict[str, bytes] = {}
        self.seeds: dict[str, bytes] = {}
        self._totals: dict[str, int] = {}
        self._given_keys: dict[str, set[str]] = {}

    @property
    def absent(self) -> set[str]:
        """Sites that do not answer and may come back."""
        return set(self._roster) - self.present - set(self.left)

    @property
    def missing(self) -> dict[str, str]:
        """Every site that is not present, with the reason."""
        return dict(sorted((dict.fromkeys(self.absent, NO_ANSWER) | self.left).items()))

    def leave(self, site: str, code: str) -> None:
        """A site is out of the run."""
        self.left[site] = code
        self.present.discard(site)

    def lose(self, sites: Iterable[str]) -> None:
        """Sites did not answer."""
        self.present -= set(sites)

    def parts_for(self, site: str, members: Sequence[str], totals: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """What a site needs for a round and has not shown to have: seed, keys of members, totals."""
        parts = [] if site in self._totals else [("seed", self.seeds[site])]
        given = self._given_keys.get(site, set())
        parts += [("key", self.keys[member]) for member in members if member not in given]
        return parts + self.totals_for(site, totals)

    def totals_for(self, site: str, totals: Sequence[bytes]) -> list[tuple[str, bytes]]:
        """The totals that a site has not shown to have."""
        return [("total", total) for total in totals[self._totals.get(site, 0) :]]

    def contributed(self, site: str, members: Iterable[str], totals: int) -> None:
        """A site's term shows that it has the totals so far and the members' keys."""
        self._totals[site] = totals
        self._given_keys.setdefault(site, set()).update(members)

    def joined(self, keys: Mapping[str, bytes], seeds: Mapping[str, bytes]) -> None:
        """Sites are registered at the authority: they are present."""
        self.keys |= keys
        self.seeds |= seeds
        self.present |= set(keys)
        for site in keys:  # one that was restarted from nothing has nothing
            self._totals.pop(site, None)
            self._given_keys.pop(site, None)
