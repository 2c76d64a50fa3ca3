"""Approvals: signed permission of the commission to compute one program for one purpose, until a date.

An approval is a record in a file; the authority opens nothing that no live approval covers. A roster may name
approvers: then as many different ones of them as it asks for have to countersign the same record (SECURE_SUM rule 17).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, field_validator

from contracts.errors import IntegrityError, RefusedError
from contracts.feature_spec import Frozen
from contracts.messages import Count, Digest, RefusalCode
from governance.revocations import read_approval_revocations
from governance.roster import Roster
from governance.signing import (
    Identity,
    countersign_record,
    countersigners,
    open_record,
    record_digest,
    sign_record,
)

KIND = "approval"


class Approval(Frozen):
    """Attributes:
    name: what people call it; unique among the commission's approvals.
    region, task: what it is for.
    program: digest of the sum program with all its parameters.
    purpose: in words, shown on the model's card.
    valid_from, valid_until: UTC, ISO 8601 with offset.
    max_openings: sums that may be opened under it, in all runs together.
    bilateral: a roster of fewer than three sites is accepted, where each side can derive the other's sums.
    at_least: smallest count that a release rule ``Block.at_least`` may ask for.
    """

    name: str
    region: str
    task: str
    program: Digest
    purpose: str
    valid_from: str
    valid_until: str
    max_openings: Count = 1000
    bilateral: bool = False
    at_least: int = Field(default=10, ge=2)

    @field_validator("valid_from", "valid_until")
    @classmethod
    def _time(cls, value: str) -> str:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("give the time with its offset, such as 2026-11-22T00:00:00+00:00")
        return value

    @property
    def digest(self) -> str:
        return record_digest(KIND, self)

    def is_live(self, now: datetime | None = None) -> bool:
        """Whether ``now`` (UTC, default: the clock) lies in its time."""
        now = now or datetime.now(UTC)
        return datetime.fromisoformat(self.valid_from) <= now < datetime.fromisoformat(self.valid_until)

    def covers(self, region: str, task: str, program: str) -> bool:
        return (self.region, self.task, self.program) == (region, task, program)


def sign_approval(commission: Identity, approval: Approval) -> bytes:
    """The approval as a signed record."""
    return sign_record(commission, KIND, approval)


def countersign_approval(data: bytes, commission: str, approver: Identity) -> bytes:
    """A signed approval with an approver's countersignature. Raises IntegrityError when it is not the commission's."""
    return countersign_record(data, KIND, Approval, commission, approver)


def read_approval(data: bytes, roster: Roster) -> Approval:
    """Check a signed approval: the commission's signature and the countersignatures that the roster asks for.

    Raises:
        IntegrityError: the commission did not sign it. RefusedError: approval_not_countersigned.
    """
    approval = open_record(data, KIND, Approval, roster.commission)
    lacking = countersignatures_lacking(data, approval, roster)
    if lacking:
        raise RefusedError(
            RefusalCode.APPROVAL_NOT_COUNTERSIGNED, f"approval '{approval.name}' lacks {lacking} countersignatures"
        )
    return approval


def countersignatures_lacking(data: bytes, approval: Approval, roster: Roster) -> int:
    """How many more of the roster's approvers have to countersign an approval that ``data`` holds."""
    if not roster.approvers:
        return 0
    return max(0, roster.approvals_needed - len(countersigners(data, KIND, approval) & set(roster.approvers)))


def find_approval(
    folder: Path,
    roster: Roster,
    task: str,
    program: str,
    now: datetime | None = None,
    revoked: frozenset[str] = frozenset(),
) -> tuple[Approval, bytes]:
    """The live approval in ``folder/*.json`` that covers a program, with its signed bytes.

    Of several, the one that ends last. Files that the commission did not sign count for nothing.

    Args:
        revoked: digests of approvals that are known to be revoked, beside those whose revocation lies in the folder.

    Raises:
        RefusedError: approval_missing; or, when one covers it and is not live, approval_not_countersigned,
            approval_revoked or approval_expired.
        IntegrityError: a revocation was altered.
    """
    revoked |= read_approval_revocations(folder, roster.approval_signers).all
    live: list[tuple[Approval, bytes]] = []
    reasons: set[RefusalCode] = set()
    for path in sorted(folder.glob("*.json")):
        data = path.read_bytes()
        try:
            approval = open_record(data, KIND, Approval, roster.commission)
        except IntegrityError:
            continue
        if not approval.covers(roster.region, task, program):
            continue
        reason = _reason(data, approval, roster, revoked, now)
        if reason is None:
            live.append((approval, data))
        else:
            reasons.add(reason)
    if live:
        return max(live, key=lambda pair: datetime.fromisoformat(pair[0].valid_until))
    code = next((code for code in _NEXT_STEPS if code in reasons), RefusalCode.APPROVAL_MISSING)
    raise RefusedError(code, f"no live approval for task '{task}', program {program[:12]}. {_NEXT_STEPS[code]}")


_NEXT_STEPS = {
    RefusalCode.APPROVAL_NOT_COUNTERSIGNED: "One waits for its approvers: `cloister approval list`, `countersign`.",
    RefusalCode.APPROVAL_REVOKED: "One was revoked; the commission may sign another: `cloister approval sign`.",
    RefusalCode.APPROVAL_EXPIRED: "One was for another time: ask the commission to sign one for this program digest.",
    RefusalCode.APPROVAL_MISSING: "Ask the commission to sign one for this program digest.",
}
"""What keeps an approval from being live, the nearest to it first."""


def _reason(
    data: bytes, approval: Approval, roster: Roster, revoked: frozenset[str], now: datetime | None
) -> RefusalCode | None:
    if approval.digest in revoked:
        return RefusalCode.APPROVAL_REVOKED
    if not approval.is_live(now):
        return RefusalCode.APPROVAL_EXPIRED
    if countersignatures_lacking(data, approval, roster):
        return RefusalCode.APPROVAL_NOT_COUNTERSIGNED
    return None
