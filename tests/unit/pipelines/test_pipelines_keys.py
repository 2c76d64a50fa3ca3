"""Keys, rosters and approvals by command, on a set-up of the demo region without data."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from contracts.errors import CloisterError, CredentialError, RefusedError, SpecError, exit_code
from contracts.region import load_region
from contracts.zone import WorkArea
from federated.programs import program_digest
from governance import vault
from governance.approvals import find_approval
from governance.files import write_private
from governance.roster import Roster, load_roster
from governance.signing import fingerprint, load_identity
from governance.vault import SEALED, VAULT_FILE
from pipelines.cli.main import COMMANDS, cli
from pipelines.parties import approve, set_up_parties
from pipelines.rosters import read_region_roster

DEMO = Path(__file__).resolve().parents[3] / "regions" / "demo"
GROUPS = ("key", "roster", "approval", "authority")

Cloister = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work directory after set-up, with two approvers' keys; scrypt at its least, as it is tested elsewhere."""
    work = tmp_path_factory.mktemp("made") / "work"
    with pytest.MonkeyPatch.context() as cheap:
        cheap.setattr(vault.make_vault, "__kwdefaults__", {"cost": 2})
        assert run("key", "make", DEMO, "--approver", "li", "--approver", "wang", "--work", work)[0] == 0
    return work


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vault.Vault.wrapped, "__defaults__", (2,))
    shutil.copytree(made, tmp_path / "work")
    return tmp_path / "work"


def run(*arguments: object) -> tuple[int, str]:
    """Run a command in this process; its exit code and what it said, the error's line included."""
    result = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False)
    if isinstance(result.exception, CloisterError):
        return exit_code(result.exception), str(result.exception)
    if isinstance(result.exception, click.ClickException):
        return 2, result.exception.format_message()
    if result.exception is not None:
        raise result.exception
    return 0, result.output


def held(*arguments: object) -> str:
    code, words = run(*arguments)
    assert code == 0, words
    return words


def roster_of(work: Path) -> Roster:
    return read_region_roster(WorkArea(work))


def public_of(work: Path, site: str) -> str:
    return load_identity(work / "sites" / site / "secrets" / "identity.key").public


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_of_a_group_explains_itself_with_an_example(group: str) -> None:
    command = cli.get_command(click.Context(cli), group)
    assert isinstance(command, click.Group) and group in COMMANDS
    for name in command.commands:
        words = held(group, name, "--help")
        assert f"cloister {group} {name}" in words and "Examples:" in words


def test_the_list_shows_each_fingerprint_and_how_the_key_is_kept(work: Path) -> None:
    lines = held("key", "list", "--work", work).splitlines()
    assert len(lines) == 6 + 4 * 3 + 2
    north = next(line for line in lines if "north" in line and "identity" in line)
    assert fingerprint(public_of(work, "north")) in north and north.endswith("file, mode 0600")
    sealed = [line for line in lines if line.startswith("authority")]
    assert len(sealed) == 4 and all(line.endswith("sealed") for line in sealed)
    secret = load_identity(work / "sites" / "north" / "secrets" / "identity.key").private.private_bytes_raw().hex()
    assert secret not in "".join(lines)
    (work / "sites" / "north" / "secrets" / "identity.key").chmod(0o644)
    code, words = run("key", "list", "--work", work)
    assert code == 4 and "chmod 600" in words


def test_no_key_of_the_authority_stands_in_plain(work: Path) -> None:
    plain = [
        path.name
        for path in (work / "authority" / "secrets").rglob("*.key")
        if not path.read_bytes().startswith(SEALED) and b"ENCRYPTED PRIVATE KEY" not in path.read_bytes()
    ]
    assert plain == []
    assert not any((work / "authority").rglob("*passphrase*"))
    assert stat.S_IMODE((work / "passphrases").stat().st_mode) == 0o700
    assert stat.S_IMODE((work / "passphrases" / "authority.txt").stat().st_mode) == 0o600


def test_a_folder_of_an_earlier_version_is_sealed_at_the_next_set_up(work: Path) -> None:
    area = WorkArea(work)
    before = roster_of(work)
    opened = vault.open_vault(area.authority, vault.Unlock(passphrase_file=work / "passphrases" / "authority.txt"))
    for name in ("authority.key", "commission.key", "root.key"):
        write_private(opened.secrets / name, opened.read(opened.secrets / name))
    (opened.secrets / VAULT_FILE).unlink()
    shutil.rmtree(work / "passphrases")
    set_up_parties(load_region(DEMO), area)
    assert roster_of(work) == before
    test_no_key_of_the_authority_stands_in_plain(work)


