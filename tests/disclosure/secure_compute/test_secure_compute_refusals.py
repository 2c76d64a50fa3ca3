"""Every message that was made for something else, by somebody else, or altered, is refused with its code.

The authority judges a malicious coordinator's request by itself; an honest coordinator and a site refuse earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from secure_region import PROGRAM, SNAPSHOT, TASK, RunningRun, SecureRegion, ciphertexts_of, forge, head_of

from contracts.errors import QuorumError, RefusedError
from contracts.messages import (
    CreateRun,
    RefusalCode,
    SignModel,
    TermHeader,
    TotalHeader,
    layout_records,
    parse_site_message,
)
from contracts.sums import Block
from contracts.wire import canonical, digest, pack, parts_digest, unpack
from governance.signing import open_message, sign_message
from secure_compute.aggregate import Aggregator
from secure_compute.site_session import SiteSession

LAYOUT = (Block("count", (3,), 100.0),)
OTHER_LAYOUT = (Block("count", (3,), 200.0),)
SITES = ("east", "north", "south", "west")
TERMS = {site: {"count": np.arange(3.0) + number} for number, site in enumerate(SITES)}


class Round:
    """An honest round of a run, not opened yet."""

    def __init__(self, root: Path) -> None:
        self.region = SecureRegion(root, SITES)
        self.authority = self.region.authority()
        self.run: RunningRun = self.region.start(self.authority)
        self.next()

    def next(self) -> None:
        self.frames = self.run.contributions(LAYOUT, TERMS)
        self.request = self.run.request(LAYOUT, self.frames)

    def open(self, request: bytes) -> bytes:
        return self.authority.open(self.run.run, request)

    def refuses(self, request: bytes, code: RefusalCode) -> None:
        """The authority refuses and audits the code; the honest request still opens, as nothing was spent."""
        with pytest.raises(RefusedError) as refused:
            self.open(request)
        assert refused.value.code == code
        assert self.region.refusals()[-1] == code
        assert self.open(self.request)

    def with_head(self, site: str, head: bytes) -> bytes:
        """The request with another signed header in the place of one site's."""
        heads = [head if name == site else head_of(self.frames[name]) for name in SITES]
        return forge(self.request, heads=heads)

    def resigned(self, site: str, signer: str | None = None, **changes: Any) -> bytes:
        """A site's header with other content, signed again by it (or by another)."""
        header = parse_site_message(self.frames[site])
        identity = self.region.identities[signer or site]
        return head_of(sign_message(identity, header.model_copy(update=changes), parts_of(self.frames[site])))


def parts_of(frame: bytes) -> list[bytes]:
    return [bytes(part) for part in unpack(frame).parts]


@pytest.fixture
def honest(tmp_path: Path) -> Iterator[Round]:
    case = Round(tmp_path)
    yield case
    case.authority.close()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"run": "0" * 32}, RefusalCode.WRONG_RUN),
        ({"round": 7}, RefusalCode.WRONG_ROUND),
        ({"attempt": 7}, RefusalCode.WRONG_ATTEMPT),
        ({"roster": digest(b"other")}, RefusalCode.WRONG_ROSTER),
        ({"approval": digest(b"other")}, RefusalCode.WRONG_APPROVAL),
        ({"program": digest(b"other")}, RefusalCode.WRONG_PROGRAM),
        ({"layout": digest(b"other")}, RefusalCode.WRONG_LAYOUT),
        ({"sites": 3}, RefusalCode.WRONG_ROSTER),
        ({"state": digest(b"other")}, RefusalCode.WRONG_STATE),
        ({"bfv": digest(b"other")}, RefusalCode.WRONG_KEY),
        ({"slots": 5}, RefusalCode.WRONG_LENGTH),
        ({"ciphertexts": 2}, RefusalCode.WRONG_LENGTH),
        ({"members": digest(b"other")}, RefusalCode.WRONG_MEMBERS),
        ({"shares": 2}, RefusalCode.WRONG_LENGTH),
    ],
    ids=lambda value: value.value if isinstance(value, RefusalCode) else next(iter(value)),
)
def test_a_term_made_for_something_else_is_refused(honest: Round, changes: dict[str, Any], code: RefusalCode) -> None:
    honest.refuses(honest.with_head("north", honest.resigned("north", **changes)), code)


