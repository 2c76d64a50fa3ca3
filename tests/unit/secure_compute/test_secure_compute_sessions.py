"""Several runs of one party side by side, and what the authority keeps of runs that were left behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from secure_region import PROGRAM, TASK, SecureRegion, ciphertexts_of

from contracts.errors import RefusedError
from contracts.messages import Head, RefusalCode, parse_site_message
from contracts.sums import Block
from contracts.wire import digest
from governance.signing import open_message
from secure_compute.aggregate import Aggregator
from secure_compute.authority import runs
from secure_compute.head_memory import HeadMemory

LAYOUT = (Block("count", (3,), 100.0), Block("buckets", (4,), 10.0, at_least=3))
SITES = ("east", "north", "west")
TERMS = {site: {"count": np.ones(3), "buckets": np.array([0.0, 1.0, 2.0, 3.0])} for site in SITES}


@pytest.fixture
def region(tmp_path: Path) -> SecureRegion:
    return SecureRegion(tmp_path, SITES)


def test_two_runs_of_the_same_sites_may_interleave(region: SecureRegion) -> None:
    with region.authority() as authority:
        first = authority.create_run(TASK, PROGRAM)
        second = region.start(authority)
        second.open(LAYOUT, TERMS)
        sessions = {site: region.session(site) for site in SITES}
        keys = {site: session.join(first, PROGRAM) for site, session in sessions.items()}
        sealed = authority.register_keys(sessions["east"].run.descriptor.run, keys)
        second.open(LAYOUT, TERMS)  # sites see later heads before the earlier seeds reach them
        for site in SITES:
            sessions[site].receive_seed(sealed[site])
        assert second.aggregator.round == 2


def test_sums_are_released_as_the_layout_says(region: SecureRegion) -> None:
    with region.authority() as authority:
        values = region.start(authority).open(LAYOUT, TERMS).values()
    assert values["count"].tolist() == [3.0, 3.0, 3.0]
    assert values["buckets"].tolist() == [0.0, 1.0, 1.0, 1.0]


def test_a_small_sum_takes_one_ciphertext_of_each_site(region: SecureRegion) -> None:
    with region.authority() as authority:
        run = region.start(authority)
        frames = run.contributions(LAYOUT, TERMS)
    sent = [ciphertexts_of(frame) for frame in frames.values()]
    assert all(len(ciphertexts) == 1 and 0 < len(ciphertexts[0]) < 16.5 * 4096 for ciphertexts in sent)


def test_equal_histories_give_equal_states_in_different_runs(region: SecureRegion) -> None:
    with region.authority() as authority:
        runs_made = [region.start(authority) for _ in range(2)]
        for run in runs_made:
            run.open(LAYOUT, TERMS)
    assert runs_made[0].run != runs_made[1].run
    assert runs_made[0].aggregator.state == runs_made[1].aggregator.state


def test_a_quorum_below_the_roster_opens_without_the_missing(tmp_path: Path) -> None:
    there = ("a", "b", "d", "e", "f")
    region = SecureRegion(tmp_path, ("a", "b", "c", "d", "e", "f"), quorum=5)
    with region.authority() as authority:
        run = region.start(authority, there)
        total = run.open(LAYOUT, {site: TERMS["east"] for site in there})
    assert total.header.sites == there
    assert total.values()["count"].tolist() == [5.0, 5.0, 5.0]


def test_a_run_goes_on_after_the_authority_restarts(region: SecureRegion) -> None:
    authority = region.authority()
    run = region.start(authority)
    run.open(LAYOUT, TERMS)
    authority.close()
    with region.authority() as restarted:
        run.authority = restarted
        run.open(LAYOUT, TERMS)
    assert run.aggregator.round == 2


def test_a_run_that_was_left_behind_loses_its_keys(region: SecureRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = region.authority()
    run = region.start(authority)
    secrets = region.folder / "secrets" / "runs" / run.run
    authority.close()
    region.authority().close()
    assert secrets.is_dir()
    monkeypatch.setattr(runs, "RUN_LIFETIME", timedelta(0))
    with region.authority() as restarted:
        assert not secrets.exists()
        with pytest.raises(RefusedError, match="run_closed"):
            restarted.open(run.run, run.request(LAYOUT, run.contributions(LAYOUT, TERMS)))


def test_a_closed_run_loses_its_keys_at_once(region: SecureRegion) -> None:
    with region.authority() as authority:
        run = region.start(authority)
        authority.close_run(run.run)
        assert not (region.folder / "secrets" / "runs" / run.run).exists()
        with pytest.raises(RefusedError, match="run_closed"):
            authority.open(run.run, run.request(LAYOUT, run.contributions(LAYOUT, TERMS)))


def test_a_coordinator_accepts_only_the_next_total(region: SecureRegion) -> None:
    with region.authority() as authority:
        run = region.start(authority)
        signed = authority.open(run.run, run.request(LAYOUT, run.contributions(LAYOUT, TERMS)))
        run.aggregator.accept_total(signed)
        with pytest.raises(RefusedError, match="wrong_round"):
            run.aggregator.accept_total(signed)
        with pytest.raises(RefusedError, match="wrong_round"):
            run.aggregator.start(0, 0, LAYOUT, run.aggregator.state, region.sites)
        with pytest.raises(RefusedError, match="wrong_state"):
            run.aggregator.start(1, 0, LAYOUT, digest(b"another state"), region.sites)
        with pytest.raises(RefusedError, match="no round was started"):
            Aggregator(run.descriptor, region.roster).request()


def test_refusals_and_heartbeats_are_signed_and_hold_nothing_else(region: SecureRegion) -> None:
    session = region.session("east")
    for frame in (session.refuse(RefusalCode.NO_DATA), session.heartbeat(3)):
        header = parse_site_message(frame)
        _, parts = open_message(frame, type(header), region.identities["east"].public)
        assert parts == ()


def test_a_forked_chain_is_noticed_by_who_remembers_its_head(tmp_path: Path) -> None:
    memory = HeadMemory(tmp_path / "head")
    memory.remember(Head(entries=5, last=digest(b"five")))
    memory.remember(Head(entries=4, last=digest(b"an old message")))
    assert memory.last == Head(entries=5, last=digest(b"five"))
    with pytest.raises(RefusedError, match="ledger_restored"):
        memory.remember(Head(entries=5, last=digest(b"another five")))
    with pytest.raises(RefusedError, match="ledger_restored"):
        memory.require_fresh(Head(entries=4, last=digest(b"four")), memory.last)
    assert HeadMemory(tmp_path / "head").last == memory.last


def test_the_authoritys_secrets_are_its_owners_alone(region: SecureRegion) -> None:
    with region.authority() as authority:
        region.start(authority).open(LAYOUT, TERMS)
        secrets = [path for path in (region.folder / "secrets").rglob("*") if path.is_file()]
        assert {path.name for path in secrets} == {
            "vault.json", "authority.key", "storage.key", "bfv.key", "exchange.key", "r.seed",
        }  # fmt: skip
        assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
