"""Identities, rosters, approvals and quorums."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import CredentialError, IntegrityError, RefusedError, UsageError
from contracts.wire import digest
from governance.approvals import Approval, find_approval, read_approval, sign_approval
from governance.files import destroy, write_durable
from governance.quorum import allowed_quorums, default_quorum, tolerance
from governance.roster import Roster, load_roster, make_roster, read_roster
from governance.signing import (
    Identity,
    fingerprint,
    is_signed_by,
    load_identity,
    make_identity,
    replace_identity,
)

KEYS = {name: digest(name.encode()) for name in ("east", "north", "south", "west")}


@pytest.fixture
def commission(tmp_path: Path) -> Identity:
    return make_identity(tmp_path / "commission.key")


def roster_bytes(commission: Identity, **changes: object) -> bytes:
    body: dict = {"authority": digest(b"authority"), "commission": commission, "tls_root": digest(b"root")}
    return make_roster("testland", KEYS, **(body | changes))


def roster_of(commission: Identity, **changes: object) -> Roster:
    return read_roster(roster_bytes(commission, **changes), commission.public)


def approval(**changes: object) -> Approval:
    body = {
        "name": "a",
        "region": "testland",
        "task": "sepsis",
        "program": digest(b"program"),
        "purpose": "to learn",
        "valid_from": "2026-01-01T00:00:00+08:00",
        "valid_until": "2026-02-01T00:00:00+08:00",
    }
    return Approval.model_validate(body | changes)


def test_an_identity_is_kept_from_others(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "identity.key"
    made = make_identity(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = load_identity(path)
    assert is_signed_by(made.public, b"text", loaded.sign(b"text"))
    assert not is_signed_by(made.public, b"other", loaded.sign(b"text"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_an_identity_that_others_may_read_is_not_loaded(tmp_path: Path, mode: int) -> None:
    make_identity(tmp_path / "identity.key")
    (tmp_path / "identity.key").chmod(mode)
    with pytest.raises(CredentialError, match="expected 0600"):
        load_identity(tmp_path / "identity.key")


def test_a_missing_or_broken_identity_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no secret file"):
        load_identity(tmp_path / "identity.key")
    (tmp_path / "identity.key").write_bytes(b"short")
    (tmp_path / "identity.key").chmod(0o600)
    with pytest.raises(IntegrityError, match="5 bytes"):
        load_identity(tmp_path / "identity.key")


def test_a_replaced_identity_is_destroyed(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "identity.key"
    before = make_identity(path)
    with path.open("rb") as still_open:
        after = replace_identity(path)
        assert still_open.read() == bytes(32), "what stood on disk is overwritten"
    assert load_identity(path).public == after.public != before.public
    assert [one.name for one in path.parent.iterdir()] == ["identity.key"]
    path.unlink()
    assert replace_identity(path).public == load_identity(path).public


def test_fingerprints_are_four_groups_of_four() -> None:
    assert [len(group) for group in fingerprint(KEYS["east"]).split()] == [4, 4, 4, 4]


def test_a_destroyed_file_is_gone(tmp_path: Path) -> None:
    write_durable(tmp_path / "key", b"secret")
    destroy(tmp_path / "key")
    destroy(tmp_path / "key")
    assert not list(tmp_path.iterdir())


def test_a_roster_is_what_the_commission_signed(commission: Identity, tmp_path: Path) -> None:
    data = roster_bytes(commission)
    roster = read_roster(data, commission.public)
    assert roster.sites == ("east", "north", "south", "west")
    assert (roster.quorum, roster.threshold) == (4, 4)
    assert roster.identity("north") == KEYS["north"]
    assert roster.identity("zoo") is None
    other = make_identity(tmp_path / "other.key")
    with pytest.raises(IntegrityError, match="not signed by"):
        read_roster(data, other.public)
    with pytest.raises(IntegrityError, match="not signed by"):
        read_roster(data.replace(KEYS["north"].encode(), digest(b"swapped").encode()), commission.public)


def test_a_signature_for_one_kind_of_record_is_none_for_another(commission: Identity) -> None:
    with pytest.raises(IntegrityError):
        read_approval(roster_bytes(commission), roster_of(commission))


def test_a_rosters_version_only_rises(commission: Identity, tmp_path: Path) -> None:
    path, memory = tmp_path / "roster.json", tmp_path / "seen.json"
    for version in (3, 3, 5):
        path.write_bytes(roster_bytes(commission, version=version))
        assert load_roster(path, commission.public, memory).version == version
    path.write_bytes(roster_bytes(commission, version=4))
    with pytest.raises(IntegrityError, match="older than version 5"):
        load_roster(path, commission.public, memory)
    path.write_bytes(roster_bytes(commission, version=5, tls_root=digest(b"another root")))
    with pytest.raises(IntegrityError, match="two different rosters"):
        load_roster(path, commission.public, memory)


def test_a_roster_without_approvers_reads_as_before_there_were_any(commission: Identity) -> None:
    record = json.loads(roster_bytes(commission))["record"]
    assert set(record) == {
        "region", "version", "members", "authority", "commission", "tls_root", "quorum", "threshold",
    }  # fmt: skip


def test_a_rosters_approvers_are_different_people(commission: Identity) -> None:
    li, wang = digest(b"li"), digest(b"wang")
    roster = roster_of(commission, approvers=(wang, li), approvals_needed=2)
    assert (roster.approvers, roster.approvals_needed) == (tuple(sorted((li, wang))), 2)
    assert roster.digest != roster_of(commission, approvers=(wang, li)).digest != roster_of(commission).digest
    for approvers, needed in (
        ((li, li), 1),
        ((li, commission.public), 1),
        ((li, digest(b"authority")), 1),
        ((li, wang), 3),
        ((li, wang), 0),
        ((), 2),
    ):
        with pytest.raises(ValueError, match="approve"):
            roster_bytes(commission, approvers=approvers, approvals_needed=needed)


@pytest.mark.parametrize(("sites", "allowed"), [(1, "1"), (2, "2"), (3, "3"), (4, "4"), (7, "6 to 7"), (10, "8 to 10")])
def test_a_quorum_lies_between_the_default_and_all_sites(commission: Identity, sites: int, allowed: str) -> None:
    assert f"a quorum of {allowed} (" in allowed_quorums(sites)
    identities = {f"site{number}": digest(str(number).encode()) for number in range(sites)}

    def sign(quorum: int) -> int:
        body: dict = {"authority": digest(b"authority"), "commission": commission, "tls_root": digest(b"root")}
        return read_roster(make_roster("testland", identities, **body, quorum=quorum), commission.public).quorum

    least = default_quorum(sites)
    assert [sign(quorum) for quorum in range(least, sites + 1)] == list(range(least, sites + 1))
    for quorum in (0, least - 1, sites + 1):
        with pytest.raises(ValueError, match="has a quorum of"):
            sign(quorum)


def test_two_sites_cannot_share_an_identity(commission: Identity) -> None:
    with pytest.raises(ValueError, match="share an identity"):
        make_roster(
            "testland",
            {"east": KEYS["east"], "west": KEYS["east"]},
            authority=digest(b"authority"),
            commission=commission,
            tls_root=digest(b"root"),
        )


def test_an_approval_lives_from_its_first_to_its_last_moment() -> None:
    def at(text: str) -> bool:
        return approval().is_live(datetime.fromisoformat(text))

    assert not at("2025-12-31T15:59:59+00:00")
    assert at("2025-12-31T16:00:00+00:00")
    assert at("2026-01-31T15:59:59+00:00")
    assert not at("2026-01-31T16:00:00+00:00")


def test_an_approval_covers_one_program_of_one_task_of_one_region() -> None:
    assert approval().covers("testland", "sepsis", digest(b"program"))
    assert not approval().covers("testland", "sepsis", digest(b"altered program"))
    assert not approval().covers("elsewhere", "sepsis", digest(b"program"))


def test_the_approval_that_ends_last_is_found(commission: Identity, tmp_path: Path) -> None:
    folder, now = tmp_path / "approvals", datetime(2026, 1, 15, tzinfo=UTC)
    for name, until in (("long", "2026-03-01T00:00:00+00:00"), ("short", "2026-02-01T00:00:00+00:00")):
        signed = sign_approval(commission, approval(name=name, valid_until=until))
        write_durable(folder / f"{name}.json", signed)
    stranger = make_identity(tmp_path / "stranger.key")
    forged = sign_approval(stranger, approval(name="forged", valid_until="2030-01-01T00:00:00+00:00"))
    write_durable(folder / "forged.json", forged)
    write_durable(folder / "note.json", b"not a record")
    roster = roster_of(commission)
    found, _ = find_approval(folder, roster, "sepsis", digest(b"program"), now)
    assert found.name == "long"
    with pytest.raises(RefusedError, match="approval_expired"):
        find_approval(folder, roster, "sepsis", digest(b"program"), datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(RefusedError, match="approval_missing"):
        find_approval(folder, roster, "stroke", digest(b"program"), now)


def test_times_without_an_offset_are_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        approval(valid_from="2026-01-01T00:00:00")


@pytest.mark.parametrize(
    ("sites", "quorum", "drop_outs", "with_one", "with_both"),
    [
        (1, 1, 0, 0, 0),
        (2, 2, 0, 0, 0),
        (3, 3, 0, 1, 1),
        (4, 4, 0, 2, 2),
        (10, 8, 2, 6, 5),
        (39, 27, 12, 25, 14),
        (390, 261, 129, 259, 131),
    ],
)
def test_default_quorum_and_what_it_tolerates(
    sites: int, quorum: int, drop_outs: int, with_one: int, with_both: int
) -> None:
    assert default_quorum(sites) == quorum
    found = tolerance(sites)
    assert (found.drop_outs, found.with_one, found.with_both) == (drop_outs, with_one, with_both)
