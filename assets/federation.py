"""What the region's assets work with: the Dagster resource ``federation``, as a type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from assets.hospital import Report
from contracts.region import Region


class Federation(Protocol):
    """The region's processes and what they leave behind; started at first use, stopped with the run."""

    region: Region
    report: Report

    def train(self, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Train tasks over encrypted sums; figures of each run by task. Raises CloisterError when one did not end."""
        ...

    def release(self, task: str) -> tuple[Path, dict[str, float]]:
        """Make a signed model of the finished run; its folder and metrics."""
        ...

    def compare(self, task: str) -> dict[str, Any]:
        """Pooled and single-site baselines beside the federated model (public data only)."""
        ...
