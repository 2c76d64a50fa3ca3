"""The claims of the secure sum, each played by its adversary.

A coalition holds everything its parties hold: the authority's folder opened with its keys, every frame on the wire, the
run secrets and identities of the colluding sites. It plays a game: two honest sites have terms x and y, or y and x; all
else, totals too, is the same and known to it. It must tell which. Each attack first succeeds where masks are off or one
step beyond the claim, and then fails within the claim: what is left of a term is neither x nor y and looks uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coalition import LAYOUT, MOST_UNEVEN, Coalition, Said, Wire, make_terms, unevenness
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secure_region import SNAPSHOT, SecureRegion, ciphertexts_of, forge, head_of

from contracts.errors import QuorumError, RefusedError
from contracts.messages import (
    SHARE_BYTES,
    KeyMessage,
    OpenRequest,
    RefusalCode,
    ShareMessage,
    TotalHeader,
    next_state,
)
from contracts.wire import canonical, pack, parts_digest, unpack
from governance.quorum import tolerance
from governance.signing import open_message, sign_message
from secure_compute.authority.keys import load_run_keys
from secure_compute.bfv import BfvContext
from secure_compute.key_exchange import shared_secret
from secure_compute.masks import MaskSum
from secure_compute.modular import T

Terms = dict[str, np.ndarray]
Pair = tuple[str, str]
Attack = Callable[[Wire, Terms], None]

WON, LOST = (True, False), (None, None)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"s{number:02}" for number in range(count))


def rest(sites: tuple[str, ...], *left_out: str) -> tuple[str, ...]:
    return tuple(site for site in sites if site not in left_out)


def play(root: Path, count: int, colluding: int, attack: Attack, pair: Pair) -> list[Coalition]:
    """The game in both worlds; the last ``colluding`` of ``count`` sites are the coalition's."""
    sites = names(count)
    coalitions = []
    for world in (0, 1):
        region = SecureRegion(root / str(world), sites)
        terms = make_terms(sites, count)
        if world:
            terms[pair[0]], terms[pair[1]] = terms[pair[1]], terms[pair[0]]
        with region.authority() as authority:
            wire = Wire(region, region.start(authority), sites[count - colluding :])
            attack(wire, terms)
        coalitions.append(Coalition(wire))
    return coalitions


def guesses(coalitions: list[Coalition], pair: Pair) -> tuple[bool | None, ...]:
    """What the coalition says in each world, asked whether it is the first one."""
    sites = coalitions[0].wire.region.sites
    return tuple(coalition.tells(*pair, make_terms(sites, len(sites))) for coalition in coalitions)


def without_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    for act in ("add", "subtract"):
        monkeypatch.setattr(MaskSum, act, lambda masks, key: None)


def honest_round(wire: Wire, terms: Terms) -> None:
    """All contribute and reveal for all."""
    sites = wire.region.sites
    for site in sites:
        wire.contribute(site, terms[site], sites)
    for site in sites:
        wire.reveal(site, sites, sites)


def round_with_a_drop_out(wire: Wire, terms: Terms) -> None:
    """The third site is left out, its pair seeds are revealed, and its ciphertext is there all the same."""
    sites = wire.region.sites
    survivors = rest(sites, sites[2])
    for site in sites:
        wire.contribute(site, terms[site], sites)
    agreements = [wire.agree(site, sites, survivors) for site in survivors]
    for site in survivors:
        wire.reveal(site, sites, survivors, agreements)


CLAIM_3 = [(count, tolerance(count).with_both) for count in (3, 4, 6, 10)]


# Claim 3: coordinator and authority together, with c sites.


