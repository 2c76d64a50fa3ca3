"""Any party may be killed at any moment: an exchange or a run under way ends as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import counting_programs
import numpy as np
import pytest
from counting_bed import counting_bed

from benchmarks.federation_bed import Bed
from contracts.messages import parse_site_message
from contracts.sums import State
from federated.coordinator.checkpoint import replay
from federated.coordinator.session import Session
from federated.envelope import Request, pack_requests
from governance.roster import load_roster

VALUES = {"east": [1.0, 2.5, -3.0], "north": [4.0, 0.25], "south": [10.0, -7.5, 0.0, 1.0]}
POOLED = np.concatenate(list(VALUES.values()))
SLOW = "east"
PARTIES = ["superlink", f"supernode-{SLOW}", f"worker-{SLOW}"]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    bed = counting_bed(tmp_path_factory.mktemp("restarts"), VALUES)
    try:
        bed.start()
        yield bed
    finally:
        bed.stop()


@pytest.fixture(scope="module")
def session(bed: Bed) -> Iterator[Session]:
    """One session through all that happens to the others."""
    with bed.session() as session:
        assert session.wait_online(90) == set(VALUES)
        yield session


def ping(session: Session, number: int) -> Iterator[tuple[str, list[bytes]]]:
    return session.exchange(dict.fromkeys(VALUES, pack_requests([Request("ping", "", number)])), seconds=120)


@pytest.mark.parametrize("killed", PARTIES)
def test_an_exchange_under_way_ends_after_a_kill(bed: Bed, session: Session, killed: str) -> None:
    worker = bed.ids()[f"worker-{SLOW}"]
    os.kill(worker, signal.SIGSTOP)  # its message is on the way, with the SuperNode or with the worker itself
    answers = ping(session, 0)
    quick = dict(next(answers) for _ in range(len(VALUES) - 1))
    assert set(quick) == set(VALUES) - {SLOW}
    bed.kill(killed)
    if killed != f"worker-{SLOW}":
        os.kill(worker, signal.SIGCONT)
    slow = list(answers)
    assert [site for site, _ in slow] == [SLOW], "the others are not asked again"
    assert getattr(parse_site_message(slow[0][1][0]), "kind", "") == "heartbeat"
    assert len(dict(ping(session, 1))) == len(VALUES)


def test_a_run_ends_with_the_plain_sums_though_each_party_is_killed_in_it(bed: Bed) -> None:
    kills = {
        "joined": ["authority", "supernode-north", "worker-south"],
        "round": ["superlink"],
    }
    settings = bed.coordinator_settings("count")
    lives, ended = 0, False
    while not ended:
        assert lives < 2
        lives += 1
        with bed.start_coordinator(settings) as coordinator:
            assert coordinator.stdout is not None
            for line in coordinator.stdout:
                event = json.loads(line)["event"]
                assert event != "error", line
                ended = event == "done"
                for name in kills.pop(event, []):
                    bed.kill(name)
                    if name == "superlink":
                        coordinator.kill()
    assert lives == 2
    assert_plain_sums(bed)


def assert_plain_sums(bed: Bed) -> None:
    roster = load_roster(bed.roster, bed.commission.public)
    state: State = replay(bed.area.coordinator / "runs" / "count", counting_programs.Counting(), roster)
    assert (state["rows"], state["x"]) == (len(POOLED), POOLED.sum())
    squares = ((POOLED - POOLED.mean()) ** 2).sum()
    assert state["squares"] == pytest.approx(squares, abs=len(VALUES) * 2.0**-11)