def test_the_honest_coordinator_refuses_it_too_and_adds_nothing(honest: Round) -> None:
    header = parse_site_message(honest.frames["north"])
    parts = parts_of(honest.frames["north"])
    stale = sign_message(honest.region.identities["north"], header.model_copy(update={"round": 7}), parts)
    honest.run.aggregator.start(0, 0, LAYOUT, honest.run.aggregator.state, SITES)
    with pytest.raises(RefusedError, match="wrong_round"):
        honest.run.aggregator.add(stale)
    assert honest.run.aggregator.sites == ()


def test_a_term_signed_by_another_identity_is_refused(honest: Round) -> None:
    honest.refuses(honest.with_head("north", honest.resigned("north", signer="east")), RefusalCode.BAD_SIGNATURE)


def test_a_term_of_one_site_in_the_place_of_another_is_refused(honest: Round) -> None:
    honest.refuses(honest.with_head("north", head_of(honest.frames["east"])), RefusalCode.BAD_SIGNATURE)


def test_a_term_of_one_site_counted_for_two_is_refused(honest: Round) -> None:
    twice = forge(honest.request, heads=[head_of(honest.frames["east"])] * 2, sites=("east", "east"))
    honest.refuses(twice, RefusalCode.DUPLICATE)


def test_an_altered_header_is_refused(honest: Round) -> None:
    frame = unpack(honest.frames["north"])
    altered = frame.header.replace(f'"snapshot":"{SNAPSHOT}"'.encode(), f'"snapshot":"{digest(b"x")}"'.encode())
    assert altered != frame.header
    honest.refuses(honest.with_head("north", pack(altered, frame.signature)), RefusalCode.BAD_SIGNATURE)


def test_a_site_that_is_not_on_the_roster_is_refused(honest: Round) -> None:
    heads = [head_of(honest.frames[site]) for site in SITES] + [head_of(honest.frames["west"])]
    honest.refuses(forge(honest.request, heads=heads, sites=(*SITES, "zoo")), RefusalCode.UNKNOWN_SITE)


def test_too_few_sites_are_refused(honest: Round) -> None:
    three = SITES[:3]
    assert honest.region.roster.quorum == 4
    heads = [head_of(honest.frames[site]) for site in three]
    honest.refuses(forge(honest.request, heads=heads, sites=three), RefusalCode.QUORUM_NOT_MET)


def test_the_honest_coordinator_asks_for_nothing_below_the_quorum(honest: Round) -> None:
    with pytest.raises(QuorumError, match="3 sites contributed, quorum 4 of 4"):
        honest.run.closed(LAYOUT, {site: honest.frames[site] for site in SITES[:3]}, members=SITES)


def test_another_layout_than_the_signed_one_is_refused(honest: Round) -> None:
    honest.refuses(forge(honest.request, layout=layout_records(OTHER_LAYOUT)), RefusalCode.WRONG_LAYOUT)


def test_a_layout_that_does_not_fit_is_refused(honest: Round) -> None:
    wide = layout_records((Block("count", (3,), 1e60),))
    honest.refuses(forge(honest.request, layout=wide), RefusalCode.RANGE)


def test_releasing_smaller_counts_than_approved_is_refused(honest: Round) -> None:
    fine = layout_records((Block("count", (3,), 100.0, at_least=1),))
    honest.refuses(forge(honest.request, layout=fine), RefusalCode.THRESHOLD_TOO_LOW)


def test_a_later_round_before_its_time_is_refused(honest: Round) -> None:
    honest.refuses(forge(honest.request, round=1), RefusalCode.WRONG_ROUND)


def test_a_request_for_another_run_is_refused(honest: Round) -> None:
    other = honest.region.start(honest.authority)
    with pytest.raises(RefusedError, match="wrong_run"):
        honest.authority.open(other.run, honest.request)


def test_a_term_of_another_run_is_refused(honest: Round) -> None:
    other = honest.region.start(honest.authority)
    foreign = other.contributions(LAYOUT, TERMS)
    honest.refuses(honest.with_head("north", head_of(foreign["north"])), RefusalCode.WRONG_RUN)


def test_an_altered_ciphertext_is_refused_by_the_honest_coordinator(honest: Round) -> None:
    altered = bytearray(honest.frames["north"])
    assert len(ciphertexts_of(honest.frames["north"])[0]) > 60_000
    altered[-10_000] ^= 1
    honest.run.aggregator.start(0, 0, LAYOUT, honest.run.aggregator.state, SITES)
    with pytest.raises(RefusedError, match="content_altered"):
        honest.run.aggregator.add(bytes(altered))


