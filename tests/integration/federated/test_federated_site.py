"""A site's application and the coordinator's task run: real keys, ciphertexts and authority; only Flower is absent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import counting_programs
import numpy as np
import pytest
from counting_city import City, counting_task

from benchmarks.number_task import write_numbers, write_task
from contracts.errors import PrivacyError, QuorumError, SpecError
from contracts.messages import Refusal, parse_site_message
from contracts.sums import Block, Layout, State
from contracts.wire import pack, unpack
from federated.coordinator.checkpoint import read_result, replay
from federated.coordinator.task_run import TaskRun
from federated.envelope import Request, pack_sites
from governance.audit import read_audit

VALUES = {"east": [1.0, 2.5], "north": [4.0], "south": [-7.5, 0.0]}


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    city = City(tmp_path, VALUES)
    yield city
    city.close()


def kind(frame: bytes) -> str:
    """What sort of message a site answered with."""
    return str(parse_site_message(frame).model_dump()["kind"])


def asked(run: TaskRun) -> dict[str, Request]:
    """What the sites are asked next."""
    run.begin()
    return run.requests()


def code(frame: bytes) -> str:
    header = parse_site_message(frame)
    assert isinstance(header, Refusal)
    return header.code.value


def test_a_program_runs_to_its_end_and_its_state_can_be_replayed_from_signed_totals(city: City) -> None:
    run = city.started()
    while run.phase != "over":
        city.turn(run)
    run.checkpoint.write_result(run.figures())
    state = replay(run.checkpoint.folder, counting_programs.Counting(), city.keys.roster)
    values = np.concatenate(list(VALUES.values()))
    assert (state["rows"], state["x"]) == (5.0, values.sum())
    assert state == run.state
    assert read_result(run.checkpoint.folder)["rounds"] == 2
    assert read_result(run.checkpoint.folder)["bytes_per_slot"] <= 16.5
    assert all(not site.runs for site in city.sites.values()), "sites forget a run that ended"


def test_a_program_that_is_not_the_hospitals_own_is_refused_and_audited(city: City) -> None:
    run = city.task_run()
    write_task(city.root / "region", "count", max_rows=501)
    frames = city.exchange(run)
    assert {code(frame) for frame in frames.values()} == {"wrong_program"}
    entries = [entry.facts for entry in read_audit(city.sites["north"].guard.audit.path)]
    assert entries == [{"code": "wrong_program", "run": run.run, "about": ""}]
    for site, frame in frames.items():
        run.take(site, frame)
    with pytest.raises(QuorumError, match=r"0 of 3 sites joined.*east \(wrong_program\)"):
        run.conclude()


def test_a_site_without_rows_says_so_by_its_code(city: City) -> None:
    run = city.task_run()
    city.sites["north"].settings = city.sites["north"].settings.model_copy(update={"zone": city.root / "empty"})
    frames = city.exchange(run)
    assert code(frames["north"]) == "no_data"


def test_a_descriptor_of_another_authority_is_refused(city: City, tmp_path: Path) -> None:
    frame = unpack(city.task_run().descriptor)
    forged = pack(frame.header, city.keys.commission.sign(frame.header), frame.parts)
    assert (
        code(city.sites["east"].answer(Request("join", "0" * 32, parts=(("descriptor", forged),)))) == "bad_signature"
    )


def test_two_sites_cannot_be_shown_different_states(city: City) -> None:
    other = city.started()
    elsewhere = asked(other)["east"].named("total")[0]
    other.checkpoint.write_result({})
    run = city.started()
    honest = asked(run)["east"]
    total = honest.named("total")[0]
    frame = unpack(total)
    slots = bytearray(frame.parts[0])
    slots[0] ^= 1
    altered = Request("round", run.run, 1, parts=(("total", pack(frame.header, frame.signature, [bytes(slots)])),))
    assert code(city.sites["east"].answer(altered)) == "content_altered"
    withheld = Request("round", run.run, 1)
    assert code(city.sites["east"].answer(withheld)) == "wrong_round"
    swapped = Request("round", run.run, 1, parts=(("total", elsewhere),))
    assert code(city.sites["east"].answer(swapped)) == "wrong_run"
    assert kind(city.sites["east"].answer(honest)) == "term"


def test_a_second_total_for_a_round_is_refused(city: City) -> None:
    run = city.started()
    request = asked(run)["east"]
    total = request.named("total")[0]
    assert city.sites["east"].answer(request)
    again = Request("end", run.run, 1, parts=(("total", total + b"\0"),))
    assert code(city.sites["east"].answer(again)) == "wrong_state"


def test_the_same_request_gets_the_same_frame_again(city: City) -> None:
    run = city.started()
    request = asked(run)["south"]
    assert city.sites["south"].answer(request) == city.sites["south"].answer(request)


def test_a_round_asked_without_joining_is_refused(city: City) -> None:
    assert code(city.sites["east"].answer(Request("round", "0" * 32))) == "unknown_run"


def test_a_site_that_does_not_answer_is_left_out_and_breaks_the_quorum(city: City) -> None:
    run = city.task_run()
    city.turn(run)
    run.begin()
    for site, frame in city.exchange(run).items():
        if site != "south":
            run.take(site, frame)
    with pytest.raises(QuorumError, match=r"2 of 3 sites contributed to round 0.*south \(no_answer\)"):
        run.conclude()
    assert not list(run.checkpoint.folder.glob("total-*"))


def finish(city: City, run: TaskRun) -> State:
    """Drive a run to its end; the state that a replay of its checkpoint gives."""
    while run.phase != "over":
        city.turn(run)
    assert run.error is None
    assert run.round == 2
    return replay(run.checkpoint.folder, counting_programs.Counting(), city.keys.roster)


def opened(city: City, run: str) -> list[int]:
    chain = read_audit(city.keys.folder / "audit.jsonl")
    return [entry.facts["round"] for entry in chain if entry.event == "opened" and entry.facts["run"] == run]


EXCHANGES = ("join", "round", "reveal", "round", "reveal", "end")


@pytest.mark.parametrize("killed_in", range(len(EXCHANGES)), ids=lambda number: f"{number} {EXCHANGES[number]}")
def test_a_killed_coordinator_goes_on_where_it_was_and_opens_nothing_twice(city: City, killed_in: int) -> None:
    """Killed after the sites have answered: what it learned from them is lost."""
    killed = city.task_run()
    for phase in EXCHANGES[:killed_in]:
        assert killed.phase == phase
        city.turn(killed)
    killed.begin()
    for site, frame in city.exchange(killed).items():
        killed.take(site, frame)
    following = city.task_run()
    assert (following.resumed, following.run, following.round) == (True, killed.run, killed.round)
    state = finish(city, following)
    assert (state["rows"], state["x"]) == (5.0, np.concatenate(list(VALUES.values())).sum())
    assert opened(city, killed.run) == [0, 1]


def test_a_coordinator_that_was_killed_before_it_kept_the_total_asks_the_authority_the_same_again(city: City) -> None:
    killed = city.task_run()
    while killed.phase != "reveal":
        city.turn(killed)
    kept = {path.name: path.read_bytes() for path in killed.checkpoint.folder.iterdir()}
    for site, frame in city.exchange(killed).items():
        killed.take(site, frame)
    request = killed.aggregator.request()
    city.authority.open(killed.run, request)
    assert {path.name: path.read_bytes() for path in killed.checkpoint.folder.iterdir()} == kept
    killed.checkpoint.keep_request(0, request)
    following = city.task_run()
    finish(city, following)
    assert opened(city, killed.run) == [0, 1]


def test_a_site_whose_worker_was_killed_goes_on_and_says_the_same(city: City) -> None:
    run = city.task_run()
    city.turn(run)
    for phase in ("round", "reveal", "round"):
        assert run.phase == phase
        run.begin()
        requests = run.requests()
        city.reopen("north")
        frames = {site: city.sites[site].answer(request) for site, request in requests.items()}
        again = city.sites["north"].answer(requests["north"])
        assert kind(frames["north"]) == kind(again) != "refusal"
        for site, frame in frames.items():
            run.take(site, frame)
        run.conclude()
    state = finish(city, run)
    assert state["rows"] == 5.0


def test_a_site_leaves_nothing_of_a_run_that_ended(city: City) -> None:
    finish(city, city.task_run())
    for site in VALUES:
        zone = city.sites[site].settings.site_zone
        assert not list(zone.runs.iterdir())
        assert not list((zone.secrets / "runs").iterdir())


def test_papers_of_a_run_whose_end_a_killed_worker_missed_go_when_the_site_joins_the_next(city: City) -> None:
    missed = city.started()
    city.reopen("north")
    missed.checkpoint.write_result({})
    city.authority.close_run(missed.run)
    run = city.started()
    zone = city.sites["north"].settings.site_zone
    assert [path.name for path in zone.runs.iterdir()] == [run.run]
    assert [path.stem for path in (zone.secrets / "runs").iterdir()] == [run.run]


def test_a_coordinator_killed_between_the_end_and_the_result_finishes_the_same_run(city: City) -> None:
    killed = city.task_run()
    finish(city, killed)
    city.authority.close_run(killed.run)
    following = city.task_run()
    assert (following.resumed, following.run, following.phase) == (True, killed.run, "end")
    assert finish(city, following) == killed.state


def test_a_site_never_joins_a_run_again_that_it_has_left(city: City) -> None:
    """Else it could be made to forget for which survivors it revealed its shares, and reveal them for others."""
    run = city.task_run()
    join = run.requests()["north"]
    while run.phase != "reveal":
        city.turn(run)
    city.turn(run)
    assert kind(city.sites["north"].answer(Request("end", run.run, 0))) == "heartbeat"
    assert code(city.sites["north"].answer(join)) == "run_closed"
    city.reopen("north")
    assert code(city.sites["north"].answer(join)) == "run_closed"


def test_a_run_that_ended_in_an_error_is_ended_at_the_sites_too(city: City) -> None:
    run = city.started()
    run.fail(QuorumError("for a test"))
    city.turn(run)
    assert (run.phase, str(run.error)) == ("over", "for a test")
    assert not any(site.runs for site in city.sites.values())


def test_a_run_of_another_program_is_closed_and_not_resumed(city: City) -> None:
    killed = city.started()
    write_task(city.root / "region", "count", max_rows=501)
    city.digest = counting_programs.program_digest(counting_task(city.root))
    city.keys.approve(task="count", program=city.digest)
    following = city.task_run()
    assert not following.resumed
    assert not city.authority.is_open(killed.run)
    assert [path.name for path in (city.keys.folder / "secrets" / "runs").iterdir()] == [following.run]


def test_a_run_that_was_left_behind_cannot_go_on_with_other_data(city: City) -> None:
    city.started()
    write_numbers(city.sites["north"].settings.site_zone, "count", [4.0, 5.0])
    city.reopen("north")
    run = city.task_run()
    assert run.resumed
    city.turn(run)
    with pytest.raises(QuorumError, match=r"north \(wrong_snapshot\)") as error:
        city.turn(run)
    run.fail(error.value)
    assert run.is_stale


def write_policy(city: City, site: str, text: str) -> None:
    path = city.sites[site].settings.site_zone.governance / "policy.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("text", ['programs = ["other"]', "min_rows = 2"])
def test_a_hospital_abstains_by_its_own_policy_and_does_not_say_why(city: City, text: str) -> None:
    write_policy(city, "north", text)
    assert code(city.exchange(city.task_run())["north"]) == "policy"


def test_a_hospital_takes_part_in_as_many_openings_a_month_as_it_wants(city: City) -> None:
    write_policy(city, "north", "openings_a_month = 1")
    run = city.started()
    run.begin()
    assert code(city.exchange(run)["north"]) == "policy"


def test_a_policy_that_cannot_be_read_stops_the_site(city: City) -> None:
    write_policy(city, "north", "min_row = 2")
    with pytest.raises(SpecError, match=r"policy\.toml"):
        city.exchange(city.task_run())


class Converging(counting_programs.Counting):
    """A program whose second sum is asked at nearly the same point as the first."""

    def change(self, before: State, after: State) -> float:
        return 1e-4


def test_near_convergence_a_site_refuses_a_sum_over_other_sites(city: City) -> None:
    run = city.started()
    site = city.sites["north"].runs[run.run]
    run.begin()
    request = run.requests()["north"]
    site.program = Converging()
    other = [part for part in request.parts if part[0] != "members"]
    fewer = Request("round", run.run, 1, 0, (("members", pack_sites(("east", "north"))), *other))
    assert code(city.sites["north"].answer(fewer)) == "near_repeat"
    assert kind(city.sites["north"].answer(request)) == "term"


def test_near_convergence_the_coordinator_ends_the_run_rather_than_leave_a_site_out(city: City) -> None:
    run = city.task_run()
    run.program = Converging()
    while run.round == 0:
        city.turn(run)
    run.attendance.lose({"south"})
    with pytest.raises(PrivacyError, match=r"south dropped out .* hardly changed any more"):
        run.begin()


class TooWide(counting_programs.Counting):
    """A program whose sums do not fit the plain modulus."""

    def layout(self, state: State) -> Layout:
        return (Block("rows", (), 1e60), *super().layout(state)[1:])


def test_a_sum_that_does_not_fit_is_declined_by_the_site_and_nothing_is_sent(city: City) -> None:
    run = city.task_run()
    city.turn(run)
    site = next(iter(city.sites))
    city.sites[site].runs[run.run].program = TooWide()
    run.begin()
    assert code(city.sites[site].answer(run.requests()[site])) == "policy"
    egress = city.root / site / "egress"
    assert [entry.facts["code"] for entry in read_audit(egress / "audit.jsonl")] == ["policy"]
    assert [entry.facts["kind"] for entry in read_audit(egress / "ledger.jsonl")] == ["key", "refusal"]
