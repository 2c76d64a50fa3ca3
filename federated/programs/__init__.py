"""Sum programs: what a site adds up and how opened totals become a model. Pure functions over arrays.

Belongs here: the staged program of a task (``program_for``), its solvers, splits and metrics, the finished model
(``model_from``), and the same program on plain rows for baselines (``run_plain``, ``baselines``). ``term`` gets
arrays and no site identity; nothing here opens a file or a socket, or reads a clock.
Does not belong here: reading rows (federated.site), driving rounds (federated.coordinator), clipping, limbs, tags and
encryption (secure_compute), storing models (registry), encoding shared with scoring (contracts.encoder).
"""

from contracts.region import Task
from federated.programs.model import TrainedModel, model_from
from federated.programs.plain import Baselines, baselines, run_plain
from federated.programs.program import TaskProgram, program_digest

__all__ = [
    "Baselines",
    "TaskProgram",
    "TrainedModel",
    "baselines",
    "model_from",
    "program_digest",
    "program_for",
    "run_plain",
]


def program_for(task: Task) -> TaskProgram:
    """The sum program of a task. Raises SpecError when its inputs or training settings do not suit each other."""
    return TaskProgram(task)