def test_without_its_passphrase_nothing_is_set_up(work: Path) -> None:
    (work / "passphrases" / "authority.txt").unlink()
    with pytest.raises(CredentialError, match="no passphrase file"):
        set_up_parties(load_region(DEMO), WorkArea(work))
    assert not (work / "passphrases" / "authority.txt").exists()


@pytest.mark.parametrize("lost", ["authority/secrets/authority.key", "authority/secrets/commission.key",
                                  "sites/north/secrets/identity.key"])  # fmt: skip
def test_an_identity_that_was_lost_is_not_replaced_by_itself(work: Path, lost: str) -> None:
    kept = {path: path.read_bytes() for path in (work / "pki").iterdir()}
    (work / lost).unlink()
    code, words = run("key", "make", DEMO, "--work", work)
    assert code == 4 and "is gone, but the roster names it" in words and "cloister key restore" in words
    assert {path: path.read_bytes() for path in (work / "pki").iterdir()} == kept
    assert not (work / lost).exists()


def test_a_rotated_identity_is_on_the_next_roster_and_the_older_roster_is_refused(work: Path) -> None:
    before, older, memory = roster_of(work), (work / "pki" / "roster.json").read_bytes(), work / "seen.memory"
    load_roster(work / "pki" / "roster.json", before.commission, memory)
    assert "roster version 2" in held("key", "rotate", DEMO, "--site", "north", "--kind", "identity", "--work", work)
    after = load_roster(work / "pki" / "roster.json", before.commission, memory)
    assert after.identity("north") == public_of(work, "north") != before.identity("north")
    assert after.identity("east") == before.identity("east")
    (work / "pki" / "roster.json").write_bytes(older)
    with pytest.raises(CloisterError, match="older than version 2"):
        load_roster(work / "pki" / "roster.json", before.commission, memory)


def test_the_authoritys_identity_its_root_and_a_nodes_key_rotate(work: Path) -> None:
    before, node = roster_of(work), (work / "sites" / "east" / "secrets" / "supernode.pub").read_bytes()
    held("key", "rotate", DEMO, "--kind", "authority", "--work", work)
    held("key", "rotate", DEMO, "--kind", "tls", "--work", work)
    held("key", "rotate", DEMO, "--site", "east", "--kind", "node", "--work", work)
    after = roster_of(work)
    assert (after.version, after.members) == (3, before.members)
    assert after.authority != before.authority and after.tls_root != before.tls_root
    assert (work / "pki" / "authority.pub").read_text() == after.authority
    assert (work / "sites" / "east" / "secrets" / "supernode.pub").read_bytes() != node


@pytest.mark.parametrize(
    "arguments",
    [
        ("--kind", "identity"),
        ("--kind", "authority", "--site", "north"),
        ("--site", "north", "--kind", "identity", "--passphrase-file", "x"),
        ("--kind", "passphrase"),
    ],
)
def test_a_rotation_that_is_not_clear_is_not_begun(work: Path, arguments: tuple[str, ...]) -> None:
    assert run("key", "rotate", DEMO, *arguments, "--work", work)[0] == 2
    assert roster_of(work).version == 1


def test_another_passphrase_opens_the_authority_from_then_on(work: Path, tmp_path: Path) -> None:
    write_private(tmp_path / "new", b"another long passphrase")
    held("key", "rotate", DEMO, "--kind", "passphrase", "--passphrase-file", tmp_path / "new", "--work", work)
    (work / "passphrases" / "authority.txt").unlink()
    held("key", "make", DEMO, "--work", work)
    hook = f"{shutil.which('echo')} {'ab' * 32}"
    held("key", "rotate", DEMO, "--kind", "passphrase", "--unwrap-command", hook, "--work", work)
    (tmp_path / "new").unlink()
    held("key", "make", DEMO, "--work", work)
    assert roster_of(work).version == 1


def test_a_revoked_site_stays_out_until_it_has_another_identity(work: Path) -> None:
    out = held("key", "revoke", DEMO, "--site", "west", "--reason", "stolen", "--work", work)
    assert "names east, north, south" in out
    for _ in range(2):
        set_up_parties(load_region(DEMO), WorkArea(work))
    assert (roster_of(work).version, roster_of(work).sites) == (2, ("east", "north", "south"))
    code, words = run("roster", "sign", DEMO, "--readmit", "west", "--work", work)
    assert code == 2 and "rotate it first" in words
    held("key", "rotate", DEMO, "--site", "west", "--kind", "identity", "--work", work)
    assert roster_of(work).version == 2
    held("roster", "sign", DEMO, "--readmit", "west", "--work", work)
    assert roster_of(work).identity("west") == public_of(work, "west")


