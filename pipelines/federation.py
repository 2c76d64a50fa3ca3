"""The resource ``federation``: deploys the region's processes for one Dagster run, trains, releases, compares."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from assets.hospital import Report
from contracts.errors import CloisterError, UsageError
from contracts.region import Region, Task
from federated import processes
from federated.coordinator.checkpoint import read_result
from federated.coordinator.settings import CoordinatorSettings
from federated.leash import leash
from federated.programs import TrainedModel
from governance.files import write_durable
from pipelines import locks
from pipelines.deployment import Deployment
from pipelines.hospital import run_log
from pipelines.parties import set_up_parties
from pipelines.processes import Supervisor
from pipelines.release import compare_with_baselines, release_model, trained_model
from pipelines.settings import Settings

LAST_LIFE = 5
"""So often a coordinator that was killed is started again, to go on from its checkpoint."""

LAST_EXIT_CODE = 5
"""Of an end that the coordinator chose (contracts.errors); all others are crashes."""


class FederationSession:
    """What assets.federation.Federation asks for; ``close`` stops every process it started.

    Args:
        within_run: `cloister run` started the job, and holds the work directory for it.
    """

    def __init__(self, region: Region, settings: Settings, report: Report, *, within_run: bool = False) -> None:
        self.region = region
        self.area = settings.area
        self.report = report
        self._within_run = within_run
        self._open = ExitStack()

    @cached_property
    def deployment(self) -> Deployment:
        """The processes, started at first use: when nothing else is at work in the work directory."""
        self._open.enter_context(locks.region_job(self.area.root, self.report, within_run=self._within_run))
        started = time.monotonic()
        papers = set_up_parties(self.region, self.area)
        deployment = Deployment(self.region, self.area, papers, self._open.enter_context(Supervisor()))
        deployment.start()
        count = len(deployment.region.sites)
        seconds = time.monotonic() - started
        self.report("processes", f"authority, SuperLink, {count} SuperNodes, {count} workers in {seconds:.1f} s")
        return deployment

    def train(self, tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Run the coordinator on tasks; figures by task. Raises CloisterError with the reason a task did not end."""
        settings = self._coordinator_settings(tasks)
        log = self.area.coordinator / "logs" / "coordinator.log"
        log.unlink(missing_ok=True)
        before = {name: _result(settings, name) for name in tasks}
        left = list(tasks)
        for life in range(LAST_LIFE + 1):
            code, errors = self._run_coordinator(settings.model_copy(update={"tasks": tuple(left)}), log)
            if 0 <= code <= LAST_EXIT_CODE:
                break
            left = [name for name in left if _result(settings, name) in (None, before[name])]
            if not left:  # it was killed when it had done all
                code = 0
                break
            self.report("coordinator", f"ended with code {code}" + ("; starting it again" if life < LAST_LIFE else ""))
        if code or errors:
            self.deployment.check()
            raise CloisterError("; ".join(errors) or f"the coordinator ended with code {code}; see {log}")
        return {name: read_result(settings.folder / name) for name in tasks}

    def release(self, task: str) -> tuple[Path, dict[str, float]]:
        """Make, sign and promote the model of the finished run."""
        found = self.region.task(task)
        folder, model = release_model(self.region, found, self.area, self.deployment)
        self.report("model", f"{task}: signed and released as {folder.name}; {main_metrics(model)}")
        return folder, model.metrics

    def compare(self, task: str) -> dict[str, Any]:
        """Baselines on public data, kept beside the run's checkpoint for the report."""
        found = self._public(task)
        model = trained_model(found, self.area, self.deployment.roster)
        baselines = compare_with_baselines(self.deployment.region, found, self.area, model)
        write_durable(self.area.coordinator / "runs" / task / "baselines.json", json.dumps(baselines).encode())
        gap = baselines["max_coefficient_gap"]
        self.report("baselines", f"{task}: pooled accuracy {baselines['pooled']['accuracy']:.3f}, gap {gap:.1e}")
        return baselines

    def close(self) -> None:
        self._open.close()

    def _public(self, task: str) -> Task:
        if not self.region.public_data:
            raise UsageError(f"region '{self.region.name}' is not marked public_data: no baselines")
        return self.region.task(task)

    def _coordinator_settings(self, tasks: Sequence[str]) -> CoordinatorSettings:
        deployed, secrets = self.deployment, self.area.coordinator / "secrets"
        return CoordinatorSettings(
            region=self.region.folder,
            tasks=tuple(tasks),
            folder=self.area.coordinator / "runs",
            roster=deployed.papers.roster,
            commission=deployed.papers.commission,
            port=deployed.link.port,
            ca=deployed.papers.root,
            secrets=secrets,
            authority=deployed.authority_url,
            memory=self.area.coordinator / "authority.memory",
            node_keys=deployed.node_keys(),
            round_seconds=self.region.deadlines.exchange,
            grace_seconds=self.region.deadlines.stragglers,
        )

    def _run_coordinator(self, settings: CoordinatorSettings, log: Path) -> tuple[int, list[str]]:
        """Run one life of the coordinator; its exit code, negative for a signal, and the errors that it told."""
        config = self.area.coordinator / "coordinator.json"
        write_durable(config, settings.model_dump_json(indent=2).encode())
        command = processes.coordinator(config, self.area.coordinator / "flwr", tie=leash())
        errors: list[str] = []
        with (
            log.open("ab") as errors_to,
            subprocess.Popen(command.argv, env=dict(command.env), stdout=subprocess.PIPE, stderr=errors_to) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                if line.endswith(b"\n"):  # a killed process may leave half a line
                    self._tell(json.loads(line), errors)
            return process.wait(), errors

    def _tell(self, event: dict[str, Any], errors: list[str]) -> None:
        """Show a person one event of the coordinator."""
        kind, task = event["event"], event.get("task")
        if kind == "link":
            self.report("link", "the SuperLink is lost" if event["state"] == "lost" else "the SuperLink is back")
        elif kind == "online":
            absent = f"; absent: {', '.join(event['absent'])}" if event["absent"] else ""
            self.report("online", f"{len(event['sites'])} hospitals{absent}")
        elif kind == "resumed":
            self.report("training", f"{task}: goes on after sum {event['round']}")
        elif kind == "missing":
            reasons = ", ".join(f"{site} ({reason})" for site, reason in event["missing"].items()) or "nobody any more"
            self.report("training", f"{task}: missing: {reasons}")
        elif kind == "joined":
            self.report("training", f"{task}: {event['sites']} hospitals joined the run")
        elif kind == "round":
            step = event["step"] or "done"
            self.report("training", f"{task}: sum {event['round']} opened in {event['seconds']:.1f} s; next: {step}")
        elif kind == "done":
            self.report("training", f"{task}: {event['rounds']} sums in {event['seconds']:.0f} s")
        elif kind == "error":
            errors.append(f"{task or 'coordinator'}: {event['message']}")


def _result(settings: CoordinatorSettings, task: str) -> dict[str, Any] | None:
    """The result of the task's last finished run; it names the run."""
    try:
        return read_result(settings.folder / task)
    except UsageError:
        return None


def main_metrics(model: TrainedModel) -> str:
    """Accuracy, AUC and macro-F1 in words, those that there are."""
    names = [name for name in ("accuracy", "auc", "macro_f1") if name in model.metrics]
    return ", ".join(f"{name.replace('_', '-')} {model.metrics[name]:.3f}" for name in names)


def federation_resource(
    region: Region, settings: Settings, report: Report | None = None, *, within_run: bool = False
) -> dg.ResourceDefinition:
    """The resource; without ``report`` the stages are told to Dagster's own log of the run."""

    @dg.resource(description="The region's processes: authority, SuperLink, SuperNodes, workers, coordinator")
    def federation(context: dg.InitResourceContext) -> Iterator[FederationSession]:
        session = FederationSession(region, settings, report or run_log(context), within_run=within_run)
        try:
            yield session
        finally:
            session.close()

    return federation
