"""Backups of one party's secrets as one encrypted archive (governance.archive), and their way back.

    a site, coordinator, gateway, approver     secrets/
    authority                                  secrets/, audit.jsonl, ledger/, approvals/, revoked/, unlock.toml

Secrets of runs are left out: they live no longer than their run (SECURE_SUM rule 2), and a copy of them would. The
authority's keys stay sealed inside: its own passphrase, or the HSM, is needed as well and is kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import CredentialError, UsageError
from contracts.zone import WorkArea
from governance.archive import Manifest, restore_archive, write_archive
from governance.archive import read_manifest as read_manifest
from pipelines.authority_vault import UNLOCK_FILE
from pipelines.rosters import REVOKED

CHAIN = "audit.jsonl"
AUTHORITY = "authority"
_PARTIES = (AUTHORITY, "coordinator", "gateway")
_AUTHORITY_FOLDERS = ("ledger", "approvals", REVOKED)


def party_folder(area: WorkArea, party: str) -> Path:
    """Folder of a party by name: ``authority``, ``coordinator``, ``gateway``, a site, an approver."""
    if party in _PARTIES:
        return area.root / party
    found = [area.root / kind / party for kind in ("sites", "approvers")]
    return next((folder for folder in found if folder.is_dir()), found[0])


def back_up(area: WorkArea, party: str, out: Path, passphrase_file: Path) -> Manifest:
    """Write a party's secrets into an archive at ``out``; what it holds.

    Raises:
        UsageError: no such party, ``out`` exists, or lies in the party's folder.
        CredentialError: the passphrase file is of no use, or lies in the party's folder.
    """
    folder = party_folder(area, party)
    if not (folder / "secrets").is_dir():
        raise UsageError(f"no secrets of '{party}' in {area.root}: name the authority, coordinator, gateway, or a site")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{out} lies in {folder}: a backup is kept elsewhere")
    if passphrase_file.resolve().is_relative_to(folder.resolve()):
        raise CredentialError(f"{passphrase_file} lies in {folder}, which it is to guard: keep it elsewhere")
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return write_archive(out, party, made_at, backup_files(folder, party), passphrase_file)


def restore(area: WorkArea, party: str, archive: Path, passphrase_file: Path) -> Manifest:
    """Put an archive back into a party's folder.

    Raises:
        UsageError: it is another party's, or other files are there already: nothing was written.
        CredentialError, IntegrityError: as governance.archive.read_archive.
    """
    if not archive.is_file():
        raise UsageError(f"no archive at {archive}")
    named = read_manifest(archive, passphrase_file).party
    if named != party:
        raise UsageError(f"{archive} is a backup of '{named}', not of '{party}'")
    return restore_archive(archive, passphrase_file, party_folder(area, party))


def backup_files(folder: Path, party: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of what a backup of a party holds.

    The authority may be at work: its chain is read first, whole lines of it, so that every answer that the chain tells
    of is there when the answers are read.
    """
    if party == AUTHORITY:
        if (folder / CHAIN).exists():
            chain = (folder / CHAIN).read_bytes()
            yield CHAIN, chain[: chain.rfind(b"\n") + 1]
        if (folder / UNLOCK_FILE).exists():
            yield UNLOCK_FILE, (folder / UNLOCK_FILE).read_bytes()
    folders = ("secrets", *_AUTHORITY_FOLDERS) if party == AUTHORITY else ("secrets",)
    for name in folders:
        for path in sorted((folder / name).rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and not path.name.startswith(".") and relative.parts[:2] != ("secrets", "runs"):
                yield relative.as_posix(), path.read_bytes()
