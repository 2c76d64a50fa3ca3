"""From a finished run to a signed model in the registry, and the baselines beside it on public data."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.feature_rules import view_files
from contracts.model_card import ModelCard, SiteSnapshot, run_caveats, task_part
from contracts.region import Region, Task
from contracts.zone import WorkArea
from federated.coordinator.checkpoint import read_result, replay
from federated.programs import TrainedModel, baselines, model_from, program_for
from federated.site.rows import load_rows
from governance.files import read_private
from governance.roster import Roster
from lake.reader import version
from pipelines.deployment import Deployment
from pipelines.parties import AUTHORITY_TOKEN
from registry.release import model_folder, promote
from registry.store import add_signature, model_weights, write_model
from secure_compute.authority_client import AuthorityClient


def trained_model(task: Task, area: WorkArea, roster: Roster) -> TrainedModel:
    """The model that the signed totals of the finished run give; every total is proved on the way."""
    return model_from(replay(area.coordinator / "runs" / task.name, program_for(task), roster), task)


def release_model(region: Region, task: Task, area: WorkArea, deployment: Deployment) -> tuple[Path, TrainedModel]:
    """Write the model with its card, have the authority sign it, make it the current one of its task.

    Returns:
        The model's folder and the model.

    Raises:
        UsageError: the run did not finish. RefusedError: the authority does not sign.
    """
    run = read_result(area.coordinator / "runs" / task.name)
    model = trained_model(task, area, deployment.roster)
    card = make_card(task, model, run, area, deployment.roster)
    folder = model_folder(area.registry, task.name, card.digest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_model(folder, card, model.arrays)
    token = read_private(area.coordinator / "secrets" / AUTHORITY_TOKEN).decode().strip()
    memory = area.coordinator / "authority.memory"
    with AuthorityClient(deployment.authority_url, deployment.papers.root, token, deployment.roster, memory) as client:
        add_signature(folder, client.sign_model(run["run"], card.digest), deployment.roster.authority)
    promote(area.registry, task.name, folder.name, deployment.roster.authority)
    return folder, model


def make_card(task: Task, model: TrainedModel, run: dict[str, Any], area: WorkArea, roster: Roster) -> ModelCard:
    """The card of a model: the task's part, the run's and the model's."""
    _, weights = model_weights(model.arrays)
    part = task_part(task, _views(task))
    return ModelCard(
        **part | {"caveats": part["caveats"] + run_caveats(run["snapshots"])},
        classes=model.classes,
        encoder=model.encoder,
        snapshots=tuple(
            SiteSnapshot(site=site, digest=digest, version=version(area.site(site).table(f"feature__{task.name}")))
            for site, digest in run["snapshots"].items()
        ),
        roster=run["roster"],
        roster_version=roster.version,
        rounds=run["rounds"],
        metrics={name: value for name, value in model.metrics.items() if math.isfinite(value)},
        approval=run["approval"],
        run=run["run"],
        program=run["program"],
        state=run["state"],
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        weights=weights,
    )


def compare_with_baselines(region: Region, task: Task, area: WorkArea, model: TrainedModel) -> dict[str, Any]:
    """Train the same program on pooled rows and on each site's alone. Reads all sites' features: public data only."""
    started = time.monotonic()
    snapshots = {site.name: load_rows(area.site(site.name), task) for site in region.sites}
    found = baselines(task, {site: snapshot.rows for site, snapshot in snapshots.items() if snapshot}, model)
    return {
        "pooled": found.pooled,
        "local": found.local,
        "max_coefficient_gap": found.max_coefficient_gap,
        "seconds": round(time.monotonic() - started, 3),
    }


def _views(task: Task) -> dict[str, dict[str, Any]]:
    return {name: json.loads((task.folder / name).read_text(encoding="utf-8")) for name in view_files(task.features)}
