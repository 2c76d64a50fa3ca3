"""Verify every audit chain below a folder."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import UsageError
from governance.audit import verify_audit

CHAINS = ("audit.jsonl", "ledger.jsonl")
"""File names of chains: the authority's, a site's egress and its audit."""


def verify_directory(directory: Path) -> list[tuple[Path, int]]:
    """Each chain below the folder and its number of entries; what hospitals delivered is left alone.

    Raises:
        UsageError: there is no chain.
        AuditChainError: one is broken; names its first broken entry.
    """
    found = (path for name in CHAINS for path in directory.rglob(name))
    chains = sorted(path for path in found if "landing" not in path.relative_to(directory).parts)
    if not chains:
        raise UsageError(
            f"no audit chain in {directory}: expected a folder with one of {', '.join(CHAINS)}, such as WORK/authority"
        )
    return [(path, verify_audit(path)) for path in chains]
