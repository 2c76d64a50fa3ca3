"""The coordinator's own checkpoint: the run's descriptor and every signed total, as they came. State is recomputed.

    <folder>/descriptor.frame   <folder>/total-0000.frame ...   <folder>/result.json

Flower's state lives in memory; this folder is what a run leaves behind. Because totals are signed and chained, whoever
reads the folder need not trust it: ``replay`` proves each total before the program advances by it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from contracts.errors import UsageError
from contracts.messages import RunDescriptor
from contracts.sums import State, SumProgram
from contracts.wire import FrameError, parse_canonical, unpack
from governance.files import write_durable
from governance.roster import Roster
from secure_compute.aggregate import Aggregator

DESCRIPTOR, RESULT = "descriptor.frame", "result.json"


class Checkpoint:
    """Writes one run; begins by clearing what an earlier run of the task left in the folder."""

    def __init__(self, folder: Path, descriptor: bytes) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        write_durable(folder / DESCRIPTOR, descriptor)

    def keep_total(self, round_no: int, total: bytes) -> None:
        """Keep a signed total; durable when this returns."""
        write_durable(_total_path(self.folder, round_no), total)

    def write_result(self, result: dict[str, Any]) -> None:
        """Say how the run ended; its presence means that it did."""
        write_durable(self.folder / RESULT, json.dumps(result, indent=2, sort_keys=True).encode() + b"\n")


def unfinished_run(folder: Path) -> str | None:
    """Id of a run that was begun in a folder and left no result, as when its coordinator was killed."""
    if (folder / RESULT).exists() or not (folder / DESCRIPTOR).is_file():
        return None
    try:
        return parse_canonical(unpack((folder / DESCRIPTOR).read_bytes()).header, RunDescriptor).run
    except FrameError:
        return None


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a finished run. Raises UsageError when the run did not finish."""
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"no finished run in {folder}. Run the task's training again.") from error
    return result


def replay(folder: Path, program: SumProgram, roster: Roster) -> State:
    """The public state after all kept totals, each proved: signature, run, order, chain.

    Raises:
        UsageError: nothing was kept there.
        RefusedError: a descriptor or total is not what the roster's authority signed, or not in order.
    """
    if not (folder / DESCRIPTOR).is_file():
        raise UsageError(f"no run in {folder}. Run the task's training first.")
    proof = Aggregator((folder / DESCRIPTOR).read_bytes(), roster)
    state = program.initial()
    while (path := _total_path(folder, proof.round)).is_file():
        state = program.advance(state, proof.accept_total(path.read_bytes()).values())
    return state


def _total_path(folder: Path, round_no: int) -> Path:
    return folder / f"total-{round_no:04d}.frame"
