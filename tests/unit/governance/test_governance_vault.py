"""Keys at rest: known answers, what opens a vault and what does not, and what an altered file is worth."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from contracts.errors import CredentialError, IntegrityError, UsageError, exit_code
from governance.certificates import issue_server, make_root, server_passphrase
from governance.files import require_private, write_durable, write_private
from governance.signing import load_identity, make_identity
from governance.vault import (
    KEY_BYTES,
    VAULT_FILE,
    Unlock,
    Vault,
    make_vault,
    open_vault,
    read_passphrase,
    rewrap,
    stretch,
    unwrap,
)

PASSPHRASE = b"correct horse battery"
FROZEN_HEADER = {
    "format": 1,
    "kdf": "scrypt",
    "cost": 16,
    "salt": "000102030405060708090a0b0c0d0e0f",
    "wrapped": "000102030405060708090a0b9270d89611ec739eff7433e01dd409d8f8d428f8"
    "1d033afc1d693da7737b40707bd542eafadbe78c9ae9f914ff60f771",
}
FROZEN_FILE = bytes.fromhex("434c4f53010c0d0e0f10111213141516173d734bf33d767b591bfb01d32200ecbc04de1198176ac087")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "authority"


@pytest.fixture
def unlock(tmp_path: Path) -> Unlock:
    write_private(tmp_path / "passphrase", PASSPHRASE + b"\n")
    return Unlock(passphrase_file=tmp_path / "passphrase")


def unlocked_by(key: str) -> Unlock:
    """An HSM's hook that prints ``key``."""
    return Unlock(unwrap_command=(sys.executable, "-c", f"print({key!r})"))


def test_scrypt_gives_the_published_answer() -> None:
    """RFC 7914, section 12, third vector (its first 32 bytes)."""
    expected = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    assert stretch.__wrapped__(b"pleaseletmein", b"SodiumChloride", 16384).hex() == expected


def test_files_that_were_sealed_once_can_always_be_opened(folder: Path, unlock: Unlock) -> None:
    vault = unwrap(folder, json.dumps(FROZEN_HEADER).encode(), unlock)
    assert vault.open("secrets/a.key", FROZEN_FILE) == b"a secret"
    frozen = b"431b17ebb43c6f26e189e511d5a795502ade9c63a3284261641a3400c027eac6"
    assert vault.passphrase(folder / "secrets" / "server.key") == frozen


