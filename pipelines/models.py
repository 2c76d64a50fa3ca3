"""The registry of a work directory, as the command line shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts.errors import UsageError
from contracts.zone import WorkArea
from pipelines.parties import AUTHORITY_KEY
from registry.release import list_models, promote, withdraw


def trusted_authority(key_file: Path) -> str:
    """Public key (hex) of the authority whose models are trusted. Raises UsageError when the file is not there."""
    if not key_file.is_file():
        raise UsageError(f"no authority key at {key_file}: expected the hex of its Ed25519 public key")
    return key_file.read_text(encoding="ascii").strip()


def model_lines(work: Path) -> Iterator[str]:
    """One line a model: task, model, state, sites, rounds, accuracy."""
    area = WorkArea(work)
    models = list_models(area.registry, trusted_authority(area.pki / AUTHORITY_KEY)) if area.registry.is_dir() else []
    if not models:
        raise UsageError(f"no model in {area.registry}: `cloister run REGION --work {work}` makes and releases them")
    yield f"{'task':<12} {'model':<18} {'state':<10} {'sites':>5} {'rounds':>6} {'accuracy':>9}"
    for model in models:
        accuracy = model.metrics.get("accuracy")
        words = f"{accuracy:.4f}" if isinstance(accuracy, float) else ""
        yield f"{model.task:<12} {model.model:<18} {model.state:<10} {len(model.sites):>5} {model.rounds:>6} {words:>9}"


def withdraw_model(work: Path, task: str, model: str, reason: str) -> str:
    """Withdraw a model; what to tell the person."""
    withdraw(WorkArea(work).registry, task, model, reason)
    return f"model {model} of task '{task}' is withdrawn and refused from now on"


def promote_model(work: Path, task: str, model: str) -> str:
    """Make a model the current one; what to tell the person."""
    area = WorkArea(work)
    promote(area.registry, task, model, trusted_authority(area.pki / AUTHORITY_KEY))
    return f"model {model} is the current one of task '{task}'; a gateway that runs serves it after a restart"
