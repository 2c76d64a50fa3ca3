"""SECURE_SUM rules 9 and 10 over many runs: no two openings whose difference is one site's term, no forgotten ledger.

Six sites, quorum five: without the rule the sum over six less the sum over five is the term of the one left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from secure_region import PROGRAM, REGION, SNAPSHOT, TASK, DirectAuthority, SecureRegion, ciphertexts_of, forge

from contracts.errors import RefusedError
from contracts.sums import Block
from contracts.wire import digest
from governance.roster import make_roster, read_roster
from secure_compute.authority import policy
from secure_compute.authority_client import AuthorityClient
from secure_compute.site_session import SiteSession

LAYOUT = (Block("count", (3,), 100.0),)
SIX = ("a", "b", "c", "d", "e", "f")
TERMS = {site: {"count": np.arange(3.0) + 10 * number} for number, site in enumerate(SIX)}
NEWER = digest(b"newer data")


@pytest.fixture
def region(tmp_path: Path) -> SecureRegion:
    return SecureRegion(tmp_path, SIX)


def opened(
    region: SecureRegion, authority: AuthorityClient, sites: Sequence[str], changed: Sequence[str] = ()
) -> np.ndarray:
    """The first total of a new run over these sites; the data of the ``changed`` ones are newer."""
    run = region.start(authority)
    frames = {}
    for site in sites:
        snapshot = NEWER if site in changed else SNAPSHOT
        frames[site] = run.sessions[site].contribute(0, 0, LAYOUT, TERMS[site], snapshot, tuple(sites))
    total = run.aggregator.accept_total(authority.open(run.run, run.request(LAYOUT, frames)))
    return total.values()["count"]


def without(*left_out: str) -> tuple[str, ...]:
    return tuple(site for site in SIX if site not in left_out)


def test_two_openings_that_differ_by_one_site_would_tell_its_term(
    region: SecureRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    with region.authority() as authority, monkeypatch.context() as off:
        off.setattr(policy, "FEWEST_DIFFERENCES", 0)
        difference = opened(region, authority, SIX) - opened(region, authority, without("f"))
        assert np.array_equal(difference, TERMS["f"]["count"])


def test_a_roster_that_differs_from_an_opened_one_by_one_site_is_refused(region: SecureRegion) -> None:
    with region.authority() as authority:
        opened(region, authority, SIX)
        with pytest.raises(RefusedError, match="roster_too_close"):
            opened(region, authority, without("f"))
        assert np.array_equal(opened(region, authority, SIX), sum(term["count"] for term in TERMS.values()))
    with region.authority() as restarted, pytest.raises(RefusedError, match="roster_too_close"):
        opened(region, restarted, without("e"))
    assert region.refusals() == ["roster_too_close", "roster_too_close"]


def test_it_holds_the_other_way_round_too(region: SecureRegion) -> None:
    with region.authority() as authority:
        opened(region, authority, without("f"))
        with pytest.raises(RefusedError, match="roster_too_close"):
            opened(region, authority, SIX)


def test_rosters_that_differ_by_two_sites_are_both_opened(region: SecureRegion) -> None:
    with region.authority() as authority:
        opened(region, authority, without("f"))
        opened(region, authority, without("e"))
    assert region.refusals() == []


def test_a_roster_must_differ_enough_from_every_opened_one(region: SecureRegion) -> None:
    with region.authority() as authority:
        opened(region, authority, without("f"))
        opened(region, authority, without("e"))
        with pytest.raises(RefusedError, match="roster_too_close"):
            opened(region, authority, SIX)


def test_a_site_whose_data_changed_counts_as_one_that_differs(region: SecureRegion) -> None:
    with region.authority() as authority:
        opened(region, authority, SIX)
        opened(region, authority, without("f"), changed=("a",))
    assert region.refusals() == []


def test_a_failed_tag_told_nothing_and_does_not_count(region: SecureRegion) -> None:
    with region.authority() as authority:
        run = region.start(authority)
        frames = run.contributions(LAYOUT, TERMS)
        crafted = forge(run.request(LAYOUT, frames), sums=ciphertexts_of(frames["a"]))
        with pytest.raises(RefusedError, match="tag_failed"):
            authority.open(run.run, crafted)
        opened(region, authority, without("f"))
    with region.authority() as restarted:
        opened(region, restarted, without("f"))
    assert region.refusals() == ["tag_failed"]


def test_a_restored_old_ledger_is_refused_and_audited(region: SecureRegion) -> None:
    """Restored, it would have forgotten what it opened."""
    backup = region.root / "backup"
    with region.authority():
        shutil.copytree(region.folder, backup)
    with region.authority() as authority:
        opened(region, authority, SIX)
        opened(region, authority, SIX)
    shutil.rmtree(region.folder)
    backup.rename(region.folder)
    with region.authority() as restored, pytest.raises(RefusedError, match="ledger_restored"):
        restored.create_run(TASK, PROGRAM)
    (region.root / "coordinator.head").unlink()  # a coordinator that forgets on purpose: sites remember
    with region.authority() as restored, pytest.raises(RefusedError, match="ledger_restored"):
        region.start(restored)
    assert region.refusals() == ["ledger_restored", "ledger_restored"]


def test_a_run_of_another_roster_than_a_sites_own_is_refused(region: SecureRegion) -> None:
    """The coordinator shows one site a roster with a seventh site; the commission signed both, one after the other."""
    identities = {site: identity.public for site, identity in region.identities.items()}
    newer = make_roster(
        REGION,
        identities | {"g": digest(b"g")},
        authority=region.authority_identity.public,
        commission=region.commission,
        tls_root=digest(b"root"),
        version=2,
    )
    roster = read_roster(newer, region.commission.public)
    authority = region.authority()
    with authority:
        run = region.start(authority)
        shown = SiteSession("a", region.identities["a"], roster, region.root / "head", region.root / "runs")
        with pytest.raises(RefusedError, match="wrong_roster"):
            shown.join(run.descriptor, PROGRAM)
        other = DirectAuthority(authority.opener, roster, region.root / "other.head")
        with pytest.raises(RefusedError, match="wrong_roster"):
            other.create_run(TASK, PROGRAM)
    assert region.refusals() == ["wrong_roster"]