def test_a_secret_comes_back_and_does_not_stand_on_disk(folder: Path, unlock: Unlock) -> None:
    secret = b"thirty-two bytes of an identity."
    make_vault(folder, unlock, cost=2).write(folder / "secrets" / "a.key", secret)
    assert open_vault(folder, unlock).read(folder / "secrets" / "a.key") == secret
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {VAULT_FILE, "a.key"}
    assert all(secret not in path.read_bytes() and PASSPHRASE not in path.read_bytes() for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_wrong_passphrase_opens_nothing(folder: Path, unlock: Unlock, tmp_path: Path) -> None:
    make_vault(folder, unlock, cost=2)
    write_private(tmp_path / "other", b"another passphrase")
    with pytest.raises(CredentialError, match="the passphrase does not open") as refused:
        open_vault(folder, Unlock(passphrase_file=tmp_path / "other"))
    assert exit_code(refused.value) == 4
    assert "\n" not in str(refused.value) and "another" not in str(refused.value)


def test_a_passphrase_is_there_long_enough_and_its_owners_alone(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="no passphrase file"):
        read_passphrase(tmp_path / "none")
    write_private(tmp_path / "long", b"  twelve bytes \n")
    assert read_passphrase(tmp_path / "long") == b"twelve bytes"
    write_private(tmp_path / "short", b"short\n")
    with pytest.raises(CredentialError, match="5 bytes, expected 12 or more"):
        read_passphrase(tmp_path / "short")
    write_durable(tmp_path / "open", PASSPHRASE, 0o640)
    with pytest.raises(CredentialError, match="expected 0600"):
        read_passphrase(tmp_path / "open")


def test_a_passphrase_beside_the_keys_it_guards_is_refused(folder: Path) -> None:
    write_private(folder / "secrets" / "passphrase", PASSPHRASE)
    beside = Unlock(passphrase_file=folder / "secrets" / ".." / "secrets" / "passphrase")
    for act in (make_vault, open_vault):
        with pytest.raises(CredentialError, match="move it out"):
            act(folder, beside)


def test_a_link_to_a_passphrase_in_the_folder_is_seen_through(folder: Path, tmp_path: Path) -> None:
    write_private(folder / "passphrase", PASSPHRASE)
    (tmp_path / "link").symlink_to(folder / "passphrase")
    with pytest.raises(CredentialError, match="move it out"):
        make_vault(folder, Unlock(passphrase_file=tmp_path / "link"))


def test_every_altered_byte_of_a_sealed_file_is_noticed(folder: Path) -> None:
    vault = Vault(folder, bytes(KEY_BYTES))
    sealed = vault.seal("secrets/a.key", b"a secret")
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(IntegrityError, match=r"secrets/a\.key is not what this vault sealed"):
            vault.open("secrets/a.key", bytes(altered))
    for cut in (b"", sealed[:-1], sealed + b"x", b"a secret"):
        with pytest.raises(IntegrityError):
            vault.open("secrets/a.key", cut)


def test_a_sealed_file_cannot_stand_for_another(folder: Path) -> None:
    vault = Vault(folder, bytes(KEY_BYTES))
    vault.write(folder / "secrets" / "runs" / "a" / "bfv.key", b"of run a")
    (folder / "secrets" / "runs" / "a").rename(folder / "secrets" / "runs" / "b")
    with pytest.raises(IntegrityError, match=r"runs/b/bfv\.key"):
        vault.read(folder / "secrets" / "runs" / "b" / "bfv.key")


@pytest.mark.parametrize("name", sorted(FROZEN_HEADER))
def test_an_altered_vault_file_opens_nothing(folder: Path, unlock: Unlock, name: str) -> None:
    other: dict[str, object] = {
        "format": 2,
        "kdf": "command",
        "cost": 3,
        "salt": "00" * 16,
        "wrapped": str(FROZEN_HEADER["wrapped"])[:-2] + "00",
    }
    with pytest.raises((CredentialError, IntegrityError)):
        unwrap(folder, json.dumps({**FROZEN_HEADER, name: other[name]}).encode(), unlock)


def test_a_vault_opens_by_a_passphrase_or_a_command_never_both(folder: Path, unlock: Unlock) -> None:
    both = {"passphrase_file": unlock.passphrase_file, "unwrap_command": ("true",)}
    for values in ({}, both, {"unwrap_command": ()}):
        with pytest.raises(ValueError, match="one of them"):
            Unlock.model_validate(values)
    make_vault(folder, unlock, cost=2)
    with pytest.raises(CredentialError, match="opened by passphrase_file"):
        open_vault(folder, unlocked_by("ab" * 32))


def test_an_hsms_hook_opens_the_vault(folder: Path, unlock: Unlock) -> None:
    hook = unlocked_by("ab" * 32)
    make_vault(folder, hook).write(folder / "secrets" / "a.key", b"a secret")
    assert open_vault(folder, hook).read(folder / "secrets" / "a.key") == b"a secret"
    with pytest.raises(CredentialError, match="opened by unwrap_command"):
        open_vault(folder, unlock)
    with pytest.raises(CredentialError, match="does not open"):
        open_vault(folder, unlocked_by("ac" * 32))


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", "print('no key')"),
        (sys.executable, "-c", "print('ab' * 31)"),
        (sys.executable, "-c", "import sys; print('ab' * 32); sys.exit(1)"),
        ("/no/such/program",),
    ],
    ids=["no hex", "too short", "fails", "missing"],
)
def test_a_hook_that_gives_no_key_says_so_in_one_line(
    folder: Path, command: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CredentialError, match="gave no key") as refused:
        make_vault(folder, Unlock(unwrap_command=command))
    assert "\n" not in str(refused.value) and "abab" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_what_an_earlier_version_wrote_in_plain_is_sealed(folder: Path, unlock: Unlock) -> None:
    plain = [folder / "secrets" / name for name in ("authority.key", "storage.key", "missing.key")]
    for path in plain[:2]:
        write_private(path, path.name.encode())
    vault = make_vault(folder, unlock, tuple(plain), cost=2)
    assert [vault.read(path) for path in plain[:2]] == [b"authority.key", b"storage.key"]
    assert not plain[2].exists()
    with pytest.raises(UsageError, match="a vault already"):
        make_vault(folder, unlock)


