"""A region's own task, run by sites and coordinator over real ciphertexts, gives what a plain sum gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from secure_region import SecureRegion

from contracts.region import Task, load_region
from contracts.zone import SiteZone
from federated.coordinator.checkpoint import replay
from federated.coordinator.task_run import TaskRun
from federated.programs import model_from, program_digest, program_for, run_plain
from federated.site.app import SiteApplication
from federated.site.egress import EgressGuard
from federated.site.rows import load_rows
from federated.site.settings import WorkerSettings

CHECKOUT = Path(__file__).resolve().parents[3]
SITES = ("east", "north", "south")
ROWS = 40


def write_features(zone: SiteZone, task: Task, seed: int) -> None:
    """Made-up rows that fit the task's inputs, some values missing."""
    draw = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {
        "unit_id": pa.array([f"u{at:03d}" for at in range(ROWS)]),
        "patient_id": pa.array([f"p{at // 2:03d}" for at in range(ROWS)]),
    }
    for item in task.features.input:
        missing = draw.random(ROWS) < 0.1
        if item.kind == "number":
            low, high = item.plausible or (0.0, 1.0)
            columns[item.name] = pa.array(draw.uniform(low, high, ROWS), mask=missing)
        else:
            columns[item.name] = pa.array(draw.choice(list(item.levels) or ["x"], ROWS), pa.string(), mask=missing)
    labels = [[code] for code in draw.choice(list(task.features.label.classes), ROWS)]
    columns["label"] = pa.array(labels, pa.list_(pa.string()))
    write_deltalake(str(zone.table(f"feature__{task.name}")), pa.table(columns))


def open_site(keys: SecureRegion, region: Path, zone: SiteZone) -> SiteApplication:
    settings = WorkerSettings(
        site=zone.site,
        zone=zone.root,
        region=region,
        roster=region / "none.json",
        commission=keys.commission.public,
        runtime="127.0.0.1:1",
        ca=region / "none.crt",
        log_file=zone.logs / "worker.log",
    )
    zone.secrets.mkdir(parents=True)
    identity = keys.identities[zone.site]
    return SiteApplication(settings, identity, keys.roster, EgressGuard(zone.egress, zone.site, identity.public))


def test_the_model_over_ciphertexts_is_the_model_of_the_plain_sums_to_the_last_bit(tmp_path: Path) -> None:
    region = tmp_path / "region"
    shutil.copytree(CHECKOUT / "regions" / "heart", region)
    task = load_region(region).tasks[0]
    keys = SecureRegion(tmp_path / "keys", SITES)
    keys.approve(task=task.name, program=program_digest(task))
    zones = {site: SiteZone(tmp_path / site, site) for site in SITES}
    for seed, zone in enumerate(zones.values()):
        write_features(zone, task, seed)
    sites = {site: open_site(keys, region, zone) for site, zone in zones.items()}
    with keys.authority() as authority:
        program, digest = program_for(task), program_digest(task)
        run = TaskRun(task.name, program, digest, authority, keys.roster, set(SITES), tmp_path / "run")
        while run.phase != "over":
            run.begin()
            for site, request in run.requests().items():
                run.take(site, sites[site].answer(request))
            run.conclude()
    assert run.attendance.missing == {}
    rows = [snapshot.rows for zone in zones.values() if (snapshot := load_rows(zone, task)) is not None]
    plain = model_from(run_plain(program_for(task), rows), task)
    opened = model_from(replay(tmp_path / "run", program_for(task), keys.roster), task)
    assert np.array_equal(opened.arrays["coef"], plain.arrays["coef"])
    assert np.array_equal(opened.arrays["intercept"], plain.arrays["intercept"])
    assert opened.metrics == plain.metrics and opened.rounds == plain.rounds
    for application in sites.values():
        application.guard.close()