def test_a_second_contribution_of_a_site_is_refused(honest: Round) -> None:
    honest.run.aggregator.start(0, 0, LAYOUT, honest.run.aggregator.state, SITES)
    honest.run.aggregator.add(honest.frames["north"])
    with pytest.raises(RefusedError, match="duplicate"):
        honest.run.aggregator.add(honest.frames["north"])


def test_a_term_after_the_round_was_closed_is_refused(honest: Round) -> None:
    with pytest.raises(RefusedError, match="wrong_round"):
        honest.run.aggregator.add(honest.frames["north"])


def test_an_unsigned_ciphertext_that_is_none_is_refused_before_anything_is_added(honest: Round) -> None:
    header = parse_site_message(honest.frames["north"])
    junk = [b"junk" * 1000, parts_of(honest.frames["north"])[-1]]
    frame = sign_message(
        honest.region.identities["north"], header.model_copy(update={"content": parts_digest(junk)}), junk
    )
    honest.run.aggregator.start(0, 0, LAYOUT, honest.run.aggregator.state, SITES)
    with pytest.raises(RefusedError, match="bad_message"):
        honest.run.aggregator.add(frame)
    assert honest.run.request(LAYOUT, honest.frames)


def test_a_round_opens_once_and_is_answered_again_with_the_same_bytes(honest: Round) -> None:
    first = honest.open(honest.request)
    assert honest.open(honest.request) == first
    again = forge(honest.request, attempt=1)
    with pytest.raises(RefusedError, match="already_opened"):
        honest.open(again)
    assert honest.region.refusals() == ["already_opened"]


def test_the_stored_answer_is_given_after_the_run_too(honest: Round) -> None:
    first = honest.open(honest.request)
    honest.authority.close_run(honest.run.run)
    assert honest.open(honest.request) == first
    with pytest.raises(RefusedError, match="already_opened"):
        honest.open(forge(honest.request, attempt=5))


def test_the_stored_answer_is_encrypted_at_rest(honest: Round) -> None:
    answer = honest.open(honest.request)
    (stored,) = honest.region.folder.glob("ledger/*/total-0.sealed")
    assert unpack(answer).header not in stored.read_bytes()


def test_changed_data_within_a_run_is_refused(honest: Round) -> None:
    signed = honest.open(honest.request)
    honest.run.aggregator.accept_total(signed)
    for session in honest.run.sessions.values():
        session.accept_total(signed)
    honest.next()
    honest.refuses(
        honest.with_head("north", honest.resigned("north", snapshot=digest(b"newer"))), RefusalCode.WRONG_SNAPSHOT
    )


def test_two_sites_cannot_be_shown_two_states(honest: Round) -> None:
    """One site gets the total of round 0, the other is told that it never came."""
    signed = honest.open(honest.request)
    honest.run.aggregator.accept_total(signed)
    ahead, behind = honest.run.sessions["east"], honest.run.sessions["north"]
    ahead.accept_total(signed)
    with pytest.raises(RefusedError, match="wrong_round"):  # the site knows where it stands
        behind.contribute(1, 0, LAYOUT, TERMS["north"], SNAPSHOT, SITES)
    assert ahead.state != behind.state
    for site in ("south", "west"):
        honest.run.sessions[site].accept_total(signed)
    # A site that were talked into it would sign its own state, and everybody would see two.
    behind.round = 1
    frames = honest.run.contributions(LAYOUT, TERMS)
    with pytest.raises(RefusedError, match="wrong_state"):
        honest.run.request(LAYOUT, frames)
    heads = [head_of(frames[site]) for site in SITES]
    with pytest.raises(RefusedError, match="wrong_state"):
        honest.open(forge(honest.request, heads=heads, round=1))
    assert honest.region.refusals()[-1] == "wrong_state"


def test_a_site_accepts_only_totals_that_the_authority_signed(honest: Round) -> None:
    signed = honest.open(honest.request)
    header, parts = open_message(signed, TotalHeader, None)
    shifted = np.frombuffer(parts[0], "<i8") + 1
    payload = shifted.tobytes()
    forged = sign_message(
        honest.region.identities["east"], header.model_copy(update={"content": parts_digest((payload,))}), (payload,)
    )
    with pytest.raises(RefusedError, match="bad_signature"):
        honest.run.sessions["north"].accept_total(forged)
    altered = bytearray(signed)
    altered[-1] ^= 1
    with pytest.raises(RefusedError, match="content_altered"):
        honest.run.sessions["north"].accept_total(bytes(altered))