def test_sealing_that_was_interrupted_goes_on(folder: Path, unlock: Unlock, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tuple(folder / "secrets" / name for name in ("a.key", "b.key"))
    for path in plain:
        write_private(path, path.name.encode())
    written: list[Path] = []

    def die_after_two(path: Path, data: bytes) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write_private(path, data)

    with monkeypatch.context() as dying:
        dying.setattr("governance.vault.write_private", die_after_two)
        with pytest.raises(KeyboardInterrupt):
            make_vault(folder, unlock, plain, cost=2)
    assert [path.name for path in written] == [f"{VAULT_FILE}.next", "a.key"]
    with pytest.raises(CredentialError, match="not sealed yet"):
        open_vault(folder, unlock)
    vault = make_vault(folder, unlock, plain)
    assert [vault.read(path) for path in plain] == [b"a.key", b"b.key"]


def test_another_passphrase_opens_the_same_files_and_the_old_one_no_more(
    folder: Path, unlock: Unlock, tmp_path: Path
) -> None:
    vault = make_vault(folder, unlock, cost=2)
    identity = make_identity(folder / "secrets" / "authority.key", vault)
    hook = unlocked_by("cd" * 32)
    rewrap(vault, hook)
    again = open_vault(folder, hook)
    assert load_identity(folder / "secrets" / "authority.key", again).public == identity.public
    with pytest.raises(CredentialError):
        open_vault(folder, unlock)


def test_a_servers_key_is_an_encrypted_pem_file(folder: Path, unlock: Unlock, tmp_path: Path) -> None:
    vault = make_vault(folder, unlock, cost=2)
    root, key = tmp_path / "root.crt", folder / "secrets" / "server.key"
    make_root(root, folder / "secrets" / "root.key", "a region", vault=vault)
    assert b"PRIVATE KEY" not in (folder / "secrets" / "root.key").read_bytes()
    issue_server(
        root,
        folder / "secrets" / "root.key",
        key.with_suffix(".crt"),
        key,
        ("localhost",),
        root_vault=vault,
        vault=vault,
    )
    assert b"ENCRYPTED PRIVATE KEY" in key.read_bytes()
    assert server_passphrase(key, vault) == vault.passphrase(key).decode()
    with pytest.raises(IntegrityError, match="issue the certificate again"):
        server_passphrase(key, Vault(folder, bytes(KEY_BYTES)))
    with pytest.raises(UsageError, match="lies outside"):
        server_passphrase(tmp_path / "server.key", vault)


@pytest.mark.parametrize("name", ["identity.key", "runs/a/share.key", "vault.json", "link.token"])
def test_a_party_does_not_start_with_a_secret_that_others_may_read(tmp_path: Path, name: str) -> None:
    secrets = tmp_path / "secrets"
    write_private(secrets / name, b"secret")
    write_durable(secrets / "server.crt", b"public")
    write_durable(secrets / "roster.memory", b"public")
    require_private(secrets)
    (secrets / name).chmod(0o640)
    with pytest.raises(CredentialError, match=f"chmod 600 .*{name}") as refused:
        require_private(secrets)
    assert "\n" not in str(refused.value)


def test_a_secret_behind_a_link_is_judged_by_its_own_mode(tmp_path: Path) -> None:
    """A service manager may hand a secret over as a link to a file of its own."""
    write_private(tmp_path / "credentials" / "link.token", b"secret")
    write_private(tmp_path / "secrets" / "identity.key", b"secret")
    (tmp_path / "secrets" / "link.token").symlink_to(tmp_path / "credentials" / "link.token")
    (tmp_path / "secrets" / "gone.token").symlink_to(tmp_path / "nowhere")
    require_private(tmp_path / "secrets")
    (tmp_path / "credentials" / "link.token").chmod(0o644)
    with pytest.raises(CredentialError, match=r"link\.token has mode 0644"):
        require_private(tmp_path / "secrets")


def test_a_party_does_not_start_where_others_may_write(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    write_durable(secrets / "roster.memory", b"public", 0o666)
    with pytest.raises(CredentialError, match=r"roster\.memory has mode 0666"):
        require_private(secrets)
    (secrets / "roster.memory").chmod(0o644)
    secrets.chmod(0o777)
    with pytest.raises(CredentialError, match="chmod 700"):
        require_private(secrets)
    with pytest.raises(UsageError, match="set-up"):
        require_private(tmp_path / "none")
