"""Verify every audit chain below a folder."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from governance.audit import verify_audit


def verify_directory(directory: Path) -> list[tuple[Path, int]]:
    """Each chain file (``*.jsonl``) below the folder and its number of entries.

    Raises:
        UsageError: there is no chain.
        AuditChainError: one is broken; names its first broken entry.
    """
    chains = sorted(directory.rglob("*.jsonl"))
    if not chains:
        raise UsageError(f"no audit chain in {directory}: expected a folder with .jsonl files, such as WORK/authority")
    return [(path, verify_audit(path)) for path in chains]
