"""Sites that drop out at every step of a round, are late, or come back: the round goes on, or nothing is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import counting_programs
import pytest
from counting_city import City

from contracts.errors import QuorumError
from contracts.messages import TotalHeader
from federated.coordinator.checkpoint import replay
from federated.coordinator.task_run import TaskRun
from governance.audit import read_audit
from governance.signing import open_message

VALUES = {"a": [1.0], "b": [2.0, 3.0], "c": [4.0], "d": [-5.0], "e": [6.0, 0.5], "f": [7.0]}
QUORUM = 5


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    city = City(tmp_path, VALUES, QUORUM)
    yield city
    city.close()


def joined(city: City, silent: tuple[str, ...] = ()) -> TaskRun:
    run = city.task_run()
    city.turn(run, silent)
    return run


def finish(city: City, run: TaskRun, silent: tuple[str, ...] = ()) -> None:
    while run.phase != "over":
        city.turn(run, silent)
    assert run.error is None


def sites_of(run: TaskRun, round_no: int) -> str:
    """The sites of an opened total, as letters."""
    total = run.checkpoint.total(round_no)
    assert total is not None
    return "".join(open_message(total, TotalHeader, run.roster.authority)[0].sites)


def rows(sites: str) -> float:
    return float(sum(len(VALUES[site]) for site in sites))


def opened(city: City) -> int:
    return sum(entry.event == "opened" for entry in read_audit(city.keys.folder / "audit.jsonl"))


def phases(city: City, run: TaskRun, silent: tuple[str, ...]) -> list[str]:
    """The exchanges of one round."""
    number = run.round
    seen: list[str] = []
    while run.round == number:
        seen.append(run.phase)
        city.turn(run, silent)
    return seen


def test_before_keys_a_site_is_no_member(city: City) -> None:
    run = joined(city, silent=("f",))
    assert phases(city, run, ("f",)) == ["round", "reveal"]
    assert sites_of(run, 0) == "abcde"
    assert run.state["rows"] == rows("abcde")


def test_after_keys_the_others_agree_that_it_is_gone(city: City) -> None:
    run = joined(city)
    assert phases(city, run, ("f",)) == ["round", "agree", "reveal"]
    assert sites_of(run, 0) == "abcde"
    assert run.state["rows"] == rows("abcde")
    assert run.attendance.missing == {"f": "no_answer"}


def test_after_encryption_its_term_stays_in_the_sum(city: City) -> None:
    run = joined(city)
    city.turn(run)
    city.turn(run, silent=("f",))
    assert run.round == 1
    assert sites_of(run, 0) == "abcdef"
    assert run.state["rows"] == rows("abcdef")


def test_a_site_that_comes_back_takes_part_in_the_round_after(city: City) -> None:
    run = joined(city, silent=("f",))
    city.turn(run)  # f is asked to join beside the round, and does
    city.turn(run)
    assert run.round == 1
    assert phases(city, run, ()) == ["round", "reveal"]
    assert (sites_of(run, 0), sites_of(run, 1)) == ("abcde", "abcdef")
    finish(city, run)
    assert replay(run.checkpoint.folder, counting_programs.Counting(), city.keys.roster) == run.state


def test_a_term_that_is_late_is_destroyed(city: City) -> None:
    run = joined(city)
    run.begin()
    frames = city.exchange(run)
    late = frames.pop("f")
    for site, frame in frames.items():
        run.take(site, frame)
    run.conclude()
    assert run.phase == "agree"
    before = run.checkpoint.closed_round(0)
    run.take("f", late)
    assert run.attendance.left == {"f": "bad_message"}
    while run.round == 0:
        city.turn(run, silent=("f",))
    assert sites_of(run, 0) == "abcde"
    assert run.state["rows"] == rows("abcde")
    assert before is not None and late not in before


def test_below_the_quorum_nothing_is_opened(city: City) -> None:
    run = joined(city)
    with pytest.raises(QuorumError, match=r"4 of 6 sites contributed to round 0.*e \(no_answer\), f \(no_answer\)"):
        city.turn(run, silent=("e", "f"))
    assert opened(city) == 0


@pytest.mark.parametrize("step", ["agree", "reveal"])
def test_a_second_site_that_dies_while_the_first_is_left_out_ends_the_run_closed(city: City, step: str) -> None:
    run = joined(city)
    city.turn(run, silent=("f",))
    if step == "reveal":
        city.turn(run, silent=("f",))
    assert run.phase == step
    with pytest.raises(QuorumError, match="no other list of survivors may be unmasked"):
        city.turn(run, silent=("e", "f"))
    assert opened(city) == 0


def test_a_restarted_coordinator_goes_on_where_survivors_were_agreeing(city: City) -> None:
    killed = joined(city)
    city.turn(killed, silent=("f",))
    city.turn(killed, silent=("f",))
    assert killed.phase == "reveal"
    following = city.task_run()
    assert (following.resumed, following.run) == (True, killed.run)
    city.turn(following, silent=("f",))
    assert following.phase == "agree"
    finish(city, following, silent=("f",))
    assert sites_of(following, 0) == "abcde"
    assert opened(city) == 2
