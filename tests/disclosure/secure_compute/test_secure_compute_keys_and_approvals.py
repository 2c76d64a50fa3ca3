"""A thief with the authority's disk, a commission member who acts alone, a site and an approval that were revoked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from secure_region import PROGRAM, REGION, TASK, RunningRun, SecureRegion

from contracts.errors import CredentialError, IntegrityError, RefusedError
from contracts.messages import RunDescriptor
from contracts.sums import Block
from contracts.wire import digest, parts_digest
from governance.approvals import KIND, Approval, countersign_approval
from governance.audit import read_audit
from governance.files import write_durable, write_private
from governance.revocations import sign_approval_revocation
from governance.roster import KIND as ROSTER_KIND
from governance.roster import Roster, make_roster, read_roster
from governance.signing import Identity, countersigners, make_identity, open_message, sign_message, sign_record
from governance.vault import Unlock, open_vault
from secure_compute.authority.keys import load_run_keys
from secure_compute.bfv import BfvContext

LAYOUT = (Block("count", (3,), 100.0),)
SITES = ("east", "north", "south", "west")
TERMS = {site: {"count": np.arange(3.0) + number} for number, site in enumerate(SITES)}


@pytest.fixture
def region(tmp_path: Path) -> SecureRegion:
    return SecureRegion(tmp_path, SITES)


def sign_roster(region: SecureRegion, version: int, sites: tuple[str, ...] = SITES, **named: object) -> None:
    """The region's next roster, signed by its commission."""
    body: dict = {
        "authority": region.authority_identity.public,
        "commission": region.commission,
        "tls_root": digest(b"root"),
        "version": version,
    }
    identities = {site: region.identities[site].public for site in sites}
    region.signed_roster = make_roster(REGION, identities, **(body | named))
    region.roster = read_roster(region.signed_roster, region.commission.public)


def approvers_of(region: SecureRegion) -> tuple[Identity, Identity]:
    """Two approvers, both of whom the roster asks for from now on."""
    first, second = (make_identity(region.root / name / "approver.key") for name in ("li", "wang"))
    sign_roster(region, 2, approvers=(first.public, second.public), approvals_needed=2)
    return first, second


def approval_file(region: SecureRegion) -> Path:
    return region.folder / "approvals" / "test.json"