def test_a_site_refuses_totals_of_another_run_and_totals_twice(honest: Round) -> None:
    signed = honest.open(honest.request)
    other = honest.region.start(honest.authority)
    with pytest.raises(RefusedError, match="wrong_run"):
        other.sessions["north"].accept_total(signed)
    honest.run.sessions["north"].accept_total(signed)
    with pytest.raises(RefusedError, match="wrong_round"):
        honest.run.sessions["north"].accept_total(signed)


def test_a_site_says_one_thing_in_an_attempt_and_nothing_after_it_revealed(tmp_path: Path) -> None:
    region = SecureRegion(tmp_path, ("a", "b", "c", "d", "e"), quorum=5)
    terms = dict.fromkeys(region.sites, TERMS["north"])
    with region.authority() as authority:
        run = region.start(authority)
        session = run.sessions["a"]
        run.contributions(LAYOUT, terms, attempt=1)
        assert session.contribute(0, 1, LAYOUT, terms["a"], SNAPSHOT, region.sites)
        for attempt, layout, term in (
            (1, LAYOUT, TERMS["east"]),
            (1, OTHER_LAYOUT, terms["a"]),
            (0, LAYOUT, terms["a"]),
        ):
            with pytest.raises(RefusedError, match="wrong_attempt"):
                session.contribute(0, attempt, layout, term, SNAPSHOT, region.sites)
        run.request(LAYOUT, run.contributions(LAYOUT, terms, attempt=2), attempt=2)
        for attempt in (2, 3):
            with pytest.raises(RefusedError, match="already_revealed"):
                session.contribute(0, attempt, LAYOUT, terms["a"], SNAPSHOT, region.sites)


def test_a_site_refuses_a_run_of_another_program_than_its_own(honest: Round) -> None:
    with pytest.raises(RefusedError, match="wrong_program"):
        honest.region.session("north").join(honest.run.descriptor, digest(b"its own program"))


def test_a_site_refuses_a_descriptor_with_a_swapped_key(honest: Round) -> None:
    other = unpack(honest.authority.create_run(TASK, PROGRAM))
    frame = unpack(honest.run.descriptor)
    swapped = pack(frame.header, frame.signature, (other.parts[0], frame.parts[1]))
    with pytest.raises(RefusedError, match="content_altered"):
        honest.region.session("north").join(swapped, PROGRAM)
    with pytest.raises(RefusedError, match="content_altered"):
        Aggregator(swapped, honest.region.roster)


def test_a_site_refuses_a_roster_that_does_not_name_it(honest: Round, tmp_path: Path) -> None:
    session = honest.region.session("north")
    with pytest.raises(RefusedError, match="unknown_site"):
        type(session)("east", honest.region.identities["north"], honest.region.roster, tmp_path / "x", tmp_path)


def test_a_seed_for_another_site_or_run_is_refused(honest: Round, tmp_path: Path) -> None:
    descriptor = honest.authority.create_run(TASK, PROGRAM)
    north, east = honest.region.session("north"), honest.region.session("east")
    keys = {"north": north.join(descriptor, PROGRAM), "east": east.join(descriptor, PROGRAM)}
    sealed = honest.authority.register_keys(north.run.descriptor.run, keys)
    with pytest.raises(RefusedError, match="wrong_run"):
        north.receive_seed(sealed["east"])
    with pytest.raises(RefusedError, match="wrong_key"):
        north.contribute(0, 0, LAYOUT, TERMS["north"], SNAPSHOT, SITES)


def test_a_second_key_of_a_site_is_refused(honest: Round) -> None:
    region, home = honest.region, honest.region.root / "north"
    elsewhere = SiteSession("north", region.identities["north"], region.roster, home / "head", home / "other_runs")
    key = elsewhere.join(honest.run.descriptor, PROGRAM)
    with pytest.raises(RefusedError, match="duplicate"):
        honest.authority.register_keys(honest.run.run, {"north": key})
    assert honest.region.refusals() == ["duplicate"]
    with pytest.raises(RefusedError, match="duplicate"):
        honest.run.aggregator.learn_keys([key])
    with pytest.raises(RefusedError, match="duplicate"):
        honest.run.sessions["east"].receive_keys([key])


