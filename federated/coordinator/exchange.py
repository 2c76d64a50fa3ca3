"""One exchange with the sites: who was asked, who answered, what must be sent again, and when it ends.

Knows nothing of Flower: a ``Line`` carries messages. A line may be lost and replaced in the middle; what is unanswered
is then sent again over the new one. Sites answer a repeated request with the same frames, so sending once too often
costs a message and nothing else; the first answer of a site counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from flwr.app import RecordDict

from federated.coordinator.flower_run import Answer, Place

PATIENCE_SECONDS = 2.0
"""Without an answer for so long, the SuperLink is asked whether the site's SuperNode was restarted meanwhile."""

LOOK_SECONDS = 1.0
RESEND_PAUSE_SECONDS = 1.0
IDLE_SECONDS = 0.2


class Line(Protocol):
    """What carries an exchange: ``federated.coordinator.flower_run.FlowerRun``."""

    def places(self) -> dict[str, Place]:
        """Each site's SuperNode."""
        ...

    def push(self, contents: Mapping[str, RecordDict], *, ttl: float, group: str) -> dict[str, str]:
        """Send; message id -> site, without the sites that were never online."""
        ...

    def pull(self, ids: Collection[str]) -> list[Answer]:
        """Answers that have arrived; may wait for one."""
        ...

    def close(self, *, completed: bool) -> None:
        """End the run."""
        ...


@dataclass(frozen=True)
class Ending:
    """When an exchange is over, all in seconds: every site answered; or ``seconds`` after its start; or, once
    ``enough`` sites answered, ``grace`` after that or the time that took, whichever is longer."""

    seconds: float
    enough: int | None = None
    grace: float = 0.0


@dataclass(frozen=True)
class _Sent:
    at: float
    activated: str | None


class Exchange:
    """The state of one exchange. ``step`` until ``is_over``."""

    def __init__(
        self,
        contents: Mapping[str, RecordDict],
        ending: Ending,
        group: str = "",
        *,
        optional: Collection[str] = (),
        places: Mapping[str, Place] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            optional: sites that are asked too, but not waited for.
            places: what was last known of the sites' SuperNodes; an absent one is taken for restarted in doubt.
        """
        self._contents = dict(contents)
        self._optional = frozenset(optional)
        self._ending = ending
        self._group = group
        self._places = dict(places or {})
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._away = 0.0
        self._count = 0
        self._enough_after: float | None = None
        self._sent: dict[str, _Sent] = {}
        self._ids: dict[str, str] = {}
        self._unsent = dict.fromkeys(contents, self._started)
        self._is_first_push = True
        self._looked = self._started

    def is_over(self) -> bool:
        """Whether all answered or the time is over."""
        return not self._contents.keys() - self._optional or self._passed() >= self._limit()

    def step(self, line: Line) -> Iterator[tuple[str, list[bytes]]]:
        """Send what is due, wait a moment for answers, yield ``(site, frames)`` of those that came.

        Raises what the line raises; call ``renew`` then and go on with another line.
        """
        if self._is_look_due():
            self._look(line)
        self._send(line)
        if not self._ids:
            self._sleep(IDLE_SECONDS)
            return
        for answer in line.pull(list(self._ids)):
            site = self._ids.pop(answer.message, None)
            if site is None:
                continue
            if answer.frames is not None:
                self._settle(site)
                yield site, answer.frames
            elif site not in self._ids.values():
                self._sent.pop(site, None)
                self._unsent[site] = self._clock() + RESEND_PAUSE_SECONDS

    def renew(self, away: float) -> None:
        """The line was lost and is replaced, which took ``away`` seconds: they do not count."""
        self._away += away
        self._sent, self._ids, self._places = {}, {}, {}
        self._unsent = dict.fromkeys(self._contents, self._clock())
        self._is_first_push = False
        self._looked = self._clock() - LOOK_SECONDS

    def _passed(self) -> float:
        return self._clock() - self._started - self._away

    def _limit(self) -> float:
        if self._enough_after is None:
            return self._ending.seconds
        return min(self._ending.seconds, self._enough_after + max(self._ending.grace, self._enough_after))

    def _settle(self, site: str) -> None:
        """A site answered: it is asked no more, later answers of it are ignored."""
        del self._contents[site]
        self._sent.pop(site, None)
        self._unsent.pop(site, None)
        self._ids = {message: one for message, one in self._ids.items() if one != site}
        self._count += site not in self._optional
        if self._enough_after is None and self._ending.enough is not None and self._count >= self._ending.enough:
            self._enough_after = self._passed()

    def _is_look_due(self) -> bool:
        now = self._clock()
        oldest = min((sent.at for sent in self._sent.values()), default=now)
        is_waiting = now - oldest >= PATIENCE_SECONDS or (bool(self._unsent) and not self._is_first_push)
        return is_waiting and now - self._looked >= LOOK_SECONDS

    def _look(self, line: Line) -> None:
        """Ask who is there; a SuperNode that came online after a message was pushed may never have had it."""
        self._looked = self._clock()
        self._places = line.places()
        for site, sent in list(self._sent.items()):
            place = self._places.get(site)
            if place is not None and place.is_online and place.activated != sent.activated:
                del self._sent[site]
                self._unsent[site] = self._looked

    def _send(self, line: Line) -> None:
        """Push to all at first; later to those alone that are due and online, so that no messages pile up."""
        now = self._clock()
        due = [
            site for site, at in self._unsent.items() if at <= now and (self._is_first_push or self._is_online(site))
        ]
        self._is_first_push = False
        if not due:
            return
        ttl = max(1.0, self._ending.seconds - self._passed())
        taken = line.push({site: self._contents[site] for site in due}, ttl=ttl, group=self._group)
        self._ids |= taken
        for site in taken.values():
            place = self._places.get(site)
            self._sent[site] = _Sent(now, place.activated if place is not None else None)
            del self._unsent[site]

    def _is_online(self, site: str) -> bool:
        place = self._places.get(site)
        return place is not None and place.is_online
