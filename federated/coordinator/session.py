"""The coordinator's connection to the sites, by name. It outlives the SuperLink: a lost run is followed by another.

The SuperLink keeps registrations, runs and messages in memory. When it was restarted, the session registers the
SuperNodes' keys again, starts a new run of Flower and sends again what is unanswered.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

import httpx
from flwr.app import RecordDict

from contracts.errors import CloisterError, CredentialError, UsageError
from federated.coordinator.exchange import Ending, Exchange, Line
from federated.coordinator.flower_run import Credentials, FlowerRun, Place
from federated.marker import marker_bundle
from federated.processes import LinkAddress
from federated.registration import node_key

ONLINE_POLL_SECONDS = 0.1
LINK_PAUSES_SECONDS = (0.2, 0.4, 0.8)
"""Between attempts to reach the SuperLink; the last one from then on."""

SHORT_LIFE_SECONDS, SHORT_LIVES = 2.0, 8
"""So many runs in a row that were lost so soon are no restarts of the SuperLink."""

Report = Callable[[dict[str, Any]], None]
"""Gets progress as JSON-like objects: {"event": ..., ...}, with event ``link``, ``online``, ``resumed``, ``joined``,
``missing``, ``exchange``, ``round``, ``ended``, ``done`` or ``error``."""


class Connect(Protocol):
    """Begins a run at the SuperLink; raises httpx.HTTPError."""

    def __call__(
        self, link: LinkAddress, credentials: Credentials, keys: Mapping[str, bytes], bundle: bytes
    ) -> Line: ...


class Session:
    """A started run. Use as a context manager: the run ends with it, completed or failed."""

    def __init__(
        self,
        link: LinkAddress,
        credentials: Credentials,
        node_keys: Mapping[str, str],
        *,
        bundle: bytes | None = None,
        link_seconds: float = 120.0,
        report: Report | None = None,
        connect: Connect = FlowerRun,
    ) -> None:
        """Register the nodes and start the run. A SuperLink that does not answer is waited for.

        Args:
            node_keys: site -> its SuperNode's public key, an OpenSSH line.
            bundle: the FAB that Flower ships with the run; None: the marker, the only one that sites accept.
            link_seconds: how long a SuperLink that is away is waited for, now and each time it is lost.
            report: told when the SuperLink is lost and back, as
                ``{"event": "link", "state": "lost" | "back", "seconds": float}``.

        Raises:
            CredentialError: the SuperLink refuses us.
            UsageError: it cannot be reached, or a key is none.
        """
        self._link = link
        self._credentials = credentials
        self._keys = {site: node_key(site, line) for site, line in node_keys.items()}
        self._bundle = marker_bundle() if bundle is None else bundle
        self._link_seconds = link_seconds
        self._report = report or (lambda event: None)
        self._connect = connect
        self._opened = 0.0
        self._short_lives = 0
        self._places: dict[str, Place] = {}
        self._line = self._open(is_known=False)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._line.close(completed=kind is None)

    def online(self) -> set[str]:
        """Sites whose SuperNode is online. Raises UsageError when the SuperLink stays away."""
        while True:
            try:
                self._places = self._line.places()
            except httpx.HTTPError as error:
                self._renew(error)
            else:
                return {site for site, place in self._places.items() if place.is_online}

    def wait_online(self, seconds: float, *, enough: int | None = None, grace: float = 0.0) -> set[str]:
        """Wait until all sites are online, or as long as given; returns those that are.

        Once ``enough`` sites are online, the others are waited for ``grace`` seconds only.
        """
        end = time.monotonic() + seconds
        while (online := self.online()) != set(self._keys) and time.monotonic() < end:
            if enough is not None and len(online) >= enough:
                enough, end = None, min(end, time.monotonic() + grace)
            time.sleep(ONLINE_POLL_SECONDS)
        return online

    def exchange(
        self,
        contents: Mapping[str, RecordDict],
        *,
        seconds: float,
        group: str = "",
        enough: int | None = None,
        grace: float = 0.0,
        optional: Collection[str] = (),
    ) -> Iterator[tuple[str, list[bytes]]]:
        """Send each site its content and yield ``(site, frames)`` as answers arrive.

        Ends when all answered, or ``seconds`` are over, or once ``enough`` sites answered and then ``grace`` seconds,
        or as many as that took, have passed (up to two seconds more, the longest hold of a question). A message that
        was lost (the SuperNode or the SuperLink was restarted, the worker died) is sent again while there is time. An
        answer that is no list of frames yields ``[]``; each site is yielded once. ``optional`` sites are asked too, but
        not waited for.

        Raises:
            UsageError: the SuperLink is lost and stays away for ``link_seconds``.
            CloisterError: it is there and fails again and again.
        """
        exchange = Exchange(contents, Ending(seconds, enough, grace), group, optional=optional, places=self._places)
        while not exchange.is_over():
            try:
                yield from exchange.step(self._line)
            except httpx.HTTPError as error:
                exchange.renew(self._renew(error))

    def _renew(self, error: httpx.HTTPError) -> float:
        """Replace the line that was lost; returns the seconds it took. Raises CloisterError when none lasts."""
        lost = time.monotonic()
        self._short_lives = self._short_lives + 1 if lost - self._opened < SHORT_LIFE_SECONDS else 0
        if self._short_lives >= SHORT_LIVES:
            raise CloisterError(
                f"the SuperLink at {self._link.address} takes runs and fails at once, {SHORT_LIVES} times in a row "
                f"({error}); see its log"
            ) from error
        self._report({"event": "link", "state": "lost", "seconds": 0.0})
        self._line.close(completed=False)
        self._places = {}
        time.sleep(LINK_PAUSES_SECONDS[0])
        self._line = self._open(is_known=True)
        away = time.monotonic() - lost
        self._report({"event": "link", "state": "back", "seconds": round(away, 3)})
        return away

    def _open(self, *, is_known: bool) -> Line:
        """Start a run, as often as it takes; a SuperLink that refuses us at the first time is not asked again."""
        end = time.monotonic() + self._link_seconds
        pauses = itertools.chain(LINK_PAUSES_SECONDS, itertools.repeat(LINK_PAUSES_SECONDS[-1]))
        while True:
            try:
                line = self._connect(self._link, self._credentials, self._keys, self._bundle)
                self._opened = time.monotonic()
                return line
            except httpx.HTTPError as error:
                if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error and not is_known:
                    raise CredentialError(
                        f"the SuperLink at {self._link.address} refused to start a run (HTTP "
                        f"{error.response.status_code}). Expected the token and the SuperExec secret that it was "
                        "started with."
                    ) from error
                if time.monotonic() > end:
                    raise UsageError(
                        f"no SuperLink reached at {self._link.address} within {self._link_seconds:.0f} s "
                        f"({type(error).__name__}). Start it."
                    ) from error
            time.sleep(next(pauses))
