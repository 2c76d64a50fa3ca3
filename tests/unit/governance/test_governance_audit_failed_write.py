"""A chain whose writer could not write stays provable: nothing is put behind what may be a torn line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from governance.audit import AuditLog, verify_audit


def _half(descriptor: int, line: bytes) -> int:
    return os.pwrite(descriptor, line[: len(line) // 2], os.fstat(descriptor).st_size)


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_after_a_failed_write_no_entry_follows_until_the_writer_starts_again(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append("first", {})
    with monkeypatch.context() as broken:
        if failing == "write":
            broken.setattr("governance.audit.os.write", _half)
        else:
            broken.setattr("governance.audit.os.fsync", _no_space)
        with pytest.raises(OSError):
            log.append("second", {})
    with pytest.raises(OSError, match="start its writer again"):
        log.append("third", {})
    with AuditLog(path) as again:
        again.append("fourth", {})
        assert again.entries[0].event == "first" and again.entries[-1].event == "fourth"
        assert "third" not in [entry.event for entry in again.entries]
    assert verify_audit(path) >= 2


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")