def test_a_key_in_the_name_of_another_site_is_refused(honest: Round) -> None:
    descriptor = honest.authority.create_run(TASK, PROGRAM)
    session = honest.region.session("north")
    key = session.join(descriptor, PROGRAM)
    with pytest.raises(RefusedError, match="bad_signature"):
        honest.authority.register_keys(session.run.descriptor.run, {"east": key})


def test_nothing_is_granted_or_opened_without_a_live_approval(tmp_path: Path) -> None:
    region = SecureRegion(tmp_path, SITES, approvals={"days": -1})
    with region.authority() as authority:
        with pytest.raises(RefusedError, match="approval_expired"):
            authority.create_run(TASK, PROGRAM)
        with pytest.raises(RefusedError, match="approval_missing"):
            authority.create_run(TASK, digest(b"a program that nobody approved"))
    assert region.refusals() == ["approval_expired", "approval_missing"]


def test_an_approval_that_ends_during_the_run_stops_it(honest: Round) -> None:
    granted = honest.authority.opener._runs.granted(honest.run.run)
    over = granted.approval.model_copy(update={"valid_until": granted.approval.valid_from})
    honest.authority.opener._runs._granted[honest.run.run] = replace(granted, approval=over)
    with pytest.raises(RefusedError, match="approval_expired"):
        honest.open(honest.request)


def test_openings_stop_when_the_approval_is_spent(tmp_path: Path) -> None:
    region = SecureRegion(tmp_path, SITES, approvals={"max_openings": 2})
    with region.authority() as authority:
        run = region.start(authority)
        run.open(LAYOUT, TERMS)
        run.open(LAYOUT, TERMS)
        with pytest.raises(RefusedError, match="approval_spent"):
            run.open(LAYOUT, TERMS)
    assert region.refusals() == ["approval_spent"]


def test_two_sites_need_consent_to_a_bilateral_sum(tmp_path: Path) -> None:
    region = SecureRegion(tmp_path, ("east", "west"), approvals={"bilateral": False})
    with region.authority() as authority, pytest.raises(RefusedError, match="bilateral_not_approved"):
        authority.create_run(TASK, PROGRAM)


def test_a_coordinator_with_another_roster_gets_no_run(honest: Round) -> None:
    request = CreateRun(
        content=parts_digest(()), task=TASK, program=PROGRAM, roster=digest(b"other roster"), remembered=None
    )
    with pytest.raises(RefusedError, match="wrong_roster"):
        honest.authority.opener.create_run(pack(canonical(request)))


def test_a_model_is_signed_only_for_a_finished_run_and_only_one(honest: Round) -> None:
    card = digest(b"card")
    with pytest.raises(RefusedError, match="run_not_finished"):
        honest.authority.sign_model(honest.run.run, card)
    honest.open(honest.request)
    honest.authority.close_run(honest.run.run)
    signature = honest.authority.sign_model(honest.run.run, card)
    assert honest.authority.sign_model(honest.run.run, card) == signature
    with pytest.raises(RefusedError, match="already_signed"):
        honest.authority.sign_model(honest.run.run, digest(b"another card"))


def test_no_model_is_signed_for_a_run_that_opened_nothing(honest: Round) -> None:
    honest.authority.close_run(honest.run.run)
    with pytest.raises(RefusedError, match="run_not_finished"):
        honest.authority.sign_model(honest.run.run, digest(b"card"))


def test_messages_that_are_none_are_refused(honest: Round) -> None:
    for junk in (b"", b"junk", honest.request[:-1], honest.request + b"x", honest.frames["north"]):
        with pytest.raises(RefusedError, match="bad_message"):
            honest.open(junk)
    model = SignModel(content=parts_digest(()), run=honest.run.run, card=digest(b"card"))
    spaced = canonical(model).replace(b",", b", ")
    with pytest.raises(RefusedError, match="bad_message"):
        honest.authority.opener.sign_model(honest.run.run, pack(spaced))


def test_a_term_header_names_all_it_depends_on(honest: Round) -> None:
    """SECURE_SUM rule 5, as a list: dropping one of these from the header is a change of protocol."""
    assert set(TermHeader.model_fields) == {
        "protocol", "kind", "run", "round", "attempt", "site", "roster", "approval", "program", "layout", "sites",
        "state", "snapshot", "bfv", "slots", "ciphertexts", "content", "members", "commitment", "shares",
    }  # fmt: skip