def test_an_altered_revocation_lets_nobody_back_in(work: Path) -> None:
    held("key", "revoke", DEMO, "--site", "west", "--reason", "stolen", "--work", work)
    path = work / "authority" / "revoked" / "west.revoked.json"
    path.write_bytes(path.read_bytes().replace(b"stolen", b"mislaid"))
    code, words = run("key", "make", DEMO, "--work", work)
    assert code == 5 and "not signed" in words
    assert roster_of(work).sites == ("east", "north", "south")


def test_the_last_site_cannot_be_revoked(work: Path) -> None:
    for site in ("east", "north", "south"):
        held("key", "revoke", DEMO, "--site", site, "--reason", "a test", "--work", work)
    assert run("key", "revoke", DEMO, "--site", "west", "--reason", "a test", "--work", work)[0] == 4
    assert run("key", "revoke", DEMO, "--site", "east", "--reason", "a test", "--work", work)[0] == 2


def test_the_roster_shows_what_it_tolerates(work: Path) -> None:
    words = held("roster", "show", "--work", work)
    assert "quorum 4 of 4 sites" in words and "2 colluding sites beside both together" in words
    assert fingerprint(public_of(work, "south")) in words


def test_fingerprints_told_over_the_telephone_are_compared(work: Path) -> None:
    told = fingerprint(public_of(work, "north"))
    for words in (told, told.replace(" ", "").upper()):
        assert "agrees on north" in held("roster", "check", "--fingerprint", f"north={words}", "--work", work)
    code, words = run("roster", "check", "--fingerprint", f"east={told}", "--work", work)
    assert code == 5 and "do not use this roster" in words
    assert run("roster", "check", "--fingerprint", f"zoo={told}", "--work", work)[0] == 2
    assert run("roster", "check", "--fingerprint", "north", "--work", work)[0] == 2
    assert run("roster", "check", "--work", work)[0] == 2


def test_a_swapped_roster_is_refused(work: Path) -> None:
    path = work / "pki" / "roster.json"
    path.write_bytes(path.read_bytes().replace(public_of(work, "north").encode(), b"0" * 64))
    assert run("roster", "show", "--work", work)[0] == 5


def test_an_approval_waits_for_two_approvers_and_an_approver_can_stop_it(work: Path) -> None:
    region, area = load_region(DEMO), WorkArea(work)
    keys = [work / "approvers" / name for name in ("li", "wang")]
    named = [part for folder in keys for part in ("--approver", folder / "approver.pub")]
    held("roster", "sign", DEMO, *named, "--approvals-needed", "2", "--work", work)
    held("key", "make", DEMO, "--work", work)
    assert roster_of(work).approvals_needed == 2, "approvers stay when the roster is signed again"
    with pytest.raises(RefusedError, match="approval_not_countersigned"):
        approve(region, area, region.task("triage"))
    with pytest.raises(RefusedError, match="approval_not_countersigned"):
        approve(region, area, region.task("triage"))
    (approval,) = (work / "authority" / "approvals").glob("*.json")
    for folder, state in zip(keys, ("waits for 1", "live until"), strict=True):
        secret = folder / "secrets" / "approver.key"
        assert state in held("approval", "countersign", approval, "--key", secret, "--work", work)
    approve(region, area, region.task("triage"))
    assert "live until" in held("approval", "list", "--work", work)
    identity = work / "sites" / "east" / "secrets" / "identity.key"
    assert run("approval", "countersign", approval, "--key", identity, "--work", work)[0] == 2
    assert run("approval", "revoke", approval.stem, "--reason", "x", "--key", identity, "--work", work)[0] == 2
    secret = keys[0] / "secrets" / "approver.key"
    held("approval", "revoke", approval.stem, "--reason", "a doubt", "--key", secret, "--work", work)
    assert "revoked" in held("approval", "list", "--work", work)
    with pytest.raises(RefusedError, match="approval_revoked"):
        approve(region, area, region.task("triage"))


def test_what_was_revoked_is_approved_again_only_by_a_person(work: Path) -> None:
    region, area = load_region(DEMO), WorkArea(work)
    task = region.task("diagnosis")
    approve(region, area, task)
    (approval,) = (work / "authority" / "approvals").glob("*.json")
    held("approval", "revoke", approval.stem, "--reason", "a doubt", "--work", work)
    with pytest.raises(RefusedError, match="approval_revoked"):
        approve(region, area, task)
    assert "live until" in held("approval", "sign", DEMO, "--task", "diagnosis", "--days", 7, "--work", work)
    found, _ = find_approval(area.authority / "approvals", roster_of(work), task.name, program_digest(task))
    assert found.name != approval.stem


