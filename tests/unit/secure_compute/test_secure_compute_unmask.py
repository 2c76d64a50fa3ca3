"""What survivors reveal: when it is enough, and what is done with shares that are not true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from secure_region import RunningRun, SecureRegion

from contracts.errors import QuorumError, RefusedError
from contracts.messages import SHARE_BYTES, ShareMessage
from contracts.sums import Block
from contracts.wire import parts_digest
from governance.signing import open_message, sign_message
from secure_compute.masks import pack_share, unpack_shares

LAYOUT = (Block("count", (3,), 100.0),)
SIX = ("a", "b", "c", "d", "e", "f")
TERMS = {site: {"count": np.arange(3.0)} for site in SIX}


@pytest.fixture
def region(tmp_path: Path) -> SecureRegion:
    return SecureRegion(tmp_path, SIX)


@pytest.fixture
def run(region: SecureRegion) -> Iterator[RunningRun]:
    with region.authority() as authority:
        yield region.start(authority)


def revealed(run: RunningRun, site: str, *agreements: bytes) -> bytes:
    added = run.aggregator
    return run.sessions[site].reveal(0, 0, added.members, added.sites, added.sealed_for(site), agreements)


def altered(region: SecureRegion, frame: bytes, part: bytes, **changes: int) -> bytes:
    """What a lying site signs in the place of what it holds."""
    header, _ = open_message(frame, ShareMessage, None)
    new = header.model_copy(update={"content": parts_digest((part,)), **changes})
    return sign_message(region.identities[header.site], new, (part,))


def test_threshold_many_are_enough_when_all_members_contributed(run: RunningRun) -> None:
    run.closed(LAYOUT, run.contributions(LAYOUT, TERMS))
    for count, site in enumerate(SIX[:5]):
        assert run.aggregator.can_unmask is False, count
        run.aggregator.reveal(revealed(run, site))
    assert run.aggregator.can_unmask
    total = run.aggregator.accept_total(run.authority.open(run.run, run.aggregator.request()))
    assert total.values()["count"].tolist() == [0.0, 6.0, 12.0]


def test_all_survivors_are_needed_when_a_member_dropped_out(run: RunningRun) -> None:
    five = SIX[:5]
    run.closed(LAYOUT, run.contributions(LAYOUT, {site: TERMS[site] for site in five}, members=SIX), members=SIX)
    agreements = [run.sessions[site].agree(0, 0, SIX, five) for site in five]
    for site in five[:4]:
        run.aggregator.reveal(revealed(run, site, *agreements))
    assert not run.aggregator.can_unmask
    with pytest.raises(QuorumError, match="cannot be completed"):
        run.aggregator.request()


def test_a_share_that_is_none_is_passed_over_and_a_false_one_ends_the_round(
    region: SecureRegion, run: RunningRun
) -> None:
    run.closed(LAYOUT, run.contributions(LAYOUT, TERMS))
    frames = {site: revealed(run, site) for site in SIX}
    part = bytes(open_message(frames["a"], ShareMessage, None)[1][0])
    none = altered(region, frames["a"], b"\xff" * SHARE_BYTES * 6)
    false = altered(region, frames["a"], pack_share(unpack_shares(part)[0] ^ np.uint64(1)) + part[SHARE_BYTES:])
    for frame in (none, *[frames[site] for site in SIX[1:]]):
        run.aggregator.reveal(frame)
    run.aggregator.reveal(false)
    with pytest.raises(RefusedError, match="bad_share: the shares of 'a' do not give what it committed to"):
        run.aggregator.request()
    run.aggregator.reveal(none)
    total = run.aggregator.accept_total(run.authority.open(run.run, run.aggregator.request()))
    assert total.values()["count"].tolist() == [0.0, 6.0, 12.0]


def test_anything_but_one_share_a_survivor_is_refused(region: SecureRegion, run: RunningRun) -> None:
    run.closed(LAYOUT, run.contributions(LAYOUT, TERMS))
    frame = revealed(run, "a")
    part = bytes(open_message(frame, ShareMessage, None)[1][0])
    for wrong in (
        altered(region, frame, part[:-1]),
        altered(region, frame, part[:-SHARE_BYTES], shares=5),
        altered(region, frame, part + bytes(32), seeds=1),
    ):
        with pytest.raises(RefusedError, match="wrong_length"):
            run.aggregator.reveal(wrong)
