from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import AuditChainError, EgressError
from contracts.messages import (
    NO_DIGEST,
    Heartbeat,
    KeyMessage,
    Refusal,
    RefusalCode,
    ShareMessage,
    SurvivorsMessage,
    TermHeader,
)
from contracts.wire import pack, parts_digest, unpack
from federated.site.egress import EgressGuard
from governance.audit import read_audit
from governance.signing import Identity, make_identity, sign_message

SITE, RUN = "north", "0" * 32
NOTHING = parts_digest(())
CIPHERTEXT = bytes(65_600)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return make_identity(tmp_path / "identity.key")


@pytest.fixture
def guard(tmp_path: Path, identity: Identity) -> Iterator[EgressGuard]:
    guard = EgressGuard(tmp_path / "egress", SITE, identity.public)
    yield guard
    guard.close()


def term(parts: list[bytes], **changes: object) -> TermHeader:
    names = ("roster", "approval", "program", "layout", "state", "snapshot", "bfv", "members", "commitment")
    body = {"content": parts_digest(parts), "run": RUN, "round": 2, "attempt": 0, "site": SITE, "sites": 3, "shares": 0}
    slots = {"slots": 4095 * len(parts), "ciphertexts": len(parts)}
    return TermHeader.model_validate(body | dict.fromkeys(names, NO_DIGEST) | slots | changes)


def shares(part: bytes, **changes: object) -> ShareMessage:
    body = {"content": parts_digest([part]), "run": RUN, "round": 2, "attempt": 0, "site": SITE, "members": NO_DIGEST}
    return ShareMessage.model_validate(body | {"survivors": NO_DIGEST, "shares": 3, "seeds": 1} | changes)


def test_the_kinds_of_the_list_pass_and_are_recorded_with_their_digest(guard: EgressGuard, identity: Identity) -> None:
    key = KeyMessage(
        content=NOTHING,
        run=RUN,
        site=SITE,
        roster=NO_DIGEST,
        descriptor=NO_DIGEST,
        site_key=NO_DIGEST,
        mask_key=NO_DIGEST,
        remembered=None,
    )
    sealed, revealed = bytes(2 * 51), bytes(3 * 35 + 32)
    parts = [CIPHERTEXT, CIPHERTEXT, sealed]
    agreement = SurvivorsMessage(
        content=NOTHING, run=RUN, round=2, attempt=0, site=SITE, members=NO_DIGEST, survivors=NO_DIGEST
    )
    frames = [
        sign_message(identity, key),
        sign_message(identity, term(parts, ciphertexts=2, slots=8190, shares=2), parts),
        sign_message(identity, agreement),
        sign_message(identity, shares(revealed), [revealed]),
        sign_message(identity, Refusal(content=NOTHING, run=RUN, round=3, site=SITE, code=RefusalCode.NO_DATA)),
        sign_message(identity, Heartbeat(content=NOTHING, site=SITE, number=1)),
    ]
    assert [guard.admit(frame) for frame in frames] == frames
    facts = [entry.facts for entry in read_audit(guard.ledger.path)]
    assert [fact["kind"] for fact in facts] == ["key", "term", "survivors", "share", "refusal", "heartbeat"]
    assert [fact["bytes"] for fact in facts] == [len(frame) for frame in frames]
    assert (facts[1]["ciphertexts"], facts[1]["slots"], facts[1]["round"]) == (2, 8190, 2)
    assert (facts[3]["shares"], facts[3]["seeds"]) == (3, 1)
    assert facts[4]["code"] == "no_data"


def blocked(guard: EgressGuard, frame: bytes) -> bool:
    with pytest.raises(EgressError, match="not on the closed list"):
        guard.admit(frame)
    assert guard.ledger.head.entries == 0
    return guard.audit.entries[-1].event == "egress_blocked"


def test_bytes_that_are_no_frame_do_not_leave(guard: EgressGuard) -> None:
    assert blocked(guard, b"patient 17 has a fever")
    assert blocked(guard, b"")


def test_a_message_of_another_kind_does_not_leave(guard: EgressGuard) -> None:
    assert blocked(guard, pack(b'{"kind":"metrics","rows":812}', bytes(64)))


def test_clear_numbers_in_the_place_of_a_ciphertext_do_not_leave(guard: EgressGuard, identity: Identity) -> None:
    numbers = bytes(8 * 4096)
    assert blocked(guard, sign_message(identity, term([numbers]), [numbers]))


def test_parts_that_the_header_does_not_declare_do_not_leave(guard: EgressGuard, identity: Identity) -> None:
    beat = sign_message(identity, Heartbeat(content=parts_digest([b"rows=812"]), site=SITE, number=1), [b"rows=812"])
    assert blocked(guard, beat)
    parts = [CIPHERTEXT, CIPHERTEXT]
    assert blocked(guard, sign_message(identity, term(parts, ciphertexts=1, slots=1), parts))


def test_numbers_in_the_place_of_shares_do_not_leave(guard: EgressGuard, identity: Identity) -> None:
    revealed = bytes(3 * 35 + 32)
    assert blocked(guard, sign_message(identity, shares(revealed + b"812"), [revealed + b"812"]))
    assert blocked(guard, sign_message(identity, shares(revealed, shares=2), [revealed]))
    parts = [CIPHERTEXT, bytes(51) + b"812"]
    assert blocked(guard, sign_message(identity, term(parts, ciphertexts=1, slots=1, shares=1), parts))


def test_swapped_parts_do_not_leave(guard: EgressGuard, identity: Identity) -> None:
    frame = unpack(sign_message(identity, term([CIPHERTEXT]), [CIPHERTEXT]))
    assert blocked(guard, pack(frame.header, frame.signature, [b"\1" + CIPHERTEXT[1:]]))


def test_what_another_identity_or_site_signed_does_not_leave(
    guard: EgressGuard, identity: Identity, tmp_path: Path
) -> None:
    other = make_identity(tmp_path / "other.key")
    beat = Heartbeat(content=NOTHING, site=SITE, number=1)
    assert blocked(guard, sign_message(other, beat))
    assert blocked(guard, sign_message(identity, beat.model_copy(update={"site": "south"})))
    frame = unpack(sign_message(identity, beat))
    assert blocked(guard, pack(frame.header))


def test_a_ledger_that_was_altered_stops_the_site(guard: EgressGuard, identity: Identity, tmp_path: Path) -> None:
    for number in range(3):
        guard.admit(sign_message(identity, Heartbeat(content=NOTHING, site=SITE, number=number)))
    guard.close()
    lines = guard.ledger.path.read_bytes().splitlines(keepends=True)
    guard.ledger.path.write_bytes(lines[0] + lines[2])
    with pytest.raises(AuditChainError, match="entry 1"):
        EgressGuard(tmp_path / "egress", SITE, identity.public)
