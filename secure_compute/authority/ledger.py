"""The authority's ledger: what was granted, asked, opened and refused, as one audit chain, and the answers given.

    <authority>/audit.jsonl                          the chain; everything below is derived from it at start
    <authority>/ledger/<run>/descriptor.bin, keys/<site>.bin
    <authority>/ledger/<run>/total-<round>.sealed    the signed answer, encrypted under secrets/storage.key

Events: run_created, key_registered, intent (with its spend), opened, refused, run_failed, run_closed, model_signed,
approval_revoked.
An intent is durable before anything is decrypted; each (run, round) has one (SECURE_SUM rule 10).
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from contracts.errors import IntegrityError
from contracts.messages import Head, first_state
from governance.audit import AuditLog, Entry
from governance.files import read_private, write_durable, write_private
from governance.vault import Vault

_NONCE_BYTES = 12


@dataclass
class RunRecord:
    """A run as the chain tells it.

    Attributes:
        created: when it was granted, UTC, ISO 8601.
        rounds: opened rounds.
        state: digest of the public state after them.
        intents: for each round the digest of the one request that may be answered, and the audit head at that moment.
        snapshots: each site's data snapshot digest, fixed by its first term.
        card: digest of the model card that was signed.
    """

    run: str
    task: str
    program: str
    approval: str
    roster: str
    state: str
    created: str
    status: Literal["open", "closed", "failed"] = "open"
    rounds: int = 0
    intents: dict[int, tuple[str, Head]] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    card: str | None = None


class Ledger:
    """The one writer of the authority's chain and answers. Raises AuditChainError at start when the chain is broken.

    Attributes:
        spent: openings by approval.
        opened: by program and state, then by run, the sites of an opening and the snapshots of their data (SECURE_SUM
            rule 9).
    """

    def __init__(self, folder: Path, vault: Vault) -> None:
        self._folder = folder / "ledger"
        self.runs: dict[str, RunRecord] = {}
        self.spent: Counter[str] = Counter()
        self.opened: defaultdict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(dict)
        self.revoked: set[str] = set()
        self._log = AuditLog(folder / "audit.jsonl")
        for entry in self._log.entries:
            self._apply(entry)
        self._storage = ChaCha20Poly1305(_storage_key(vault))

    @property
    def head(self) -> Head:
        return self._log.head

    def contains(self, head: Head | None) -> bool:
        """Whether the chain once stood at a head that somebody remembers (None: they remember nothing)."""
        return head is None or self._log.contains(head)

    def record(self, event: str, run: str | None, **facts: Any) -> Entry:
        """Append an event; durable when this returns. ``facts``: JSON-like, no floats."""
        entry = self._log.append(event, {"run": run, **facts})
        self._apply(entry)
        return entry

    def keep(self, run: str, name: str, data: bytes) -> None:
        """Keep a public document of a run (descriptor, a site's key message)."""
        write_durable(self._folder / run / name, data)

    def kept(self, run: str, name: str) -> bytes | None:
        path = self._folder / run / name
        return path.read_bytes() if path.exists() else None

    def store_answer(self, run: str, round_no: int, answer: bytes) -> None:
        """Keep the signed answer of a round, encrypted; durable when this returns."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._storage.encrypt(nonce, answer, _answer_name(run, round_no))
        write_private(self._answer_path(run, round_no), sealed)

    def answer(self, run: str, round_no: int) -> bytes | None:
        """The stored answer of a round. Raises IntegrityError when it was altered."""
        path = self._answer_path(run, round_no)
        if not path.exists():
            return None
        sealed = read_private(path)
        try:
            return self._storage.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _answer_name(run, round_no))
        except InvalidTag as error:
            raise IntegrityError(f"{path} was altered: restore it from a backup of the same ledger") from error

    def close(self) -> None:
        self._log.close()

    def _answer_path(self, run: str, round_no: int) -> Path:
        return self._folder / run / f"total-{round_no}.sealed"

    def _apply(self, entry: Entry) -> None:
        facts = entry.facts
        run: str = facts.get("run") or ""
        if entry.event == "run_created":
            state = first_state(facts["program"])
            self.runs[run] = RunRecord(
                run, facts["task"], facts["program"], facts["approval"], facts["roster"], state, entry.at
            )
            return
        if entry.event == "approval_revoked":
            self.revoked.add(facts["approval"])
            return
        record = self.runs.get(run)
        if record is None:
            return
        if entry.event == "intent":
            record.intents[facts["round"]] = (facts["request"], Head(entries=entry.number + 1, last=entry.hash))
            record.snapshots.update(facts["new_snapshots"])
            self.spent[record.approval] += facts["spend"]
            asked = {site: record.snapshots[site] for site in facts["sites"]}
            self.opened[record.program, record.state][run] = asked
        elif entry.event == "opened":
            record.rounds = facts["round"] + 1
            record.state = facts["next_state"]
        elif entry.event == "run_closed":
            record.status = "closed"
        elif entry.event == "run_failed":
            record.status = "failed"
            self.opened[record.program, record.state].pop(run, None)  # its tag failed: nothing was told
        elif entry.event == "model_signed":
            record.card = facts["card"]


def _answer_name(run: str, round_no: int) -> bytes:
    return f"{run}/{round_no}".encode()


def _storage_key(vault: Vault) -> bytes:
    path = vault.secrets / "storage.key"
    if not path.exists():
        vault.write(path, ChaCha20Poly1305.generate_key())
    return vault.read(path)
