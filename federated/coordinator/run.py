"""Train one or several tasks in one session of Flower: their requests share each exchange, their runs stay apart."""

from __future__ import annotations

import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from contracts.errors import CloisterError, UsageError
from contracts.region import load_region
from federated.coordinator.session import Session
from federated.coordinator.settings import CoordinatorSettings
from federated.coordinator.task_run import TaskRun
from federated.envelope import Request, pack_requests
from governance.certificates import require_root
from governance.roster import Roster, load_roster
from secure_compute.authority_client import AuthorityClient

Report = Callable[[dict[str, Any]], None]
"""Gets progress as JSON-like objects: {"event": "online" | "joined" | "round" | "done" | "error", ...}."""


def train(settings: CoordinatorSettings, report: Report) -> list[TaskRun]:
    """Run all tasks to their end; one that fails ends alone. Results are in ``settings.folder/<task>``.

    Raises:
        UsageError, CredentialError: SuperLink or authority cannot be reached or refuse us; nothing was begun.
        IntegrityError: the roster, or the TLS root that it names, is another; nothing was begun.
    """
    roster = load_roster(settings.roster, settings.commission, settings.memory.with_name("roster.memory"))
    require_root(settings.ca, roster.tls_root)
    if set(settings.nodes) != set(roster.sites):
        raise UsageError(
            f"nodes are registered for {sorted(settings.nodes)}, the roster names {sorted(roster.sites)}: register "
            "exactly the roster's sites"
        )
    with _authority(settings, roster) as authority, _session(settings) as session:
        online = session.wait_online(settings.online_seconds)
        report({"event": "online", "sites": sorted(online), "absent": sorted(set(roster.sites) - online)})
        runs: list[TaskRun] = []
        try:
            for run in _begin(settings, roster, authority, online):
                runs.append(run)
            _drive(session, runs, settings.round_seconds, report)
        finally:
            for run in runs:
                _finish(run, report)
    return runs


def _begin(
    settings: CoordinatorSettings, roster: Roster, authority: AuthorityClient, online: set[str]
) -> Iterator[TaskRun]:
    """Ask the authority for a run of each task, one after the other."""
    region = load_region(settings.region)
    programs = importlib.import_module(settings.programs)
    for name in settings.tasks:
        task = region.task(name)
        digest = programs.program_digest(task)
        program = programs.program_for(task)
        yield TaskRun(name, program, digest, authority, roster, online, settings.folder / name)


def _drive(session: Session, runs: list[TaskRun], seconds: float, report: Report) -> None:
    """Exchange after exchange until every run is over."""
    number = 0
    while active := [run for run in runs if run.phase != "over"]:
        started = time.monotonic()
        asked = _ask(active)
        contents = {site: pack_requests([request for _, request in pairs]) for site, pairs in asked.items()}
        for site, frames in session.exchange(contents, seconds=seconds, group=str(number)):
            if len(frames) == len(asked[site]):
                for (run, _), frame in zip(asked[site], frames, strict=True):
                    run.take(site, frame)
        for run in active:
            if run.phase != "over":
                with _ending(run):
                    phase = run.phase
                    run.conclude()
                    report(_progress(run, phase, time.monotonic() - started))
        number += 1


def _ask(active: list[TaskRun]) -> dict[str, list[tuple[TaskRun, Request]]]:
    """The next requests of all runs, by site."""
    asked: dict[str, list[tuple[TaskRun, Request]]] = defaultdict(list)
    for run in active:
        with _ending(run):
            run.begin()
            for site, request in run.requests().items():
                asked[site].append((run, request))
    return asked


@contextmanager
def _ending(run: TaskRun) -> Iterator[None]:
    """An error of one task ends that task's run alone."""
    try:
        yield
    except CloisterError as error:
        run.fail(error)


def _finish(run: TaskRun, report: Report) -> None:
    """Close the run at the authority, which destroys its keys, and write how it ended."""
    if run.error is None and run.phase != "over":
        run.fail(CloisterError("the session ended before the run did"))
    try:
        run.authority.close_run(run.run)
    except CloisterError as error:
        run.error = run.error or error
    if run.error is None:
        run.checkpoint.write_result(run.figures())
        report({"event": "done", **run.figures()})
    else:
        kind = type(run.error).__name__
        report({"event": "error", "task": run.name, "error": kind, "message": str(run.error)})


def _progress(run: TaskRun, phase: str, seconds: float) -> dict[str, Any]:
    event = {"join": "joined", "round": "round", "end": "ended"}[phase]
    return {
        "event": event,
        "task": run.name,
        "round": run.round,
        "seconds": round(seconds, 3),
        "sites": len(run.members),
        "step": str(run.state.get("stage", "")),
    }


def _session(settings: CoordinatorSettings) -> Session:
    return Session(settings.link, settings.credentials(), settings.nodes)


def _authority(settings: CoordinatorSettings, roster: Roster) -> AuthorityClient:
    client = AuthorityClient(settings.authority, settings.ca, settings.authority_token(), roster, settings.memory)
    client.wait_ready()
    return client
