"""The papers of a run at a site, on disk for its life: with them a restarted worker goes on without asking anybody.

    <zone>/runs/<run>/descriptor.frame, seed.frame, keys.frame, total-0000.frame ...

All of them were signed by others and are checked again when they are read. The site's own secrets of the run are
``secure_compute.run_secrets``'s.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from contracts.wire import canonical, pack, unpack
from governance.files import make_private, write_durable


class RunFolder:
    """One run's papers."""

    def __init__(self, runs: Path, run: str) -> None:
        self._path = runs / run

    @property
    def descriptor(self) -> bytes | None:
        """What the run was joined with; None when it was not."""
        return self._read("descriptor.frame")

    @property
    def seed(self) -> bytes | None:
        return self._read("seed.frame")

    @property
    def keys(self) -> list[bytes]:
        """KeyMessages of other sites."""
        kept = self._read("keys.frame")
        return [] if kept is None else [bytes(key) for key in unpack(kept).parts]

    @property
    def totals(self) -> list[bytes]:
        """Signed totals from round 0 on, in order, none missing."""
        totals: list[bytes] = []
        while (total := self._read(_total_name(len(totals)))) is not None:
            totals.append(total)
        return totals

    def begin(self, descriptor: bytes) -> None:
        make_private(self._path)
        write_durable(self._path / "descriptor.frame", descriptor)

    def keep_seed(self, seed: bytes) -> None:
        write_durable(self._path / "seed.frame", seed)

    def keep_keys(self, keys: Sequence[bytes]) -> None:
        write_durable(self._path / "keys.frame", pack(canonical({}), b"", keys))

    def keep_total(self, round_no: int, total: bytes) -> None:
        write_durable(self._path / _total_name(round_no), total)

    def remove(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)

    def _read(self, name: str) -> bytes | None:
        path = self._path / name
        return path.read_bytes() if path.is_file() else None


def remove_papers_without_secrets(runs: Path, secrets: Path) -> None:
    """Remove the papers of runs whose secrets are destroyed: this site says nothing more in them. A process that was
    killed could not do it, or somebody else's next run of the task ended them."""
    for path in runs.glob("*"):
        if not (secrets / f"{path.name}.json").exists():
            shutil.rmtree(path)


def _total_name(round_no: int) -> str:
    return f"total-{round_no:04d}.frame"
