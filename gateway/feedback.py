"""What became of cards: counts by service, model and outcome.

Comments and reasons are not kept: they may tell of a patient. Field names are CDS Hooks'.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import DataError
from governance.files import write_durable


class CardFeedback(BaseModel):
    """One entry of a feedback body; fields that are not listed are let pass and dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    card: UUID
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: datetime


class Feedback(BaseModel):
    """Body of ``POST /cds-services/{id}/feedback``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    feedback: tuple[CardFeedback, ...] = Field(min_length=1, max_length=1000)


class FeedbackCounts:
    """``{service: {model digest: {outcome: count}}}`` in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts: dict[str, dict[str, dict[str, int]]] = _read(path)

    def add(self, service: str, model: str, feedback: Feedback) -> None:
        """Count the outcomes; they are in the file when this returns."""
        with self._lock:
            counts = self._counts.setdefault(service, {}).setdefault(model, {"accepted": 0, "overridden": 0})
            for entry in feedback.feedback:
                counts[entry.outcome] += 1
            write_durable(self._path, json.dumps(self._counts, indent=1, sort_keys=True).encode() + b"\n")


def _read(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    if not path.exists():
        return {}
    try:
        counts: dict[str, dict[str, dict[str, int]]] = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} holds no counts; move it away, it is only a record") from error
    return counts
