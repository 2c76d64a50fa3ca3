"""Runs that the authority granted: their descriptors, the sites' keys for them, their secrets while they are open."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.errors import RefusedError
from contracts.messages import CreateRun, Head, KeyMessage, RefusalCode, RunDescriptor, SealedSeed
from contracts.wire import canonical, digest, parts_digest
from governance.approvals import Approval, find_approval, read_approval
from governance.revocations import read_approval_revocations
from governance.roster import Roster
from governance.signing import Identity, open_message, sign_message
from governance.vault import Vault
from secure_compute.authority.keys import Granted, destroy_run_keys, kept_runs, load_run_keys, make_run_keys
from secure_compute.authority.ledger import Ledger, RunRecord
from secure_compute.authority.policy import judge_run
from secure_compute.key_exchange import seal, shared_secret
from secure_compute.run_messages import check_key

RUN_LIFETIME = timedelta(days=7)
"""A run that its coordinator left behind is closed after it, and its keys are destroyed."""

_NOTHING = parts_digest(())


class Runs:
    """All runs, by their ledger."""

    def __init__(self, folder: Path, identity: Identity, roster: Roster, ledger: Ledger, vault: Vault) -> None:
        """Destroys secrets of runs that are over, or that a crash kept from being granted."""
        self._vault = vault
        self._secrets = vault.secrets
        self._approvals = folder / "approvals"
        self._identity = identity
        self._roster = roster
        self._ledger = ledger
        self._granted: dict[str, Granted] = {}
        self._sweep()

    def create(self, request: CreateRun) -> bytes:
        """Grant a run and keep its keys; returns the signed descriptor."""
        self._sweep()
        self._require_remembered(request.remembered)
        approval, signed_approval = find_approval(
            self._approvals, self._roster, request.task, request.program, revoked=self._revoked()
        )
        judge_run(self._roster, approval, request.roster)
        run = os.urandom(16).hex()
        keys, public = make_run_keys(self._vault, run)
        self._ledger.record(
            "run_created",
            run,
            task=request.task,
            program=request.program,
            approval=approval.digest,
            roster=self._roster.digest,
        )
        parts = (public, signed_approval)
        descriptor = RunDescriptor(
            content=parts_digest(parts),
            run=run,
            task=request.task,
            program=request.program,
            approval=approval.digest,
            roster=self._roster.digest,
            roster_version=self._roster.version,
            bfv=digest(public),
            authority_key=keys.exchange_public,
            head=self._ledger.head,
        )
        signed = sign_message(self._identity, descriptor, parts)
        self._ledger.keep(run, "descriptor.bin", signed)
        self._granted[run] = Granted(descriptor, digest(signed), approval, keys)
        return signed

    def register(self, run: str, site: str, data: bytes) -> bytes:
        """Take a site's signed key; returns the seed of r sealed to it. The same key may come again."""
        granted = self.granted(run)
        key = self._check_key(granted, site, data)
        self._require_remembered(key.remembered)
        kept = self._ledger.kept(run, _key_file(site))
        if kept is not None and kept != data:
            raise RefusedError(RefusalCode.DUPLICATE, f"site '{site}' registered another key for this run")
        shared = shared_secret(granted.keys.exchange, key.site_key)
        if kept is None:
            self._ledger.keep(run, _key_file(site), data)
            self._ledger.record("key_registered", run, site=site, key=key.site_key)
        granted.take_key(key, shared)
        header = SealedSeed(content=_NOTHING, run=run, site=site, head=self._ledger.head)
        parts = (seal(shared, run, site, granted.keys.r_seed, canonical(header)),)
        return sign_message(self._identity, header.model_copy(update={"content": parts_digest(parts)}), parts)

    def granted(self, run: str) -> Granted:
        """An open run. Raises RefusedError unknown_run, run_closed, wrong_roster or approval_revoked."""
        record = self.record(run)
        if record.status != "open":
            raise RefusedError(RefusalCode.RUN_CLOSED, f"the run is {record.status}: its keys are destroyed")
        if record.roster != self._roster.digest:
            raise RefusedError(RefusalCode.WRONG_ROSTER, "the run was granted for another roster")
        self._require_not_revoked(record)
        if run not in self._granted:
            self._granted[run] = self._load(run)
        return self._granted[run]

    def record(self, run: str) -> RunRecord:
        """What the ledger says of a run. Raises RefusedError unknown_run."""
        if run not in self._ledger.runs:
            raise RefusedError(RefusalCode.UNKNOWN_RUN, "no such run")
        return self._ledger.runs[run]

    def approval(self, run: str) -> Approval:
        """The approval under which a run was granted, open or not. Raises RefusedError approval_revoked."""
        self._require_not_revoked(self.record(run))
        _, parts = open_message(self._document(run), RunDescriptor, self._identity.public)
        return read_approval(bytes(parts[1]), self._roster)

    def forget(self, run: str) -> None:
        """Destroy a run's secrets (SECURE_SUM rule 2)."""
        self._granted.pop(run, None)
        destroy_run_keys(self._secrets, run)

    def _sweep(self) -> None:
        """End runs that nothing can be opened for any more; destroy secrets that no open run needs."""
        kept = set(kept_runs(self._secrets))
        for record in self._ledger.runs.values():
            why = self._why_over(record, kept) if record.status == "open" else None
            if why is not None:
                self._ledger.record("run_closed", record.run, rounds=record.rounds, why=why)
        for run in kept_runs(self._secrets):
            if run not in self._ledger.runs or self._ledger.runs[run].status != "open":
                self.forget(run)

    def _why_over(self, record: RunRecord, kept: set[str]) -> str | None:
        if record.created < (datetime.now(UTC) - RUN_LIFETIME).isoformat():
            return "outlived its time"
        if self._ledger.kept(record.run, "descriptor.bin") is None:
            return "never handed out"
        if record.roster != self._roster.digest:
            return "granted for another roster"
        if record.run not in kept:
            return "its keys are gone"
        return None

    def _load(self, run: str) -> Granted:
        raw = self._document(run)
        descriptor, _ = open_message(raw, RunDescriptor, self._identity.public)
        granted = Granted(descriptor, digest(raw), self.approval(run), load_run_keys(self._vault, run))
        for site in self._roster.sites:
            data = self._ledger.kept(run, _key_file(site))
            if data is not None:
                key = self._check_key(granted, site, data)
                granted.take_key(key, shared_secret(granted.keys.exchange, key.site_key))
        return granted

    def _check_key(self, granted: Granted, site: str, data: bytes) -> KeyMessage:
        return check_key(data, granted.descriptor, granted.digest, self._roster, site)

    def _document(self, run: str) -> bytes:
        raw = self._ledger.kept(run, "descriptor.bin")
        if raw is None:
            raise RefusedError(RefusalCode.UNKNOWN_RUN, "the run was never handed out")
        return raw

    def _require_not_revoked(self, record: RunRecord) -> None:
        if record.approval in self._revoked():
            raise RefusedError(RefusalCode.APPROVAL_REVOKED, "the approval of the run was revoked")

    def _revoked(self) -> frozenset[str]:
        """Approvals that were revoked; one that is new is recorded first, and holds though its file be removed."""
        found = read_approval_revocations(self._approvals, self._roster.approval_signers)
        for approval in sorted(found.named - self._ledger.revoked):
            self._ledger.record("approval_revoked", None, approval=approval)
        return frozenset(self._ledger.revoked) | found.others

    def _require_remembered(self, head: Head | None) -> None:
        if not self._ledger.contains(head):
            raise RefusedError(RefusalCode.LEDGER_RESTORED, "this ledger is older than what others remember of it")


def _key_file(site: str) -> str:
    return f"keys/{site}.bin"
