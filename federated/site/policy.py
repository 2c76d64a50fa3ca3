"""A hospital's own conditions for taking part, in a file of its own, read before every term (SECURE_SUM rule 15).

    <zone>/governance/policy.toml
        programs = ["triage"]         tasks that this hospital takes part in; without the key, all that are approved
        min_rows = 100                fewer rows of its own: it abstains
        openings_a_month = 500        sums it lets itself be part of in a calendar month (UTC)

Who abstains says ``policy`` and nothing of why; to the others it is a site that dropped out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from contracts.errors import RefusedError, SpecError
from contracts.feature_spec import Frozen
from contracts.messages import RefusalCode
from governance.audit import AuditLog


class Conditions(Frozen):
    """The file's keys."""

    programs: tuple[str, ...] | None = None
    min_rows: int = Field(default=0, ge=0)
    openings_a_month: int | None = Field(default=None, ge=0)


class Policy:
    """The conditions, and what was sent so far: the egress ledger counts the openings."""

    def __init__(self, path: Path, ledger: AuditLog) -> None:
        self._path = path
        self._ledger = ledger

    def conditions(self) -> Conditions:
        """Read afresh each time, so that a change needs no restart. Raises SpecError for a file that is not sound."""
        try:
            return Conditions.model_validate(tomllib.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Conditions()
        except (tomllib.TOMLDecodeError, ValidationError, UnicodeDecodeError) as error:
            raise SpecError(f"{self._path}: not a site policy: {error}") from error

    def require_program(self, task: str, rows: int) -> None:
        """Raise RefusedError policy when this hospital does not take part in a task, or has too few rows for it."""
        conditions = self.conditions()
        if conditions.programs is not None and task not in conditions.programs:
            raise RefusedError(RefusalCode.POLICY, f"'{task}' is not among the programs of {self._path.name}")
        if rows < conditions.min_rows:
            raise RefusedError(RefusalCode.POLICY, f"fewer rows than min_rows of {self._path.name}")

    def require_openings(self, run: str, round_no: int) -> None:
        """Raise RefusedError policy when this round would be one opening too many in this month."""
        limit = self.conditions().openings_a_month
        if limit is not None and len(self._rounds_of_month() | {(run, round_no)}) > limit:
            raise RefusedError(RefusalCode.POLICY, f"openings_a_month of {self._path.name} are used up")

    def _rounds_of_month(self) -> set[tuple[str, int]]:
        month = datetime.now(UTC).isoformat()[:7]
        return set(_rounds(entry.facts for entry in self._ledger.entries if entry.at.startswith(month)))


def _rounds(facts: Iterable[dict[str, object]]) -> Iterable[tuple[str, int]]:
    return ((str(sent["run"]), int(str(sent["round"]))) for sent in facts if sent.get("kind") == "term")