@pytest.mark.parametrize("approvals_needed", [0, 3])
def test_approvers_are_as_many_as_needed(work: Path, approvals_needed: int) -> None:
    named = ("--approver", work / "approvers" / "li" / "approver.pub")
    code, _ = run("roster", "sign", DEMO, *named, "--approvals-needed", approvals_needed, "--work", work)
    assert code == 2
    assert run("roster", "sign", DEMO, "--approver", "no key", "--work", work)[0] == 2
    assert run("roster", "sign", DEMO, "--approver", roster_of(work).commission, "--work", work)[0] == 2
    assert roster_of(work).version == 1


def test_a_partys_secrets_come_back_from_their_backup(work: Path, tmp_path: Path) -> None:
    write_private(tmp_path / "pass", b"a passphrase for backups")
    given = ("--passphrase-file", tmp_path / "pass", "--work", work)
    zone, archive = work / "sites" / "north", tmp_path / "north.backup"
    write_private(zone / "secrets" / "runs" / "a" / "mask.key", b"of a run under way")
    held("key", "backup", "north", "--out", archive, *given)
    before = {path.name: path.read_bytes() for path in (zone / "secrets").iterdir() if path.is_file()}
    assert run("key", "restore", "south", "--from", archive, *given)[0] == 2
    shutil.rmtree(zone / "secrets")
    held("key", "restore", "north", "--from", archive, *given)
    assert {path.name: path.read_bytes() for path in (zone / "secrets").iterdir()} == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in (zone / "secrets").iterdir()} == {0o600}
    assert stat.S_IMODE((zone / "secrets").stat().st_mode) == 0o700
    held("key", "make", DEMO, "--work", work)
    assert roster_of(work).version == 1


def test_a_backup_of_the_authority_needs_both_passphrases(work: Path, tmp_path: Path) -> None:
    write_private(tmp_path / "pass", b"a passphrase for backups")
    given = ("--passphrase-file", tmp_path / "pass", "--work", work)
    held("key", "backup", "authority", "--out", tmp_path / "a.backup", *given)
    shutil.rmtree(work / "authority")
    shutil.move(work / "passphrases" / "authority.txt", tmp_path / "kept apart")
    held("key", "restore", "authority", "--from", tmp_path / "a.backup", *given)
    assert run("key", "make", DEMO, "--work", work)[0] == 4
    shutil.move(tmp_path / "kept apart", work / "passphrases" / "authority.txt")
    held("key", "make", DEMO, "--work", work)
    assert roster_of(work).version == 1


def test_a_backup_does_not_lie_with_what_it_backs_up(work: Path, tmp_path: Path) -> None:
    write_private(tmp_path / "pass", b"a passphrase for backups")
    inside = work / "sites" / "north" / "north.backup"
    given = ("--passphrase-file", tmp_path / "pass", "--work", work)
    assert run("key", "backup", "north", "--out", inside, *given)[0] == 2
    write_private(work / "sites" / "north" / "pass", b"a passphrase for backups")
    beside = ("--passphrase-file", work / "sites" / "north" / "pass", "--work", work)
    assert run("key", "backup", "north", "--out", tmp_path / "north.backup", *beside)[0] == 4
    assert run("key", "backup", "zoo", "--out", tmp_path / "zoo.backup", *given)[0] == 2


@pytest.mark.parametrize(("quorum", "allowed"), [(1, False), (3, False), (4, True), (5, False)])
def test_a_regions_quorum_lies_between_the_default_and_all_sites(work: Path, quorum: int, allowed: bool) -> None:
    region = load_region(DEMO).model_copy(update={"quorum": quorum})
    if allowed:
        set_up_parties(region, WorkArea(work))
        assert roster_of(work).quorum == quorum
    else:
        with pytest.raises(SpecError, match=r"region\.toml: quorum: .* a roster of 4 sites has a quorum of 4"):
            set_up_parties(region, WorkArea(work))
    assert roster_of(work).version == 1


def test_there_are_no_keys_before_set_up(tmp_path: Path) -> None:
    for command in (("key", "list"), ("roster", "show"), ("approval", "list"), ("authority", "drill")):
        code, words = run(*command, "--work", tmp_path)
        assert code == 2 and "cloister key make" in words
