"""Encrypted archives: what goes in comes out, with private modes, or nothing does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from contracts.errors import CredentialError, IntegrityError, UsageError
from governance import vault
from governance.archive import read_archive, read_manifest, restore_archive, write_archive
from governance.files import write_private

FILES = [("secrets/identity.key", b"secret" * 9), ("secrets/server.crt", b""), ("ledger/a/total-0.sealed", b"x" * 5000)]
AT = "2026-11-22T00:00:00+00:00"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrypt's cost is the vault's concern, and tested there."""
    monkeypatch.setattr(vault.Vault.wrapped, "__defaults__", (2,))


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    write_private(tmp_path / "passphrase", b"a passphrase for backups")
    return tmp_path / "passphrase"


@pytest.fixture
def archive(tmp_path: Path, passphrase: Path) -> Path:
    write_archive(tmp_path / "north.backup", "north", AT, FILES, passphrase)
    return tmp_path / "north.backup"


def test_files_come_back_with_private_modes(archive: Path, passphrase: Path, tmp_path: Path) -> None:
    manifest = restore_archive(archive, passphrase, tmp_path / "north")
    assert (manifest.party, manifest.made_at) == ("north", AT)
    found = {path for path in (tmp_path / "north").rglob("*")}
    assert {path.relative_to(tmp_path / "north").as_posix(): path.read_bytes() for path in found if path.is_file()} == (
        dict(FILES)
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_an_archive_says_nothing_to_those_without_the_passphrase(archive: Path, tmp_path: Path) -> None:
    data = archive.read_bytes()
    assert all(word not in data for word in (b"secret", b"identity", b"north", b"total"))
    write_private(tmp_path / "other", b"another passphrase")
    with pytest.raises(CredentialError, match="does not open"):
        read_manifest(archive, tmp_path / "other")


def test_every_altered_byte_and_every_cut_is_noticed(tmp_path: Path, passphrase: Path) -> None:
    path = tmp_path / "small.backup"
    write_archive(path, "north", AT, [("secrets/a", b"a"), ("secrets/b", b"b")], passphrase)
    data = path.read_bytes()
    spoiled = [data[:cut] for cut in range(0, len(data), 7)] + [data + b"x"]
    spoiled += [data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :] for place in range(0, len(data), 3)]
    for one in spoiled:
        path.write_bytes(one)
        with pytest.raises((IntegrityError, CredentialError)):
            list(read_archive(path, passphrase))
        with pytest.raises((IntegrityError, CredentialError)):
            restore_archive(path, passphrase, tmp_path / "north")
    assert not (tmp_path / "north").exists()


def test_nothing_is_written_over_another_file(archive: Path, passphrase: Path, tmp_path: Path) -> None:
    write_private(tmp_path / "north" / "ledger" / "a" / "total-0.sealed", b"newer")
    with pytest.raises(UsageError, match="nothing was restored"):
        restore_archive(archive, passphrase, tmp_path / "north")
    assert [path.name for path in (tmp_path / "north").rglob("*") if path.is_file()] == ["total-0.sealed"]


def test_what_a_party_remembers_now_is_not_replaced_by_what_it_remembered(tmp_path: Path, passphrase: Path) -> None:
    write_archive(tmp_path / "a.backup", "north", AT, [("secrets/authority.memory", b"old")], passphrase)
    write_private(tmp_path / "north" / "secrets" / "authority.memory", b"new")
    restore_archive(tmp_path / "a.backup", passphrase, tmp_path / "north")
    assert (tmp_path / "north" / "secrets" / "authority.memory").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "secrets/../../escape", ""])
def test_a_name_outside_of_the_folder_is_refused(tmp_path: Path, passphrase: Path, name: str) -> None:
    write_archive(tmp_path / "a.backup", "north", AT, [(name, b"x")], passphrase)
    with pytest.raises(IntegrityError, match="outside of its folder"):
        restore_archive(tmp_path / "a.backup", passphrase, tmp_path / "north")


def test_an_archive_is_never_written_over(archive: Path, passphrase: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        write_archive(archive, "north", AT, FILES, passphrase)
    with pytest.raises(UsageError, match="no folder"):
        write_archive(tmp_path / "none" / "a", "north", AT, FILES, passphrase)