@pytest.mark.parametrize(("count", "colluding"), CLAIM_3)
def test_authority_and_coordinator_with_as_many_sites_as_claimed_read_no_term(
    tmp_path: Path, count: int, colluding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ("s00", "s01")
    with monkeypatch.context() as off:
        without_masks(off)
        assert guesses(play(tmp_path / "clear", count, colluding, honest_round, pair), pair) == WON
    coalitions = play(tmp_path, count, colluding, honest_round, pair)
    assert guesses(coalitions, pair) == LOST
    honest = frozenset(names(count)[: count - colluding])
    for coalition in coalitions:
        assert set(coalition.openings()) == {honest}  # the one total, less what the coalition gave to it
        for said in coalition.wire.terms:
            if said.site in honest:
                assert_uniform(coalition, said)


def test_one_site_more_than_claimed_reads_the_last_ones_term_by_subtraction(tmp_path: Path) -> None:
    pair = ("s00", "s01")
    assert tolerance(4).with_both + 1 == 3
    assert guesses(play(tmp_path, 4, 3, honest_round, pair), pair) == WON


def assert_uniform(coalition: Coalition, said: Said) -> None:
    """What is left of a term is no site's term and looks uniform; a clear term would not."""
    row, left = coalition.residue(said)
    assert left
    assert unevenness(row) < MOST_UNEVEN
    terms = make_terms(coalition.wire.region.sites, len(coalition.wire.region.sites))
    assert not any(np.array_equal(coalition.values(row), term) for term in terms.values())
    clear = np.mod(terms[said.site], T).astype(np.uint64)
    assert unevenness(clear) > MOST_UNEVEN


def test_a_dropped_out_sites_late_ciphertext_is_useless(tmp_path: Path) -> None:
    """Its pair seeds were revealed; its self-mask never is. Only ``threshold`` sites together could take it off."""
    count, late, pair = 6, "s02", ("s00", "s01")
    limit = tolerance(count)
    assert (limit.with_both, limit.threshold) == (3, 5)
    within = play(tmp_path, count, limit.with_both, round_with_a_drop_out, pair)
    assert guesses(within, pair) == LOST
    for coalition in within:
        said = Said(late, 0, coalition.wire.region.sites, coalition.wire.run.sessions[late].state)
        _, left = coalition.residue(said)
        assert [name[0] for name in left] == ["self"]  # every pairwise mask is off
        assert len(coalition.shares(said)) == 3
        assert_uniform(coalition, said)
        assert set(coalition.openings()) == {frozenset(pair)}
    wire = within[0].wire
    wire.own = frozenset(rest(wire.region.sites, late))  # five sites: the threshold
    said = Said(late, 0, wire.region.sites, wire.run.sessions[late].state)
    row, left = Coalition(wire).residue(said)
    assert not left
    assert np.array_equal(within[0].values(row), make_terms(wire.region.sites, count)[late])


# Two lists of survivors in one round. n = 10, threshold 8: two lists can be completed from c = 2 * 8 - 10 = 6 on.

TEN = names(10)


def two_lists_in_one_attempt(wire: Wire, terms: Terms) -> None:
    """The left honest sites are told that the right ones dropped out, and the other way round."""
    left, right = halves(wire)
    for site in TEN:
        wire.contribute(site, terms[site], TEN)
    for side, others in ((left, right), (right, left)):
        spring(wire, side, TEN, rest(TEN, *others[:2]))


def a_list_beside_the_full_one(wire: Wire, terms: Terms) -> None:
    """Some reveal for all members, which needs no signed list; others sign a list without them."""
    left, right = halves(wire)
    for site in TEN:
        wire.contribute(site, terms[site], TEN)
    spring(wire, left, TEN, TEN)
    spring(wire, right, TEN, rest(TEN, *left[:2]))


def two_lists_in_two_attempts(wire: Wire, terms: Terms) -> None:
    """Some reveal in the first attempt, the others in a second one among other members."""
    left, right = halves(wire)
    for site in TEN:
        wire.contribute(site, terms[site], TEN)
    spring(wire, left, TEN, rest(TEN, *right[:2]))
    members = rest(TEN, *left[:2])
    for site in members:
        wire.contribute(site, terms[site], members, attempt=1)
    spring(wire, right, members, members, attempt=1)


def two_lists_of_members(wire: Wire, terms: Terms) -> None:
    """Two halves are told of different members from the start, in one attempt; colluding sites take part in both."""
    left, right = halves(wire)
    for side, others in ((left, right), (right, left)):
        members = rest(TEN, *others[:2])
        for site in rest(members, *wire.own):
            if site in side:
                wire.contribute(site, terms[site], members)
        spring(wire, side, members, members)


def halves(wire: Wire) -> tuple[tuple[str, ...], tuple[str, ...]]:
    honest = rest(TEN, *wire.own)
    return honest[:2], honest[2:]


def spring(
    wire: Wire, side: tuple[str, ...], members: tuple[str, ...], survivors: tuple[str, ...], attempt: int = 0
) -> None:
    """Get all that can be got of one side for a list: agreements where it needs them, then what its sites reveal."""
    agreements: list[bytes] = []
    if survivors != members:
        for site in (*side, *wire.own):
            if site in survivors:
                agreements += allowed(wire.agree, site, members, survivors, attempt)
    for site in side:
        if site in survivors:
            allowed(wire.reveal, site, members, survivors, agreements, attempt)


def allowed(act: Callable[..., bytes], *asked: Any) -> list[bytes]:
    """What a site answers; nothing when it refuses."""
    try:
        return [act(*asked)]
    except RefusedError:
        return []


@pytest.mark.parametrize(
    "attack", [two_lists_in_one_attempt, a_list_beside_the_full_one, two_lists_in_two_attempts, two_lists_of_members]
)
def test_two_lists_cannot_both_be_opened_within_the_claim(tmp_path: Path, attack: Attack) -> None:
    """With a colluding site too many the honest sites fall into two sums: their totals are told apart."""
    limit = tolerance(10)
    assert (limit.quorum, limit.threshold, limit.with_both) == (8, 8, 5)
    pair = ("s00", "s02")
    beyond = play(tmp_path / "beyond", 10, 6, attack, pair)
    assert set(beyond[0].openings()) == {frozenset(("s00", "s01")), frozenset(("s02", "s03"))}
    assert guesses(beyond, pair) == WON
    within = play(tmp_path / "within", 10, 5, attack, pair)
    for coalition in within:
        assert len(coalition.openings()) <= 1
        for sites in coalition.openings():
            assert len(sites | coalition.wire.own) >= limit.quorum


def test_without_signatures_under_lists_four_of_ten_would_open_two_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three lists, one for each two honest sites: why a list without some members needs ``threshold`` signatures."""
    first, second, third = TEN[0:2], TEN[2:4], TEN[4:6]

    def attack(wire: Wire, terms: Terms) -> None:
        for site in TEN:
            wire.contribute(site, terms[site], TEN)
        spring(wire, first, TEN, rest(TEN, *second))
        spring(wire, second, TEN, TEN)
        spring(wire, third, TEN, rest(TEN, *first))

    pair = ("s00", "s02")
    with monkeypatch.context() as off:
        off.setattr("secure_compute.site_session.check_agreements", lambda *asked: None)
        beyond = play(tmp_path / "unsigned", 10, 4, attack, pair)
        assert set(beyond[0].openings()) == {frozenset(first), frozenset((*second, *third))}
        assert guesses(beyond, pair) == WON
    within = play(tmp_path / "signed", 10, 4, attack, pair)
    assert [coalition.openings() for coalition in within] == [{}, {}]
    assert guesses(within, pair) == LOST


# Claim 1: the coordinator with c sites, beside an honest authority. Claim 2: the authority with c sites.


def opened_round(root: Path, world: int) -> tuple[Wire, Terms, bytes, np.ndarray]:
    """An honest round of four sites, in one of two worlds: its request and its total."""
    region = SecureRegion(root / str(world), names(4))
    terms = make_terms(region.sites, 4)
    if world:
        terms["s00"], terms["s01"] = terms["s01"], terms["s00"]
    with region.authority() as authority:
        wire = Wire(region, region.start(authority))
        frames = {site: wire.contribute(site, terms[site], region.sites) for site in region.sites}
        request = wire.run.request(LAYOUT, frames)
        total = wire.run.aggregator.accept_total(authority.open(wire.run.run, request)).values()["v"]
    return wire, terms, request, total


def test_a_coordinator_with_sites_has_the_total_and_its_own_terms(tmp_path: Path) -> None:
    """With quorum - 1 sites the difference is the last one's term; within the claim it is the same in both worlds."""
    seen = []
    for world in (0, 1):
        _, terms, _, total = opened_round(tmp_path, world)
        assert np.array_equal(total - terms["s01"] - terms["s02"] - terms["s03"], terms["s00"])
        seen.append(total - terms["s02"] - terms["s03"])
    assert tolerance(4).with_one == 2
    assert np.array_equal(seen[0], seen[1])


def test_an_authority_with_sites_sees_the_sum_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear term it would read; what an honest coordinator sends it holds one sum, the same in both worlds."""
    with monkeypatch.context() as off:
        without_masks(off)
        wire, terms, _, _ = opened_round(tmp_path / "clear", 0)
        said = Said("s00", 0, wire.region.sites, wire.run.sessions["s00"].state)
        coalition = Coalition(wire)
        assert np.array_equal(coalition.values(coalition.decrypted(said)), terms["s00"])
    seen = []
    for world in (0, 1):
        wire, terms, request, total = opened_round(tmp_path, world)
        header, parts = open_message(request, OpenRequest, None)
        assert len(parts) == len(header.sites) + 1
        key = load_run_keys(wire.region.vault, wire.run.run).bfv
        opened = Coalition(wire).values(key.decrypt(key.read(parts[-1])))
        assert np.array_equal(opened, total)
        seen.append(opened - terms["s02"] - terms["s03"])
        held = b"".join(path.read_bytes() for path in wire.region.folder.rglob("*") if path.is_file()) + request
        assert not any(part in held for frame in wire.terms.values() for part in ciphertexts_of(frame))
    assert np.array_equal(seen[0], seen[1])


def test_a_coordinator_with_sites_cannot_make_the_authority_open_one_term(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colluding sites know the key of the tag (r), not the honest sites' pads: masks off, the tag still stops it."""
    without_masks(monkeypatch)
    region = SecureRegion(tmp_path, names(4))
    terms = make_terms(region.sites, 4)
    with region.authority() as authority:
        wire = Wire(region, region.start(authority), ("s02", "s03"))
        frames = {site: wire.contribute(site, terms[site], region.sites) for site in region.sites}
        request = wire.run.request(LAYOUT, frames)
        public: BfvContext = wire.run.aggregator.run.public
        crafted = public.read(ciphertexts_of(frames["s00"])[0])
        for site in wire.own:
            crafted.add(public.read(ciphertexts_of(frames[site])[0]))
        coalition = Coalition(wire)
        opened = coalition.values(coalition.key.decrypt(coalition.key.read(crafted.to_bytes())))
        assert np.array_equal(opened - terms["s02"] - terms["s03"], terms["s00"])  # what no tag would give
        with pytest.raises(RefusedError, match="tag_failed"):
            authority.open(wire.run.run, forge(request, sums=[crafted.to_bytes()]))
    assert region.refusals() == ["tag_failed"]


def test_equal_terms_have_different_ciphertexts(tmp_path: Path) -> None:
    """A coordinator that guesses a term cannot check its guess by encrypting it."""
    wire, *_ = opened_round(tmp_path, 0)
    public = wire.run.aggregator.run.public
    row = np.zeros(4096, np.uint64)
    assert public.encrypt(row).to_bytes() != public.encrypt(row).to_bytes()


# A malicious coordinator's moves, one by one. Six sites, quorum and threshold five.

SIX = names(6)


@pytest.fixture
def six(tmp_path: Path) -> Iterator[Wire]:
    """A round to which all six contributed."""
    region = SecureRegion(tmp_path, SIX)
    terms = make_terms(SIX, 6)
    with region.authority() as authority:
        wire = Wire(region, region.start(authority))
        for site in SIX:
            wire.contribute(site, terms[site], SIX)
        yield wire


def refused(code: RefusalCode) -> Any:
    return pytest.raises(RefusedError, match=f"^{code.value}")


def agreements_to(wire: Wire, survivors: tuple[str, ...], count: int = 5) -> list[bytes]:
    return [wire.agree(site, SIX, survivors) for site in survivors[:count]]


def test_a_site_agrees_to_one_list_in_an_attempt(six: Wire) -> None:
    first, second = rest(SIX, "s05"), rest(SIX, "s04")
    agreements = agreements_to(six, first)
    assert six.agree("s00", SIX, first) == agreements[0]
    for act in (six.agree, six.reveal):
        with refused(RefusalCode.WRONG_SURVIVORS):
            act("s00", SIX, second)
    with refused(RefusalCode.WRONG_SURVIVORS):
        six.reveal("s00", SIX, SIX)  # all members, for which no list need be signed
    assert six.reveal("s00", SIX, first, agreements)


@pytest.mark.parametrize(
    ("survivors", "code"),
    [
        (SIX, RefusalCode.WRONG_SURVIVORS),
        (SIX[1:], RefusalCode.WRONG_SURVIVORS),
        ((*SIX[:5], "zoo"), RefusalCode.WRONG_SURVIVORS),
        (SIX[:5][::-1], RefusalCode.WRONG_SURVIVORS),
        ((*SIX[:4], "s03"), RefusalCode.WRONG_SURVIVORS),
        (SIX[:4], RefusalCode.QUORUM_NOT_MET),
    ],
    ids=["all", "without itself", "a stranger", "unsorted", "a site twice", "too few"],
)
def test_a_site_agrees_to_no_list_but_a_quorum_of_members_with_itself(
    six: Wire, survivors: tuple[str, ...], code: RefusalCode
) -> None:
    with refused(code):
        six.agree("s00", SIX, survivors)


def test_a_site_reveals_for_no_list_that_too_few_have_signed(six: Wire) -> None:
    survivors = rest(SIX, "s05")
    four = agreements_to(six, survivors, 4)
    six.own = frozenset(("s04", "s05"))
    cases = [
        ([], RefusalCode.QUORUM_NOT_MET),
        (four, RefusalCode.QUORUM_NOT_MET),
        ([*four, four[0]], RefusalCode.QUORUM_NOT_MET),
        ([*four, six.agree("s05", SIX, survivors)], RefusalCode.WRONG_SURVIVORS),
        ([*four, six.agree("s04", SIX, rest(SIX, "s03"))], RefusalCode.WRONG_SURVIVORS),
        ([*four, six.agree("s04", SIX, survivors, 1)], RefusalCode.WRONG_ATTEMPT),
        ([*four, six.agree("s04", rest(SIX, "s05"), survivors)], RefusalCode.WRONG_MEMBERS),
        ([*four, altered_signer(four[0], "s04")], RefusalCode.BAD_SIGNATURE),
    ]
    for agreements, code in cases:
        with refused(code):
            six.reveal("s03", SIX, survivors, agreements)
    assert not six.reveals


def altered_signer(agreement: bytes, site: str) -> bytes:
    frame = unpack(agreement)
    return pack(frame.header.replace(b'"site":"s00"', f'"site":"{site}"'.encode()), frame.signature)


def test_a_term_with_other_members_is_refused_and_audited(tmp_path: Path) -> None:
    region, terms, five = SecureRegion(tmp_path, SIX), make_terms(SIX, 6), SIX[:5]
    with region.authority() as authority:
        wire = Wire(region, region.start(authority))
        frames = {site: wire.contribute(site, terms[site], five if site == "s00" else SIX) for site in SIX}
        wire.run.aggregator.start(0, 0, LAYOUT, wire.run.aggregator.state, SIX)
        with refused(RefusalCode.WRONG_MEMBERS):
            wire.run.aggregator.add(frames["s00"])
        honest = wire.run.request(LAYOUT, {site: frames[site] for site in SIX[1:]}, members=SIX)
        heads = [head_of(frames[site]) for site in SIX]
        with refused(RefusalCode.WRONG_MEMBERS):
            authority.open(wire.run.run, forge(honest, heads=heads, sites=SIX, agreements=0))
        with refused(RefusalCode.WRONG_MEMBERS):  # it may not ask that site for the others' members either
            wire.reveal("s00", SIX, SIX)
        assert authority.open(wire.run.run, honest)
    assert region.refusals() == ["wrong_members"]


def test_the_authority_opens_no_list_that_too_few_have_signed(tmp_path: Path) -> None:
    region, terms, five = SecureRegion(tmp_path, SIX), make_terms(SIX, 6), SIX[:5]
    with region.authority() as authority:
        run = region.start(authority)
        frames = run.contributions(LAYOUT, {site: {"v": terms[site]} for site in five}, members=SIX)
        honest = run.request(LAYOUT, frames, members=SIX)
        _, parts = open_message(honest, OpenRequest, None)
        heads, agreements = list(parts[:5]), list(parts[5:10])
        for fewer in ([], agreements[:4], [*agreements[:4], agreements[0]]):
            with refused(RefusalCode.QUORUM_NOT_MET):
                run.authority.open(run.run, forge_parts(honest, heads, fewer))
        with refused(RefusalCode.WRONG_MEMBERS):  # as if the site that dropped out had never been a member
            run.authority.open(
                run.run, forge(honest, heads=[bytes(head) for head in heads], members=five, agreements=0)
            )
        assert run.authority.open(run.run, honest)
    assert region.refusals() == ["quorum_not_met"] * 3 + ["wrong_members"]


def forge_parts(honest: bytes, heads: list[memoryview], agreements: list[memoryview]) -> bytes:
    return forge(honest, heads=[bytes(part) for part in (*heads, *agreements)], agreements=len(agreements))


def test_after_it_revealed_a_site_says_nothing_else_in_the_round_even_when_restarted(six: Wire) -> None:
    survivors, term = rest(SIX, "s05"), make_terms(SIX, 6)["s00"]
    agreements = agreements_to(six, survivors)
    first = six.reveal("s00", SIX, survivors, agreements)
    for session in (six.run.sessions["s00"], six.restarted("s00")):
        assert six.reveal("s00", SIX, survivors, agreements, session=session) == first
        others = rest(SIX, "s04")
        with refused(RefusalCode.ALREADY_REVEALED):
            session.agree(0, 0, SIX, others)
        for again in (others, SIX):
            with refused(RefusalCode.ALREADY_REVEALED):
                six.reveal("s00", SIX, again, agreements, session=session)
        for attempt in (0, 1):
            with refused(RefusalCode.ALREADY_REVEALED):
                session.contribute(0, attempt, LAYOUT, {"v": term}, SNAPSHOT, SIX)


def test_a_restarted_site_keeps_to_the_list_it_agreed_to(six: Wire) -> None:
    survivors = rest(SIX, "s05")
    agreement = six.agree("s00", SIX, survivors)
    session = six.restarted("s00")
    assert session.agree(0, 0, SIX, survivors) == agreement
    with refused(RefusalCode.WRONG_SURVIVORS):
        session.agree(0, 0, SIX, rest(SIX, "s04"))
    with refused(RefusalCode.WRONG_SURVIVORS):
        six.reveal("s00", SIX, SIX, session=session)


def test_altered_and_swapped_shares_are_answered_with_no_share(six: Wire) -> None:
    run = six.run
    run.closed(LAYOUT, {said.site: frame for said, frame in six.terms.items()})
    for number, site in enumerate(SIX):
        sealed = run.aggregator.sealed_for(site)
        if site == "s01":
            sealed["s00"] = bytes([sealed["s00"][0] ^ 1]) + sealed["s00"][1:]
            sealed["s02"], sealed["s03"] = sealed["s03"], sealed["s02"]
        frame = run.sessions[site].reveal(0, 0, SIX, SIX, sealed)
        shares = bytes(unpack(frame).parts[0])
        gone = [at for at in range(6) if shares[SHARE_BYTES * at :][:SHARE_BYTES] == b"\xff" * SHARE_BYTES]
        assert gone == ([0, 2, 3] if number == 1 else [])
        run.aggregator.reveal(frame)
    total = run.aggregator.accept_total(run.authority.open(run.run, run.aggregator.request()))
    assert np.array_equal(total.values()["v"], sum(make_terms(SIX, 6).values()))


def test_with_too_few_true_shares_the_round_stays_closed(six: Wire) -> None:
    run = six.run
    run.closed(LAYOUT, {said.site: frame for said, frame in six.terms.items()})
    for site in SIX:
        sealed = run.aggregator.sealed_for(site)
        if site in ("s01", "s02"):
            sealed["s00"] = bytes(len(sealed["s00"]))
        run.aggregator.reveal(run.sessions[site].reveal(0, 0, SIX, SIX, sealed))
    with refused(RefusalCode.BAD_SHARE):
        run.aggregator.request()


def test_withheld_shares_leave_every_term_masked(six: Wire) -> None:
    for site in SIX[:4]:
        six.reveal(site, SIX, SIX)
    assert Coalition(six).openings() == {}
    run = six.run
    run.closed(LAYOUT, {said.site: frame for said, frame in six.terms.items()})
    for _, _, frame in six.reveals:
        run.aggregator.reveal(frame)
    with pytest.raises(QuorumError, match="too few sites revealed"):
        run.aggregator.request()
    six.reveal("s04", SIX, SIX)
    assert set(Coalition(six).openings()) == {frozenset(SIX)}


def test_a_mask_key_that_its_site_did_not_sign_is_refused(six: Wire) -> None:
    """Accepted, it would give the pairwise mask to who made it."""
    evil = X25519PrivateKey.generate()
    public = evil.public_key().public_bytes_raw().hex()
    frame = unpack(six.run.aggregator.keys["s01"])
    header, _ = open_message(six.run.aggregator.keys["s01"], KeyMessage, None)
    swapped = header.model_copy(update={"mask_key": public})
    fooled = six.region.session("s00")
    fooled.join(six.run.descriptor, six.run.aggregator.run.descriptor.program)
    fooled._mask_keys["s01"] = public
    assert fooled._pair_secret("s01") == shared_secret(evil, six.mask_keys["s00"])
    honest = six.run.sessions["s00"]
    for signed in (
        pack(canonical(swapped), frame.signature),
        sign_message(six.region.authority_identity, swapped),
        sign_message(six.region.identities["s02"], swapped),
    ):
        for party in (honest.receive_keys, six.run.aggregator.learn_keys):
            with refused(RefusalCode.BAD_SIGNATURE):
                party([signed])
    with refused(RefusalCode.DUPLICATE):
        honest.receive_keys([sign_message(six.region.identities["s01"], swapped)])


def test_shares_of_an_old_round_are_of_no_use_in_the_next(six: Wire) -> None:
    run, old = six.run, {said.site: frame for said, frame in six.terms.items()}
    signed = run.authority.open(run.run, run.request(LAYOUT, old))
    sealed_before = {site: run.aggregator.sealed_for(site) for site in SIX}
    said_before = run.sessions["s00"].reveal(0, 0, SIX, SIX, sealed_before["s00"])
    run.aggregator.accept_total(signed)
    for session in run.sessions.values():
        session.accept_total(signed)
    with refused(RefusalCode.WRONG_ROUND):
        run.sessions["s00"].reveal(0, 0, SIX, SIX, sealed_before["s00"])
    run.closed(LAYOUT, {site: six.contribute(site, term, SIX) for site, term in make_terms(SIX, 6).items()})
    with refused(RefusalCode.WRONG_ROUND):
        run.aggregator.reveal(said_before)
    frame = run.sessions["s00"].reveal(1, 0, SIX, SIX, sealed_before["s00"])
    header, parts = open_message(frame, ShareMessage, None)
    assert (header.shares, bytes(parts[0][SHARE_BYTES:])) == (6, b"\xff" * SHARE_BYTES * 5)


@pytest.mark.parametrize("is_bound", [False, True])
def test_an_authority_that_shows_two_sites_two_states_gets_no_sum(
    six: Wire, is_bound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would show all sites but one a state at which their terms are known. Masks of two states do not cancel."""
    if not is_bound:
        for module in ("secure_compute.site_session", "coalition"):
            monkeypatch.setattr(f"{module}.common_digest", lambda expected: expected["members"])
    run, terms = six.run, make_terms(SIX, 6)
    for site in SIX:  # so that masks of the first round are made in the same way
        six.contribute(site, terms[site], SIX, attempt=1)
    frames = {said.site: frame for said, frame in six.terms.items() if said.attempt == 1}
    signed = run.authority.open(run.run, run.request(LAYOUT, frames, attempt=1))
    header, parts = open_message(signed, TotalHeader, None)
    crafted = bytes(len(parts[0]))
    changes = {"content": parts_digest((crafted,)), "next_state": next_state(header.state, LAYOUT, crafted)}
    forged = sign_message(six.region.authority_identity, header.model_copy(update=changes), (crafted,))
    wire = Wire(six.region, run)
    for site in SIX:
        run.sessions[site].accept_total(signed if site == "s00" else forged)
        wire.contribute(site, terms[site], SIX)
    for site in SIX:
        wire.reveal(site, SIX, SIX)
    assert set(Coalition(wire).openings()) == (set() if is_bound else {frozenset(SIX)})
