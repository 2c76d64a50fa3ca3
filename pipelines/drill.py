"""The authority's drill: back up, restore beside, prove that the copy would do, and that an old copy would not.

Everything happens in a scratch folder that is removed at the end; the authority's own folder is only read, also while
it is at work. What is proved of the copy is what a real restoration needs: its chain, its keys, its answers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CloisterError, RefusedError
from contracts.messages import NO_DIGEST, CreateRun, Head, OpenRequest, RefusalCode, TotalHeader
from contracts.wire import canonical, pack, parts_digest
from contracts.zone import WorkArea
from governance.archive import restore_archive
from governance.audit import read_audit
from governance.files import write_private
from governance.roster import Roster
from governance.signing import load_identity, open_message
from governance.vault import Unlock, open_vault
from pipelines.authority_vault import read_unlock
from pipelines.key_backup import AUTHORITY, CHAIN, back_up
from pipelines.rosters import read_region_roster
from secure_compute.authority.opener import Opener
from secure_compute.head_memory import HeadMemory

_NOTHING = parts_digest(())


@dataclass(frozen=True)
class Step:
    """One thing that the drill tried: what, in words, and whether it held."""

    words: str
    held: bool


def drill(area: WorkArea) -> Iterator[Step]:
    """Run the drill, step by step.

    Raises:
        CredentialError: the passphrase or command does not open the authority's vault. UsageError: nothing to drill.
    """
    roster, unlock = read_region_roster(area), read_unlock(area)
    open_vault(area.authority, unlock)
    with tempfile.TemporaryDirectory(prefix=".drill-", dir=area.root) as scratch:
        yield from _drill(area, Path(scratch), roster, unlock)


WHAT_TO_DO = """\
If the authority's host is lost: put the newest backup back with `cloister key restore authority`, start the
authority, and look at the first request. If it is refused with ledger_restored, the backup is older than what
sites and coordinator have seen: find a newer one. When there is none, what was opened since counts against no
budget any more: the commission says so in writing, revokes the approvals (`cloister approval revoke`), and every
hospital and the coordinator delete their authority.memory themselves, or do not take part. A run that was under
way ends closed, because its keys are never backed up: nothing of it can be opened twice. It is started again.
"""


def _drill(area: WorkArea, scratch: Path, roster: Roster, unlock: Unlock) -> Iterator[Step]:
    copy, old, archive, secret = (scratch / name for name in ("authority", "old", "authority.backup", "passphrase"))
    remembered = {name: memory.last for name, memory in _memories(area)}  # before the backup: it may be at work
    write_private(secret, os.urandom(32).hex().encode())
    manifest = back_up(area, AUTHORITY, archive, secret)
    restore_archive(archive, secret, copy)
    yield Step(f"backed up and restored {len(manifest.names)} files, {sum(manifest.sizes):,} bytes", True)
    try:
        entries = list(read_audit(copy / CHAIN)) if (copy / CHAIN).exists() else []
        vault = open_vault(copy, unlock)
        identity = load_identity(vault.secrets / "authority.key", vault)
    except CloisterError as error:
        yield Step(f"the restored chain and keys are sound: {error}", False)
        return
    yield Step(f"the restored audit chain is whole: {len(entries)} entries", True)
    yield Step("the restored identity is the one that the roster names", identity.public == roster.authority)
    furthest = max((head for head in remembered.values() if head), key=lambda head: head.entries, default=None)
    if furthest is not None:
        shutil.copytree(copy, old)
        write_private(old / CHAIN, b"".join(entry.line() for entry in entries[: furthest.entries - 1]))
    opener = Opener(copy, identity, roster, vault)
    try:
        yield from _answers(area.authority, copy, opener)
        for name, known in remembered.items():
            words = f"{name} remembers entry {known.entries}" if known else f"{name} remembers nothing yet"
            yield Step(f"{words}: the restored ledger is accepted", opener.ledger.contains(known))
        yield Step(
            "the restored ledger takes requests", _refusal(opener, roster, furthest) == RefusalCode.APPROVAL_MISSING
        )
    finally:
        opener.close()
    if furthest is not None:
        opener = Opener(old, identity, roster, open_vault(old, unlock))
        try:
            code = _refusal(opener, roster, furthest)
        finally:
            opener.close()
        words = f"a copy of {furthest.entries - 1} entries, fewer than somebody remembers, is refused: {code}"
        yield Step(words, code == RefusalCode.LEDGER_RESTORED)


def _answers(live: Path, copy: Path, opener: Opener) -> Iterator[Step]:
    """Every stored answer decrypts, answers the request that the chain names, and is the one the authority holds."""
    answers, sound, last = 0, True, None
    for record in opener.ledger.runs.values():
        for round_no, (request, _) in record.intents.items():
            try:
                answer = opener.ledger.answer(record.run, round_no)
            except CloisterError as error:
                yield Step(f"run {record.run}, round {round_no}: {error}", False)
                continue
            if answer is None:
                sound = sound and round_no >= record.rounds  # asked for, and never answered
                continue
            answers += 1
            last = open_message(answer, TotalHeader, None)[0]
            name = f"ledger/{record.run}/total-{round_no}.sealed"
            same = (live / name).read_bytes() == (copy / name).read_bytes()
            sound = sound and same and (last.request, last.run, last.round) == (request, record.run, round_no)
    yield Step(f"{answers} stored answers decrypt, and are what the same requests would get", sound)
    if last is not None:
        code = _refusal_of_another(opener, last)
        yield Step(f"another request for an opened sum is refused: {code}", code == RefusalCode.ALREADY_OPENED)


def _refusal_of_another(opener: Opener, total: TotalHeader) -> str:
    """Why an opener refuses another request than the one that it answered with ``total``."""
    other = OpenRequest(
        content=_NOTHING,
        run=total.run,
        round=total.round,
        attempt=total.attempt,
        sites=total.sites,
        members=total.sites,
        agreements=0,
        layout=total.layout,
    )
    try:
        opener.open(total.run, pack(canonical(other)))
    except RefusedError as refusal:
        return refusal.code
    return "answered"


def _refusal(opener: Opener, roster: Roster, remembered: Head | None) -> str:
    """Why an opener refuses a run of a task that nobody approved, asked by somebody who remembers a head."""
    request = CreateRun(content=_NOTHING, task="drill", program=NO_DIGEST, roster=roster.digest, remembered=remembered)
    try:
        opener.create_run(pack(canonical(request)))
    except RefusedError as refusal:
        return refusal.code
    return "granted"


def _memories(area: WorkArea) -> Iterator[tuple[str, HeadMemory]]:
    """What the parties on this machine remember of the authority's chain."""
    yield "the coordinator", HeadMemory(area.coordinator / "authority.memory")
    for folder in sorted((area.root / "sites").glob("*")):
        yield f"site {folder.name}", HeadMemory(folder / "secrets" / "authority.memory")
