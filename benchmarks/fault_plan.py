"""Which party is killed when: drawn from a seed, so that a run of a campaign can be tried again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

KINDS = ("superlink", "coordinator", "authority", "supernode", "worker")
EXCHANGES = 14
"""Of a run of six sums without faults: one to join, two a sum, one to end."""

FEWEST_KILLS, MOST_KILLS = 2, 8
UNDISTURBED_EVERY = 8
"""Each eighth run has no kill, to compare with."""


@dataclass(frozen=True)
class Kill:
    """One party's end.

    Attributes:
        kind: of the party.
        name: of its process.
        after: exchanges that were concluded before it.
        part: of the time that the last of them took, since then; of five seconds when there was none.
        away: None: started again at once; else after so many seconds; infinite: when the run is over.
    """

    kind: str
    name: str
    after: int
    part: float
    away: float | None = None

    def __str__(self) -> str:
        back = "" if self.away is None else f", back after {self.away:.1f} s"
        return f"{self.name} after {self.after + self.part:.2f} exchanges{back}"

    @property
    def label(self) -> str:
        """The kind, and whether it stays away."""
        if self.away is None:
            return self.kind
        return f"{self.kind}, for good" if math.isinf(self.away) else f"{self.kind}, for a while"


def plan(seed: int, run: int, sites: Sequence[str], quorum: int, most: int = MOST_KILLS) -> list[Kill]:
    """The kills of one run, at most ``most``, in the order of their time; none in each eighth run.

    Where the quorum lets one site stay away, four in five kills of a site's process keep it away, once a run.
    """
    if run % UNDISTURBED_EVERY == 0:
        return []
    random = Random(f"faults {seed} {run} {len(sites)}")
    may_stay_away = quorum < len(sites)
    kills = []
    for _ in range(random.randint(FEWEST_KILLS, most)):
        kind = random.choice(KINDS)
        name = f"{kind}-{random.choice(sites)}" if kind in ("supernode", "worker") else kind
        after = random.randrange(EXCHANGES)
        stays = random.random() < 0.8 and name != kind and may_stay_away
        away = random.choice([random.uniform(4.0, 12.0), math.inf]) if stays else None
        may_stay_away = may_stay_away and not stays
        kills.append(Kill(kind, name, after, random.random(), away))
    return sorted(kills, key=lambda kill: (kill.after, kill.part))
