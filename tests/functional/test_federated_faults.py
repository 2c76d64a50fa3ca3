"""Five runs of the campaign of kills (``make faults``), with two kills each, and what the campaign is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from benchmarks import faults
from benchmarks.fault_checks import FaultError, check_gone, check_run
from benchmarks.fault_plan import EXCHANGES, KINDS, plan
from benchmarks.fault_programs import SUMS
from benchmarks.fault_region import NAMES, FaultRegion, fault_region
from benchmarks.fault_run import Outcome
from contracts.region import Task
from contracts.zone import SiteZone
from federated.site.rows import Snapshot, load_rows

MOST_KILLS = 2
SEEDS = (1, 2, 3, 4, 5)

Run = Callable[[int], faults.Line]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultRegion]:
    root = tmp_path_factory.mktemp("faults")
    with fault_region(root, 4) as region:
        yield region
    check_gone(root)


@pytest.fixture(scope="module")
def run(region: FaultRegion) -> Run:
    """A run by its seed, once."""
    return cache(lambda seed: faults.try_run(region, seed, seed, MOST_KILLS))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_ends_as_a_plain_replay_does_whoever_is_killed_in_it(run: Run, seed: int) -> None:
    line = run(seed)
    assert (line["error"], line["sums"]) == (None, SUMS)
    assert line["kills"]


def test_a_total_that_is_missing_is_found(region: FaultRegion, run: Run) -> None:
    run(SEEDS[0])
    last = region.checkpoint / f"total-{SUMS - 1:04d}.frame"
    kept = last.read_bytes()
    last.unlink()
    try:
        with pytest.raises(FaultError, match=f"the checkpoint has {SUMS - 1} totals"):
            check_run(region, Outcome(is_done=True), 4)
    finally:
        last.write_bytes(kept)


def test_rows_that_are_not_in_the_totals_are_found(
    region: FaultRegion, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(SEEDS[0])
    monkeypatch.setattr("benchmarks.fault_checks.load_rows", _load_rows_less_one)
    with pytest.raises(FaultError, match="total 0 is not the plain sum of east, harbour, hill, north"):
        check_run(region, Outcome(is_done=True), 4)


def test_processes_that_are_left_are_found(region: FaultRegion) -> None:
    with pytest.raises(FaultError, match="processes that are left"):
        check_gone(region.root)


@pytest.mark.parametrize("error", [None, "QuorumError"])
def test_a_run_that_is_not_done_is_a_fault_where_all_come_back(region: FaultRegion, error: str | None) -> None:
    with pytest.raises(FaultError, match="the run ended with"):
        check_run(region, Outcome(error=error), 4)


def test_a_plan_depends_on_its_seed_and_keeps_a_site_away_only_where_the_quorum_lets_it() -> None:
    plans = {run: plan(7, run, NAMES, 5) for run in range(200)}
    assert plans[11] == plan(7, 11, NAMES, 5) != plan(8, 11, NAMES, 5)
    kills = [kill for one in plans.values() for kill in one]
    assert {kill.kind for kill in kills} == set(KINDS)
    assert {kill.after for kill in kills} == set(range(EXCHANGES))
    assert max(sum(kill.away is not None for kill in one) for one in plans.values()) == 1
    assert any(kill.away == math.inf for kill in kills)
    assert not any(kill.away for run in range(200) for kill in plan(7, run, NAMES[:4], 4))
    assert not plans[0] and not plans[8]


def test_progress_is_read_again_without_a_line_that_was_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "seed-1.jsonl"
    path.write_text('{"run": 0, "kills": [[1.0, "worker", "worker-east"]]}\n{"run": 1, "ki')
    assert faults.count_kills(faults.read_lines(path)) == 1
    assert path.read_text().endswith("]]}\n")
    assert faults.read_lines(tmp_path / "none.jsonl") == []


def test_a_kill_costs_what_the_exchanges_until_the_next_took_more_than_usual() -> None:
    quiet = {"kills": [], "marks": [[3.0, "0 join"], [4.0, "0 round"], [5.0, "0 reveal"], [6.0, "done"]]}
    marks = [[3.5, "0 join"], [7.0, "0 round"], [9.0, "1 join"], [10.0, "0 reveal"], [11.0, "done"]]
    killed = {"kills": [[3.6, "worker", "worker-east"], [7.5, "coordinator", "coordinator"]], "marks": marks}
    assert faults.costs([quiet, killed]) == {"worker": [2.5], "coordinator": [2.0]}


def _load_rows_less_one(zone: SiteZone, task: Task) -> Snapshot:
    snapshot = load_rows(zone, task)
    assert snapshot is not None
    return replace(snapshot, rows={name: column[1:] for name, column in snapshot.rows.items()})
