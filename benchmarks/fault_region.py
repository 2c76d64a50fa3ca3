"""The region of a campaign of kills: real processes, a feature table at each site, a program of its own for each run.

Runs of one program would not do: the authority refuses to open the same sum again over a roster that differs by one
site, which is what a drop-out in one of two runs makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import fault_programs
from benchmarks.federation_bed import Bed
from benchmarks.number_task import write_numbers, write_region, write_task
from contracts.errors import UsageError
from contracts.region import Task, load_region
from federated.coordinator.checkpoint import read_result
from federated.coordinator.settings import CoordinatorSettings
from governance.roster import Roster, load_roster

NAMES = ("east", "harbour", "hill", "north", "south", "west")
TASK = "waves"
ROWS = 40


class FaultRegion:
    """A running federation whose coordinator can be asked for one run after the other."""

    def __init__(self, root: Path, sites: int) -> None:
        """Four sites have a quorum of four, six one of five."""
        region = root / "region"
        write_region(region)
        self.root = root
        self.bed = Bed(root / "work", region, NAMES[:sites], fault_programs.__name__)
        for number, site in enumerate(self.bed.sites):
            values = np.random.default_rng(number).normal(0.0, 2.0, ROWS)
            write_numbers(self.bed.area.site(site), TASK, values.tolist())
        self.roster: Roster = load_roster(self.bed.roster, self.bed.commission.public)

    @property
    def task(self) -> Task:
        return load_region(self.bed.region).task(TASK)

    @property
    def checkpoint(self) -> Path:
        """Folder of the coordinator's checkpoint."""
        return self.bed.area.coordinator / "runs" / TASK

    def next_program(self, number: int) -> CoordinatorSettings:
        """Give all parties another program, approved; the settings of a coordinator that runs it."""
        write_task(self.bed.region, TASK, max_rows=500 + number)
        self.bed.approve(TASK, fault_programs.program_digest(self.task))
        return self.bed.coordinator_settings(TASK, round_seconds=180.0, grace_seconds=3.0)

    def has_result(self) -> bool:
        """Whether the run of the current program is done."""
        try:
            return bool(read_result(self.checkpoint)["program"] == fault_programs.program_digest(self.task))
        except UsageError:
            return False


@contextmanager
def fault_region(root: Path, sites: int) -> Iterator[FaultRegion]:
    """A federation that runs as long as the context."""
    region = FaultRegion(root, sites)
    try:
        region.bed.start()
        yield region
    finally:
        region.bed.stop()
