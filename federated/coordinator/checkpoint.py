"""The coordinator's own checkpoint: descriptor, keys, every signed total as it came, and the round under way.

    <folder>/descriptor.frame  keys.frame  tally.json  total-0000.frame ...  result.json
    <folder>/attempt-0003.json  round-0003.frame  request-0003.frame        the round under way, removed with its total

Flower's state lives in memory; this folder is what a run leaves behind and what a restarted coordinator goes on from.
Because totals are signed and chained, whoever reads the folder need not trust it: ``replay`` proves each total before
the program advances by it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import UsageError
from contracts.messages import RunDescriptor
from contracts.sums import State, SumProgram
from contracts.wire import FrameError, canonical, pack, parse_canonical, unpack
from governance.files import write_durable
from governance.roster import Roster
from secure_compute.aggregate import Aggregator
from secure_compute.run_messages import Total

DESCRIPTOR, KEYS, TALLY, RESULT = "descriptor.frame", "keys.frame", "tally.json", "result.json"


@dataclass(frozen=True)
class Standing:
    """Where a program stands.

    Attributes:
        state: the public state.
        change: between the last two sums (``SumProgram.change``).
        sites: of the last total.
    """

    state: State
    change: float = math.inf
    sites: tuple[str, ...] = ()

    def after(self, program: SumProgram, total: Total) -> Standing:
        """Where it stands after one more total."""
        state = program.advance(self.state, total.values())
        return Standing(state, program.change(self.state, state), total.header.sites)


class Checkpoint:
    """One run's folder. Everything written is durable when the call returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def begin(cls, folder: Path, descriptor: bytes) -> Checkpoint:
        """Begin a run; what an earlier run of the task left in the folder is cleared."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_durable(folder / DESCRIPTOR, descriptor)
        return cls(folder)

    @property
    def descriptor(self) -> bytes:
        return (self.folder / DESCRIPTOR).read_bytes()

    @property
    def keys(self) -> list[bytes]:
        """Signed KeyMessages of the sites that joined."""
        path = self.folder / KEYS
        return [bytes(key) for key in unpack(path.read_bytes()).parts] if path.is_file() else []

    @property
    def tally(self) -> dict[str, Any]:
        """What ``keep_tally`` kept, or nothing."""
        kept = _read(self.folder / TALLY)
        found: dict[str, Any] = {} if kept is None else json.loads(kept)
        return found

    def total(self, round_no: int) -> bytes | None:
        """The signed total of a round."""
        return _read(_total_path(self.folder, round_no))

    def attempt(self, round_no: int) -> int:
        """The last attempt at a round that sites may have been asked for; -1: none."""
        kept = _read(self._path("attempt", round_no, "json"))
        return -1 if kept is None else int(kept)

    def closed_round(self, round_no: int) -> bytes | None:
        """The closed sum of a round whose masks are still on (``Aggregator.close``)."""
        return _read(self._path("round", round_no))

    def request(self, round_no: int) -> bytes | None:
        """The request to open a round, that the authority may have seen."""
        return _read(self._path("request", round_no))

    def keep_keys(self, keys: Iterable[bytes]) -> None:
        write_durable(self.folder / KEYS, pack(canonical({}), b"", list(keys)))

    def keep_tally(self, tally: dict[str, Any]) -> None:
        """Figures of the run so far, JSON-like."""
        write_durable(self.folder / TALLY, json.dumps(tally, sort_keys=True).encode())

    def keep_attempt(self, round_no: int, attempt: int) -> None:
        """Before sites are asked."""
        write_durable(self._path("attempt", round_no, "json"), str(attempt).encode())

    def keep_closed_round(self, round_no: int, data: bytes) -> None:
        """Before sites are asked to reveal."""
        write_durable(self._path("round", round_no), data)

    def keep_request(self, round_no: int, request: bytes) -> None:
        """Before the authority is asked."""
        write_durable(self._path("request", round_no), request)

    def keep_total(self, round_no: int, total: bytes) -> None:
        """Keep a signed total; what was kept of its round goes."""
        write_durable(_total_path(self.folder, round_no), total)
        for path in (self._path("round", round_no), self._path("request", round_no)):
            path.unlink(missing_ok=True)
        self._path("attempt", round_no, "json").unlink(missing_ok=True)

    def write_result(self, result: dict[str, Any]) -> None:
        """Say how the run ended; its presence means that it did."""
        write_durable(self.folder / RESULT, json.dumps(result, indent=2, sort_keys=True).encode() + b"\n")

    def _path(self, name: str, round_no: int, suffix: str = "frame") -> Path:
        return self.folder / f"{name}-{round_no:04d}.{suffix}"


def unfinished_run(folder: Path) -> RunDescriptor | None:
    """The run that was begun in a folder and left no result, as when its coordinator was killed. Not proved."""
    if (folder / RESULT).exists() or not (folder / DESCRIPTOR).is_file():
        return None
    try:
        return parse_canonical(unpack((folder / DESCRIPTOR).read_bytes()).header, RunDescriptor)
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
    checkpoint = Checkpoint(folder)
    return take_up(checkpoint, Aggregator(checkpoint.descriptor, roster), program).state


def take_up(checkpoint: Checkpoint, aggregator: Aggregator, program: SumProgram) -> Standing:
    """Lead a fresh aggregator and the program through all kept totals. Raises RefusedError."""
    standing = Standing(program.initial())
    while (signed := checkpoint.total(aggregator.round)) is not None:
        standing = standing.after(program, aggregator.accept_total(signed))
    return standing


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _total_path(folder: Path, round_no: int) -> Path:
    return folder / f"total-{round_no:04d}.frame"
