"""Approvals: signed permission of the commission to compute one program for one purpose, until a date.

An approval is a record in a file; the authority opens nothing that no live approval covers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, field_validator

from contracts.errors import IntegrityError, RefusedError
from contracts.feature_spec import Frozen
from contracts.messages import Count, Digest, RefusalCode
from governance.signing import Identity, open_record, record_digest, sign_record

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


def read_approval(data: bytes, commission: str) -> Approval:
    """Check a signed approval against the commission's public key (hex). Raises IntegrityError."""
    return open_record(data, KIND, Approval, commission)


def find_approval(
    folder: Path, commission: str, region: str, task: str, program: str, now: datetime | None = None
) -> tuple[Approval, bytes]:
    """The live approval in ``folder/*.json`` that covers a program, with its signed bytes.

    Of several, the one that ends last. Files that the commission did not sign count for nothing.

    Raises:
        RefusedError: approval_missing, or approval_expired when one covers it at another time.
    """
    covering: list[tuple[Approval, bytes]] = []
    for path in sorted(folder.glob("*.json")):
        data = path.read_bytes()
        try:
            approval = read_approval(data, commission)
        except IntegrityError:
            continue
        if approval.covers(region, task, program):
            covering.append((approval, data))
    live = [pair for pair in covering if pair[0].is_live(now)]
    if live:
        return max(live, key=lambda pair: datetime.fromisoformat(pair[0].valid_until))
    code = RefusalCode.APPROVAL_EXPIRED if covering else RefusalCode.APPROVAL_MISSING
    raise RefusedError(
        code,
        f"no live approval for task '{task}', program {program[:12]}; {len(covering)} for another time. "
        "Ask the commission to sign one for this program digest.",
    )
