"""The opener: grants runs, opens a round's sum once if its tag holds, signs what it opened. One act at a time.

    create_run -> register_keys -> (open)* -> close_run -> sign_model

A refusal is audited with its code. A failed tag ends the run. After a crash between the intent and the answer the
same request, and no other, is answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from contracts.errors import RefusedError, TagError
from contracts.messages import (
    MODEL_SIGNATURE,
    CreateRun,
    KeyBatch,
    ModelSignature,
    OpenRequest,
    RefusalCode,
    SignModel,
    TotalHeader,
    next_state,
)
from contracts.wire import canonical, digest, pack, parts_digest
from governance.roster import Roster
from governance.signing import Identity, open_message, sign_message, sign_record
from governance.vault import Vault
from secure_compute.authority.keys import Granted
from secure_compute.authority.ledger import Ledger, RunRecord
from secure_compute.authority.policy import Opening, judge_opening
from secure_compute.authority.runs import Runs
from secure_compute.fixed_point import normalise, release
from secure_compute.modular import Integers, centred
from secure_compute.tag import Binding, holds, pads, sum_pads

A = TypeVar("A")

_DETAIL_CHARACTERS = 300
"""Of a refusal's text in the audit chain; it may quote names from a message that somebody else made."""


class Opener:
    """The authority's state and its five acts. ``folder``: the authority's own (contracts.zone.WorkArea.authority)."""

    def __init__(self, folder: Path, identity: Identity, roster: Roster, vault: Vault) -> None:
        """Read the ledger. ``vault``: the folder's, open.

        Raises:
            AuditChainError: the chain is broken; nothing is opened until that is cleared up.
            RefusedError: wrong_key when the roster pins another authority.
        """
        if roster.authority != identity.public:
            raise RefusedError(RefusalCode.WRONG_KEY, "the roster pins another key authority than this identity")
        self.ledger = Ledger(folder, vault)
        self._identity = identity
        self._roster = roster
        self._runs = Runs(folder, identity, roster, self.ledger, vault)
        self._lock = threading.Lock()

    def close(self) -> None:
        self.ledger.close()

    def create_run(self, data: bytes) -> bytes:
        """Grant a run (CreateRun) and answer with its signed descriptor."""
        return self._audited("create_run", None, lambda: self._runs.create(open_message(data, CreateRun, None)[0]))

    def register_keys(self, run: str, data: bytes) -> bytes:
        """Take sites' signed keys (KeyBatch) and answer with the seed of r sealed to each."""
        return self._audited("register_keys", run, lambda: self._register_keys(run, data))

    def open(self, run: str, data: bytes) -> bytes:
        """Open a sum (OpenRequest) and answer with the signed total."""
        return self._audited("open", run, lambda: self._open(run, data))

    def status(self, run: str) -> bytes:
        """How a run stands: open, closed or failed."""
        return self._runs.record(run).status.encode()

    def close_run(self, run: str) -> bytes:
        """End a run and destroy its keys."""
        return self._audited("close_run", run, lambda: self._close_run(run))

    def sign_model(self, run: str, data: bytes) -> bytes:
        """Sign the card of the model of a closed run (SignModel)."""
        return self._audited("sign_model", run, lambda: self._sign_model(run, data))

    def _audited(self, act: str, run: str | None, work: Callable[[], A]) -> A:
        with self._lock:
            try:
                return work()
            except RefusedError as refusal:
                detail = str(refusal)[:_DETAIL_CHARACTERS]
                self.ledger.record("refused", run, act=act, code=str(refusal.code), detail=detail)
                raise

    def _register_keys(self, run: str, data: bytes) -> bytes:
        batch, parts = open_message(data, KeyBatch, None)
        if batch.run != run or len(parts) != len(batch.sites):
            raise RefusedError(RefusalCode.WRONG_RUN, "keys for another run, or not one for each site")
        sealed = [self._runs.register(run, site, bytes(part)) for site, part in zip(batch.sites, parts, strict=True)]
        answer = KeyBatch(content=parts_digest(sealed), run=run, sites=batch.sites)
        return pack(canonical(answer), b"", sealed)

    def _open(self, run: str, data: bytes) -> bytes:
        record = self._runs.record(run)
        request, parts = open_message(data, OpenRequest, None)
        if request.run != run:
            raise RefusedError(RefusalCode.WRONG_RUN, "a request for another run")
        request_digest = digest(data)
        if request.round in record.intents:
            return self._open_again(record, request, parts, request_digest)
        granted = self._runs.granted(run)
        opening = judge_opening(request, parts, record, granted, self._roster, self.ledger)
        new = {site: snapshot for site, snapshot in opening.snapshots.items() if site not in record.snapshots}
        self.ledger.record(
            "intent",
            run,
            round=request.round,
            attempt=request.attempt,
            request=request_digest,
            sites=list(request.sites),
            state=record.state,
            new_snapshots=new,
            spend=1,
        )
        return self._answer(record, granted, opening, request_digest)

    def _open_again(
        self, record: RunRecord, request: OpenRequest, parts: tuple[memoryview, ...], request_digest: str
    ) -> bytes:
        """The stored answer; or the answer that a crash prevented, to the same request alone."""
        if record.intents[request.round][0] != request_digest:
            raise RefusedError(RefusalCode.ALREADY_OPENED, f"round {request.round} was asked for with another content")
        stored = self.ledger.answer(record.run, request.round)
        if stored is None:
            granted = self._runs.granted(record.run)
            opening = judge_opening(request, parts, record, granted, self._roster, self.ledger, again=True)
            return self._answer(record, granted, opening, request_digest)
        if request.round == record.rounds:  # the crash came between the answer and its entry
            self._record_opened(record, open_message(stored, TotalHeader, self._identity.public)[0])
        return stored

    def _answer(self, record: RunRecord, granted: Granted, opening: Opening, request_digest: str) -> bytes:
        """Decrypt, check tags, release, sign, keep. The intent is in the ledger already."""
        try:
            totals = decrypt_sum(granted, opening)
        except TagError as error:
            self.ledger.record("run_failed", record.run, code=str(RefusalCode.TAG_FAILED))
            self._runs.forget(record.run)
            raise RefusedError(RefusalCode.TAG_FAILED, str(error)) from error
        payload = release(opening.plan, normalise(opening.plan, totals)).astype("<i8").tobytes()
        request = opening.request
        header = TotalHeader(
            content=parts_digest((payload,)),
            run=record.run,
            round=request.round,
            attempt=request.attempt,
            request=request_digest,
            roster=record.roster,
            program=record.program,
            sites=request.sites,
            layout=request.layout,
            state=record.state,
            next_state=next_state(record.state, opening.plan.layout, payload),
            head=record.intents[request.round][1],
        )
        answer = sign_message(self._identity, header, (payload,))
        self.ledger.store_answer(record.run, request.round, answer)
        self._record_opened(record, header)
        return answer

    def _record_opened(self, record: RunRecord, header: TotalHeader) -> None:
        self.ledger.record(
            "opened", record.run, round=header.round, request=header.request, next_state=header.next_state
        )

    def _close_run(self, run: str) -> bytes:
        record = self._runs.record(run)
        if record.status == "open":
            self.ledger.record("run_closed", run, rounds=record.rounds)
        self._runs.forget(run)
        return b""

    def _sign_model(self, run: str, data: bytes) -> bytes:
        record = self._runs.record(run)
        request, _ = open_message(data, SignModel, None)
        if request.run != run:
            raise RefusedError(RefusalCode.WRONG_RUN, "a request for another run")
        if record.status != "closed" or record.rounds == 0:
            raise RefusedError(RefusalCode.RUN_NOT_FINISHED, f"the run is {record.status} after {record.rounds} rounds")
        if record.card not in (None, request.card):
            raise RefusedError(RefusalCode.ALREADY_SIGNED, "another model of this run was signed")
        if not self._runs.approval(run).is_live():
            raise RefusedError(RefusalCode.APPROVAL_EXPIRED, "the approval of the run is over")
        if record.card is None:
            self.ledger.record("model_signed", run, card=request.card)
        statement = ModelSignature(
            run=run,
            task=record.task,
            program=record.program,
            approval=record.approval,
            roster=record.roster,
            card=request.card,
            rounds=record.rounds,
            state=record.state,
        )
        return sign_record(self._identity, MODEL_SIGNATURE, statement)


def decrypt_sum(granted: Granted, opening: Opening) -> Integers:
    """The opened value slots of a sum. Raises TagError, and gives nothing, unless every chunk carries its tag."""
    request, plan = opening.request, opening.plan
    binding = Binding(request.run, request.round, request.attempt)
    expected = sum_pads(pads(granted.pad_seeds[site], binding, site, plan.chunks) for site in request.sites)
    chunks = []
    for chunk, part in enumerate(opening.ciphertexts):
        try:
            opened = granted.keys.bfv.decrypt(granted.keys.bfv.read(part))
        except RefusedError as error:
            raise TagError(f"chunk {chunk} is not a ciphertext of this protocol") from error
        if not holds(opened, granted.keys.r_seed, int(expected[chunk]), binding, chunk):
            raise TagError(f"chunk {chunk} does not carry the tag of the terms of these {len(request.sites)} sites")
        chunks.append(opened[:-1])
    return centred(np.concatenate(chunks))[: plan.slots]
