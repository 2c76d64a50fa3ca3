"""An exchange ends when its rules say so and sends again what was lost; time and SuperLink are played."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flwr.app import RecordDict

from contracts.errors import CloisterError, CredentialError, UsageError
from federated.coordinator import session as session_module
from federated.coordinator.exchange import Ending, Exchange, Line
from federated.coordinator.flower_run import Answer, Credentials, Place
from federated.coordinator.session import Session
from federated.processes import LinkAddress

SITES = ("east", "north", "south", "west")
HOLD = 2.0
FRAME = [b"frame"]
ADDRESS = LinkAddress("127.0.0.1", 1, Path("root.crt"))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Link:
    """A SuperLink: each site answers each message after its delay; ``lost`` are messages that vanish, by site.

    A pull is held until something is there, two seconds at most.
    """

    clock: Clock
    delays: dict[str, float] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    offline: set[str] = field(default_factory=set)
    activated: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    sent: list[str] = field(default_factory=list)
    looks: int = 0
    fails_at: float = float("inf")
    closed: bool = False
    _due: dict[str, tuple[float, bool]] = field(default_factory=dict)

    def places(self) -> dict[str, Place]:
        self.looks += 1
        return {site: Place(site not in self.offline, self.activated.get(site, "first")) for site in SITES}

    def push(self, contents: Mapping[str, RecordDict], *, ttl: float, group: str) -> dict[str, str]:
        self._fail()
        taken = {}
        for site in contents:
            if site in self.refused:
                continue
            message = f"{site}-{len(self.sent)}"
            self.sent.append(site)
            taken[message] = site
            if self.lost.get(site, 0) > 0:
                self.lost[site] -= 1
                continue
            is_error = self.errors.get(site, 0) > 0
            self.errors[site] = self.errors.get(site, 0) - is_error
            self._due[message] = (self.clock() + self.delays.get(site, 0.1), is_error)
        return taken

    def pull(self, ids: Collection[str]) -> list[Answer]:
        self._fail()
        first = min((self._due[one][0] for one in ids if one in self._due), default=float("inf"))
        self.clock.now = max(self.clock(), min(first, self.clock() + HOLD))
        ready = [one for one in ids if one in self._due and self._due[one][0] <= self.clock()]
        return [Answer(one, None if self._due.pop(one)[1] else FRAME) for one in ready]

    def close(self, *, completed: bool) -> None:
        self.closed = True

    def _fail(self) -> None:
        if self.clock() >= self.fails_at:
            raise httpx.ConnectError("away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def exchange_of(clock: Clock, ending: Ending, link: Link, optional: Collection[str] = ()) -> Exchange:
    contents = dict.fromkeys(SITES, RecordDict())
    places = link.places()
    return Exchange(contents, ending, optional=optional, places=places, clock=clock, sleep=clock.sleep)


def run(exchange: Exchange, line: Line) -> Iterator[str]:
    while not exchange.is_over():
        for site, frames in exchange.step(line):
            assert frames == FRAME
            yield site


def test_it_ends_when_all_answered_and_asks_nobody_twice(clock: Clock) -> None:
    link = Link(clock, {"west": 1.0})
    assert sorted(run(exchange_of(clock, Ending(60), link), link)) == list(SITES)
    assert (clock.now, len(link.sent), link.looks) == (101.0, 4, 1)


def test_a_site_that_never_answers_costs_the_time_given(clock: Clock) -> None:
    link = Link(clock, {"west": 1e9})
    assert sorted(run(exchange_of(clock, Ending(10), link), link)) == ["east", "north", "south"]
    assert 110 <= clock.now <= 110 + HOLD


def test_with_enough_answers_a_straggler_costs_the_grace_or_as_long_as_the_others_took(clock: Clock) -> None:
    quick = Link(clock, {"west": 1e9})
    assert len(list(run(exchange_of(clock, Ending(300, enough=3, grace=5), quick), quick))) == 3
    assert 105 <= clock.now <= 105.2 + HOLD
    clock.now = 200.0
    slow = Link(clock, {"east": 20, "north": 20, "south": 30, "west": 55})
    assert len(list(run(exchange_of(clock, Ending(300, enough=3, grace=5), slow), slow))) == 4
    assert clock.now == 255.0


def test_optional_sites_are_not_waited_for_and_are_no_part_of_enough(clock: Clock) -> None:
    link = Link(clock, {"west": 1.0, "south": 1e9})
    exchange = exchange_of(clock, Ending(300, enough=3), link, optional={"south"})
    assert sorted(run(exchange, link)) == ["east", "north", "west"]
    assert clock.now == 101.0


def test_a_message_lost_with_its_supernode_is_sent_again_when_that_is_back(clock: Clock) -> None:
    link = Link(clock, lost={"west": 1})
    exchange = exchange_of(clock, Ending(60), link)
    link.activated["west"] = "again"
    assert sorted(run(exchange, link)) == list(SITES)
    assert link.sent.count("west") == 2 and clock.now < 106


def test_a_slow_site_is_not_asked_again(clock: Clock) -> None:
    link = Link(clock, {"west": 30.0})
    assert sorted(run(exchange_of(clock, Ending(60), link), link)) == list(SITES)
    assert link.sent.count("west") == 1


def test_an_error_reply_is_followed_by_another_message_once_the_supernode_is_online(clock: Clock) -> None:
    link = Link(clock, errors={"west": 1}, offline={"west"})
    exchange = exchange_of(clock, Ending(60), link)
    answers = []
    while clock.now < 110:
        answers += [site for site, _ in exchange.step(link)]
    assert (len(answers), link.sent.count("west")) == (3, 1), "no messages pile up for one that is away"
    link.offline.clear()
    answers += run(exchange, link)
    assert sorted(answers) == list(SITES) and link.sent.count("west") == 2


def test_a_site_that_was_never_online_is_asked_when_it_comes(clock: Clock) -> None:
    link = Link(clock, refused={"west"}, offline={"west"})
    exchange = exchange_of(clock, Ending(60), link)
    answers = [site for _ in range(6) for site, _ in exchange.step(link)]
    assert sorted(answers) == ["east", "north", "south"]
    link.refused.clear()
    link.offline.clear()
    assert list(run(exchange, link)) == ["west"]


def test_the_first_answer_of_a_site_counts_and_later_ones_are_ignored(clock: Clock) -> None:
    link = Link(clock, {"west": 4.5, "south": 6.0})
    exchange = exchange_of(clock, Ending(60), link)
    link.activated["west"] = "again"  # not lost: the message was pulled after the restart
    assert sorted(run(exchange, link)) == list(SITES)
    assert link.sent.count("west") == 2


def test_what_is_unanswered_is_sent_over_the_line_that_replaces_a_lost_one(clock: Clock) -> None:
    first = Link(clock, {"south": 5.0, "west": 5.0}, fails_at=101.0)
    exchange = exchange_of(clock, Ending(10), first)
    answers = []
    with pytest.raises(httpx.ConnectError):
        answers += list(run(exchange, first))
    clock.now += 30
    exchange.renew(30)
    second = Link(clock)
    assert sorted(run(exchange, second)) == ["south", "west"]
    assert sorted(second.sent) == ["south", "west"]


def key_line() -> str:
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


class Lives:
    """SuperLinks one after the other; each attempt to connect takes the next: a link or an error."""

    def __init__(self, *outcomes: Link | httpx.HTTPError) -> None:
        self.outcomes = list(outcomes)
        self.keys: list[set[str]] = []

    def __call__(self, link: LinkAddress, credentials: Credentials, keys: Mapping[str, bytes], bundle: bytes) -> Line:
        self.keys.append(set(keys))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, httpx.HTTPError):
            raise outcome
        return outcome


def open_session(lives: Lives, events: list[str], link_seconds: float = 30.0) -> Session:
    return Session(
        ADDRESS,
        Credentials(b"", b""),
        {site: key_line() for site in SITES},
        link_seconds=link_seconds,
        report=lambda event: events.append(event["state"]),
        connect=lives,
    )


def status_error(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "https://link")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(code, request=request))


def test_a_session_registers_again_at_a_restarted_superlink_and_goes_on(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "LINK_PAUSES_SECONDS", (0.0,))
    first, second = Link(clock, fails_at=0.0), Link(clock)
    lives = Lives(httpx.ConnectError("starting"), first, status_error(503), status_error(401), second)
    events: list[str] = []
    with open_session(lives, events) as session:
        answers = dict(session.exchange(dict.fromkeys(SITES, RecordDict()), seconds=30))
        assert session.online() == set(SITES)
    assert set(answers) == set(SITES)
    assert events == ["lost", "back"] and lives.keys == [set(SITES)] * 5
    assert first.closed and second.closed


@pytest.mark.parametrize(("enough", "seconds"), [(None, 30.0), (3, 4.0), (4, 30.0)])
def test_sites_that_are_gone_are_waited_for_as_long_as_they_are_needed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, enough: int | None, seconds: float
) -> None:
    monkeypatch.setattr(session_module, "time", SimpleNamespace(monotonic=clock, sleep=clock.sleep))
    started = clock.now
    with open_session(Lives(Link(clock, offline={"west"})), []) as session:
        assert session.wait_online(30.0, enough=enough, grace=4.0) == {"east", "north", "south"}
    assert clock.now - started == pytest.approx(seconds, abs=0.2)


def test_a_superlink_that_takes_runs_and_fails_ends_the_session(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LINK_PAUSES_SECONDS", (0.0,))
    lives = Lives(*[Link(clock, fails_at=0.0) for _ in range(session_module.SHORT_LIVES + 1)])
    with open_session(lives, []) as session, pytest.raises(CloisterError, match="fails at once, 8 times in a row"):
        list(session.exchange(dict.fromkeys(SITES, RecordDict()), seconds=30))


def test_a_superlink_that_refuses_at_first_or_stays_away_ends_the_session() -> None:
    with pytest.raises(CredentialError, match="refused to start a run"):
        open_session(Lives(status_error(401)), [])
    with pytest.raises(UsageError, match="no SuperLink reached"):
        open_session(Lives(*[httpx.ConnectError("away")] * 3), [], link_seconds=0.0)
    with pytest.raises(UsageError, match="site 'east': no OpenSSH public key"):
        Session(ADDRESS, Credentials(b"", b""), {"east": "ssh-none"})
