"""A closed round as the coordinator keeps it: as bytes and back, and a restarted coordinator opens the same total."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from secure_region import RunningRun, SecureRegion

from contracts.errors import QuorumError, RefusedError
from contracts.messages import SEALED_SHARE_BYTES
from contracts.sums import Block
from contracts.wire import pack, unpack
from secure_compute.aggregate import Aggregator
from secure_compute.pending_round import PendingRound

LAYOUT = (Block("count", (3,), 100.0, 0.5, None), Block("buckets", (5000,), 10.0, 1.0, 5))
SIX = ("a", "b", "c", "d", "e", "f")
TERMS = {site: {"count": np.arange(3.0) + number, "buckets": np.full(5000, 1.0)} for number, site in enumerate(SIX)}


def kept(members: tuple[str, ...], survivors: tuple[str, ...]) -> PendingRound:
    pending = PendingRound(4, 2, LAYOUT, members, sums=(b"first sum", b"second sum"))
    for site in survivors:
        pending.headers[site] = f"header of {site}".encode()
        others = [other for other in members if other != site]
        pending.keep_shares(site, b"".join(f"{site}>{other}".encode().ljust(SEALED_SHARE_BYTES) for other in others))
    return pending


@pytest.mark.parametrize("survivors", [SIX, ("a", "c", "f"), ("b",)])
def test_a_kept_round_comes_back(survivors: tuple[str, ...]) -> None:
    pending = kept(SIX, survivors)
    again = PendingRound.from_bytes(pending.to_bytes())
    assert again == pending
    assert again.to_bytes() == pending.to_bytes()
    for sender in survivors:
        for receiver in SIX:
            if receiver != sender:
                assert again.share(sender, receiver).strip() == f"{sender}>{receiver}".encode()


def test_shares_that_are_not_one_for_each_other_member_are_refused() -> None:
    pending = PendingRound(0, 0, LAYOUT, SIX)
    for wrong in (b"", bytes(SEALED_SHARE_BYTES * 6), bytes(SEALED_SHARE_BYTES * 5 - 1)):
        with pytest.raises(RefusedError, match="wrong_length"):
            pending.keep_shares("a", wrong)


def test_bytes_that_are_no_kept_round_are_refused() -> None:
    data = kept(SIX, SIX).to_bytes()
    frame = unpack(data)
    for junk in (b"", b"junk", data[:-1], pack(frame.header, b"", frame.parts[:12]), pack(b"{}", b"", frame.parts)):
        with pytest.raises(RefusedError, match="bad_message"):
            PendingRound.from_bytes(junk)


@pytest.fixture
def region(tmp_path: Path) -> SecureRegion:
    return SecureRegion(tmp_path, SIX)


def restarted(region: SecureRegion, run: RunningRun) -> Aggregator:
    """A coordinator that has the run's descriptor and keys only."""
    again = Aggregator(run.descriptor, region.roster)
    again.learn_keys(run.aggregator.keys.values())
    run.aggregator = again
    return again


@pytest.mark.parametrize("members", [SIX[:5], SIX], ids=["all there", "one dropped out"])
def test_a_restarted_coordinator_opens_the_same_total(region: SecureRegion, members: tuple[str, ...]) -> None:
    with region.authority() as authority:
        run = region.start(authority)
        frames = run.contributions(LAYOUT, {site: TERMS[site] for site in SIX[:5]}, members=members)
        closed = run.closed(LAYOUT, frames, members=members)
        run.unmask()  # answered before the coordinator died: sites say the same again
        again = restarted(region, run)
        again.resume(closed)
        assert (again.sites, again.members, again.can_unmask) == (SIX[:5], members, False)
        assert again.needs_agreement == (members == SIX)
        with pytest.raises(QuorumError):
            again.request()
        with pytest.raises(RefusedError, match="late term"):
            again.add(frames["a"])
        run.unmask()
        total = again.accept_total(authority.open(run.run, again.request())).values()
    assert total["count"].tolist() == [10.0, 15.0, 20.0]
    assert total["buckets"].tolist() == [1.0] * 5000


def test_a_kept_round_of_another_time_or_content_is_not_resumed(region: SecureRegion) -> None:
    with region.authority() as authority:
        run, other = region.start(authority), region.start(authority)
        closed = run.closed(LAYOUT, run.contributions(LAYOUT, TERMS))
        foreign = other.closed(LAYOUT, other.contributions(LAYOUT, TERMS))
        with pytest.raises(RefusedError, match="wrong_run"):
            run.aggregator.resume(foreign)
        pending = PendingRound.from_bytes(closed)
        pending.headers["a"] = PendingRound.from_bytes(foreign).headers["b"]
        with pytest.raises(RefusedError, match="bad_signature"):
            run.aggregator.resume(pending.to_bytes())
        run.aggregator.round = 1
        with pytest.raises(RefusedError, match="wrong_round"):
            run.aggregator.resume(closed)