def refused_code(act: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as refused:
        act()
    return str(refused.value.code)


def opens(region: SecureRegion, run: RunningRun) -> None:
    assert run.open(LAYOUT, TERMS).values()["count"].tolist() == [6.0, 10.0, 14.0]


def stolen_key(disk: Path, run: str) -> BfvContext | None:
    """What a thief makes of a run's key file: the secret key, if it is one."""
    try:
        found = BfvContext((disk / "secrets" / "runs" / run / "bfv.key").read_bytes())
    except RefusedError:
        return None
    return found if found.is_secret else None


def test_a_stolen_disk_of_the_authority_opens_nothing(region: SecureRegion, tmp_path: Path) -> None:
    authority = region.authority()
    with authority:
        run = region.start(authority)
        opens(region, run)
        answer = authority.opener.ledger.answer(run.run, 0)
        keys = load_run_keys(region.vault, run.run)
        thief, plain = tmp_path / "thief", tmp_path / "plain"
        shutil.copytree(region.folder, thief)
        # In the clear, as an earlier version kept them, the files are all it takes.
        secret = region.vault.read(region.folder / "secrets" / "runs" / run.run / "bfv.key")
        write_private(plain / "secrets" / "runs" / run.run / "bfv.key", secret)
    assert stolen_key(plain, run.run) is not None
    assert stolen_key(thief, run.run) is None
    storage = region.vault.read(region.vault.secrets / "storage.key")
    identity = region.authority_identity.private.private_bytes_raw()
    wanted = [secret, keys.r_seed, keys.exchange.private_bytes_raw(), storage, identity, answer]
    loot = [path.read_bytes() for path in thief.rglob("*") if path.is_file()]
    assert len(loot) > 8
    assert [one for one in wanted for file in loot if one is None or one in file] == []
    write_private(tmp_path / "guess", b"a guess of the thief")
    with pytest.raises(CredentialError):
        open_vault(thief, Unlock(passphrase_file=tmp_path / "guess"))


def test_keys_of_one_run_cannot_be_put_in_the_place_of_anothers(region: SecureRegion) -> None:
    """Who can write to the disk, and cannot open the vault, might want one run's sums opened under another's key."""
    with region.authority() as authority:
        first, second = region.start(authority), region.start(authority)
    runs = region.folder / "secrets" / "runs"
    shutil.copy(runs / first.run / "bfv.key", runs / second.run / "bfv.key")
    with (
        region.authority() as authority,
        pytest.raises(IntegrityError, match=r"bfv\.key is not what this vault sealed"),
    ):
        second.authority = authority
        opens(region, second)


def test_the_commission_alone_cannot_approve_where_two_approvers_are_asked_for(region: SecureRegion) -> None:
    with region.authority() as authority:
        opens(region, region.start(authority))  # the commission's signature was enough until now
    first, second = approvers_of(region)
    alone = approval_file(region).read_bytes()

    def asked() -> str:
        with region.authority() as authority:
            return refused_code(lambda: authority.create_run(TASK, PROGRAM))

    def countersigned(*approvers: Identity) -> None:
        data = alone
        for approver in approvers:
            data = countersign_approval(data, region.commission.public, approver)
        write_durable(approval_file(region), data)

    stranger = make_identity(region.root / "stranger.key")
    for signers in ((), (first,), (first, first), (first, stranger), (first, region.commission)):
        countersigned(*signers)
        assert asked() == "approval_not_countersigned"
    countersigned(first, second)
    with region.authority() as authority:
        opens(region, region.start(authority))


def test_a_countersignature_counts_for_the_approval_that_was_read(region: SecureRegion) -> None:
    first, second = approvers_of(region)
    region.approve(max_openings=1)
    small = approval_file(region).read_bytes()
    for approver in (first, second):
        small = countersign_approval(small, region.commission.public, approver)
    region.approve(max_openings=1_000_000)
    body = json.loads(approval_file(region).read_bytes())
    body["countersignatures"] = json.loads(small)["countersignatures"]
    write_durable(approval_file(region), json.dumps(body).encode())
    with region.authority() as authority:
        assert refused_code(lambda: authority.create_run(TASK, PROGRAM)) == "approval_not_countersigned"
    body["countersignatures"] = [first.public, second.public]
    approval = Approval.model_validate(body["record"])
    assert countersigners(json.dumps(body).encode(), KIND, approval) == frozenset()


def test_a_site_refuses_a_run_that_its_approvers_did_not_agree_to(region: SecureRegion) -> None:
    """The authority's own check may be left out by whoever runs it: every site checks too."""
    first, second = approvers_of(region)
    alone = approval_file(region).read_bytes()
    agreed = countersign_approval(alone, region.commission.public, first)
    agreed = countersign_approval(agreed, region.commission.public, second)
    write_durable(approval_file(region), agreed)
    with region.authority() as authority:
        descriptor = authority.create_run(TASK, PROGRAM)
    header, parts = open_message(descriptor, RunDescriptor, region.roster.authority)
    swapped = (bytes(parts[0]), alone)
    forged = sign_message(
        region.authority_identity, header.model_copy(update={"content": parts_digest(swapped)}), swapped
    )
    assert refused_code(lambda: region.session("east").join(forged, PROGRAM)) == "approval_not_countersigned"
    region.session("east").join(descriptor, PROGRAM)


def test_a_revoked_approval_opens_nothing_more_though_its_revocation_be_removed(region: SecureRegion) -> None:
    authority = region.authority()
    run = region.start(authority)
    opens(region, run)
    approval = Approval.model_validate(json.loads(approval_file(region).read_bytes())["record"])
    path = region.folder / "approvals" / "test.revoked.json"
    revocation = sign_approval_revocation(region.commission, approval.digest, "test", "a doubt", "2026-11-22T00:00:00Z")
    write_durable(path, revocation.replace(approval.digest.encode(), digest(b"another").encode()))
    with pytest.raises(IntegrityError, match="was altered"):
        authority.create_run(TASK, PROGRAM)
    write_durable(path, revocation)
    assert refused_code(lambda: run.open(LAYOUT, TERMS)) == "approval_revoked"
    path.unlink()
    assert refused_code(lambda: authority.create_run(TASK, PROGRAM)) == "approval_revoked"
    authority.close()
    with region.authority() as restarted:
        assert refused_code(lambda: restarted.create_run(TASK, PROGRAM)) == "approval_revoked"
        restarted.close_run(run.run)
        assert refused_code(lambda: restarted.sign_model(run.run, digest(b"card"))) == "approval_revoked"
    events = [entry.event for entry in read_audit(region.folder / "audit.jsonl")]
    assert events.count("approval_revoked") == 1


def test_a_revocation_by_an_approver_outlives_the_approvers_place_on_the_roster(region: SecureRegion) -> None:
    former = make_identity(region.root / "former.key")
    approval = Approval.model_validate(json.loads(approval_file(region).read_bytes())["record"])
    path = region.folder / "approvals" / "test.revoked.json"
    with region.authority() as authority:
        opens(region, region.start(authority))
        write_durable(
            path, sign_approval_revocation(former, approval.digest, "test", "a doubt", "2026-11-22T00:00:00Z")
        )
        assert refused_code(lambda: authority.create_run(TASK, PROGRAM)) == "approval_revoked"
        path.unlink()  # nobody whom the roster names signed it, so it is not written into the chain
        opens(region, region.start(authority))
    assert "approval_revoked" not in [entry.event for entry in read_audit(region.folder / "audit.jsonl")]


def test_a_run_under_way_ends_with_the_roster_it_was_granted_for(region: SecureRegion) -> None:
    authority = region.authority()
    run = region.start(authority)
    opens(region, run)
    authority.close()
    sign_roster(region, 2, SITES[:3])
    with region.authority() as restarted:
        assert not (region.folder / "secrets" / "runs" / run.run).exists()
        run.authority = restarted
        assert refused_code(lambda: run.open(LAYOUT, TERMS)) == "run_closed"
        assert refused_code(lambda: region.session("west")) == "unknown_site"
        descriptor = restarted.create_run(TASK, PROGRAM)
        region.roster = read_roster(make_old_roster(region), region.commission.public)
        assert refused_code(lambda: region.session("west").join(descriptor, PROGRAM)) == "wrong_roster"
    closed = [e.facts for e in read_audit(region.folder / "audit.jsonl") if e.event == "run_closed"]
    assert [facts["why"] for facts in closed] == ["granted for another roster"]


def make_old_roster(region: SecureRegion) -> bytes:
    """The roster before a site was revoked, as that site still holds it."""
    return make_roster(
        REGION,
        {site: region.identities[site].public for site in SITES},
        authority=region.authority_identity.public,
        commission=region.commission,
        tls_root=digest(b"root"),
    )


@pytest.mark.parametrize(("quorum", "threshold"), [(1, 4), (2, 4), (3, 4), (3, 3)])
def test_no_party_takes_a_roster_whose_quorum_is_below_the_default(
    region: SecureRegion, quorum: int, threshold: int
) -> None:
    """Even the commission cannot sign one: with it, few colluding sites would see another's term."""
    values = dict(region.roster) | {"quorum": quorum, "threshold": threshold}
    crafted = sign_record(region.commission, ROSTER_KIND, Roster.model_construct(**values))
    with pytest.raises(IntegrityError, match="not a signed roster"):
        read_roster(crafted, region.commission.public)
