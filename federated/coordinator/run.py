"""Train one or several tasks in one session of Flower: their requests share each exchange, their runs stay apart."""

from __future__ import annotations

import importlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from contracts.errors import CloisterError, UsageError
from contracts.region import load_region
from federated.coordinator.checkpoint import unfinished_run
from federated.coordinator.session import Report, Session
from federated.coordinator.settings import CoordinatorSettings
from federated.coordinator.task_run import TaskRun
from federated.envelope import Request, pack_requests
from governance.certificates import require_root
from governance.roster import Roster, load_roster
from secure_compute.authority_client import AuthorityClient

REVEAL_GRACE_SECONDS = 1.0
"""For stragglers, once enough sites revealed their shares to remove the masks."""


def train(settings: CoordinatorSettings, report: Report) -> list[TaskRun]:
    """Run all tasks to their end; one that fails ends alone. Results are in ``settings.folder/<task>``.

    Raises:
        UsageError, CredentialError: SuperLink or authority cannot be reached or refuse us; nothing was begun.
        IntegrityError: the roster, or the TLS root that it names, is another; nothing was begun.
    """
    roster = load_roster(settings.roster, settings.commission, settings.memory.with_name("roster.memory"))
    require_root(settings.ca, roster.tls_root)
    if set(settings.node_keys) != set(roster.sites):
        raise UsageError(
            f"there are node keys of {sorted(settings.node_keys)}, the roster names {sorted(roster.sites)}: give those "
            "of exactly the roster's sites"
        )
    with _authority(settings, roster) as authority, _session(settings, report) as session:
        # A run under way goes on without sites that are gone; they are asked again beside each round.
        is_under_way = any(unfinished_run(settings.folder / name) for name in settings.tasks)
        enough = max(roster.quorum, roster.threshold) if is_under_way else None
        online = session.wait_online(settings.online_seconds, enough=enough, grace=settings.grace_seconds)
        report({"event": "online", "sites": sorted(online), "absent": sorted(set(roster.sites) - online)})
        runs = _train(session, list(_begin(settings, settings.tasks, roster, authority, online)), settings, report)
        if stale := [run for run in runs if run.is_stale]:
            anew = _begin(settings, [run.name for run in stale], roster, authority, online)
            runs = [run for run in runs if run not in stale] + _train(session, list(anew), settings, report)
        for run in runs:
            _tell_end(run, report)
    return runs


def _train(session: Session, runs: list[TaskRun], settings: CoordinatorSettings, report: Report) -> list[TaskRun]:
    """Drive runs to their end and finish them; one that an exception of another kind cuts short can be gone on with."""
    for run in runs:
        if run.resumed:
            report({"event": "resumed", "task": run.name, "round": run.round})
    try:
        _drive(session, runs, settings, report)
    except CloisterError as error:
        for run in runs:
            if run.phase != "over":
                run.error, run.phase = error, "over"
    for run in runs:
        _finish(run)
    return runs


def _begin(
    settings: CoordinatorSettings, tasks: Sequence[str], roster: Roster, authority: AuthorityClient, online: set[str]
) -> Iterator[TaskRun]:
    """Ask the authority for a run of each task, one after the other."""
    region = load_region(settings.region)
    programs = importlib.import_module(settings.programs)
    for name in tasks:
        task = region.task(name)
        digest = programs.program_digest(task)
        program = programs.program_for(task)
        yield TaskRun(name, program, digest, authority, roster, online, settings.folder / name)


def _drive(session: Session, runs: list[TaskRun], settings: CoordinatorSettings, report: Report) -> None:
    """Exchange after exchange until every run is over."""
    number = 0
    rounds_began = dict.fromkeys((run.name for run in runs), time.monotonic())
    while active := [run for run in runs if run.phase != "over"]:
        started = time.monotonic()
        asked = _ask(active)
        contents = {site: pack_requests([request for _, request in pairs]) for site, pairs in asked.items()}
        patience = _patience(active, asked, settings)
        for site, frames in session.exchange(contents, group=str(number), **patience):
            if len(frames) == len(asked[site]):
                for (run, _), frame in zip(asked[site], frames, strict=True):
                    run.take(site, frame)
        for run in active:
            if run.phase != "over":
                with _ending(run):
                    phase, opened, missing = run.phase, run.round, run.attendance.missing
                    run.conclude()
                    now = time.monotonic()
                    if run.attendance.missing != missing:
                        report({"event": "missing", "task": run.name, "missing": run.attendance.missing})
                    report(_progress(run, "exchange", now - started) | {"phase": phase})
                    if phase in ("join", "end"):
                        report(_progress(run, {"join": "joined", "end": "ended"}[phase], now - started))
                    if run.round > opened:
                        report(_progress(run, "round", now - rounds_began[run.name]))
                    if run.phase == "round":
                        rounds_began[run.name] = now
        number += 1


def _patience(
    active: list[TaskRun], asked: Mapping[str, list[tuple[TaskRun, Request]]], settings: CoordinatorSettings
) -> dict[str, Any]:
    """How long an exchange waits, for whom."""
    enough = [run.enough for run in active]
    everyone_ends = all(run.phase == "end" for run in active)
    everyone_reveals = all(run.phase == "reveal" for run in active)
    return {
        "seconds": settings.round_seconds,
        # Nothing hangs on the end but that sites destroy their keys: the first answer shows how long that takes.
        "enough": 1 if everyone_ends else None if None in enough else max(count for count in enough if count),
        "grace": REVEAL_GRACE_SECONDS if everyone_reveals else settings.grace_seconds,
        "optional": {site for site, pairs in asked.items() if all(site in run.optional for run, _ in pairs)},
    }


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


def _finish(run: TaskRun) -> None:
    """Close the run at the authority, which destroys its keys, and write how it ended."""
    try:
        run.authority.close_run(run.run)
    except CloisterError as error:
        run.error = run.error or error
    if run.error is None:
        run.checkpoint.write_result(run.figures())


def _tell_end(run: TaskRun, report: Report) -> None:
    if run.error is None:
        report({"event": "done", **run.figures()})
    else:
        kind = type(run.error).__name__
        report({"event": "error", "task": run.name, "error": kind, "message": str(run.error)})


def _progress(run: TaskRun, event: str, seconds: float) -> dict[str, Any]:
    return {
        "event": event,
        "task": run.name,
        "round": run.round,
        "seconds": round(seconds, 3),
        "sites": len(run.attendance.present),
        "step": str(run.state.get("stage", "")),
    }


def _session(settings: CoordinatorSettings, report: Report) -> Session:
    return Session(
        settings.link,
        settings.credentials(),
        settings.node_keys,
        link_seconds=settings.link_seconds,
        report=report,
    )


def _authority(settings: CoordinatorSettings, roster: Roster) -> AuthorityClient:
    client = AuthorityClient(settings.authority, settings.ca, settings.authority_token(), roster, settings.memory)
    client.wait_ready()
    return client
