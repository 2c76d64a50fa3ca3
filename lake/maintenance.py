"""Care of tables on either engine, by delta-rs: what happened to a table, fewer files, fewer old files, none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deltalake import DeltaTable

_RETENTION = "delta.logRetentionDuration"


def history(path: Path) -> list[dict[str, Any]]:
    """Commits, latest first: ``version``, ``timestamp`` (ms since 1970, UTC), ``operation`` and more."""
    return DeltaTable(str(path)).history()


def compact(path: Path) -> dict[str, Any]:
    """Join small files, partition by partition; rows stay as they are. Gives delta-rs's counts of files."""
    return DeltaTable(str(path)).optimize.compact()


def vacuum(path: Path, retain_hours: int = 168) -> list[str]:
    """Delete data files that no snapshot younger than ``retain_hours`` needs; their names.

    Readers of an older snapshot fail afterwards, so less than Delta's 168 hours is for erasure and tests.
    """
    return DeltaTable(str(path)).vacuum(
        retention_hours=retain_hours, dry_run=False, enforce_retention_duration=False, full=True
    )


def forget(path: Path) -> None:
    """Leave nothing of a table but its latest rows: no older data file, no older commit. For erasure.

    A checkpoint takes the place of the log, whose older commits are removed, since they may quote values (predicates,
    statistics); data files that the latest snapshot does not need are deleted, whoever wrote them. Safe to repeat.
    """
    table = DeltaTable(str(path))
    table.alter.set_table_properties({_RETENTION: "interval 0 days"})
    vacuum(path, retain_hours=0)
    table = DeltaTable(str(path))
    table.create_checkpoint()
    table.cleanup_metadata()
    DeltaTable(str(path)).alter.set_table_properties({_RETENTION: "interval 30 days"})
