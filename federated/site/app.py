"""The application that a hospital installed: answers what the coordinator asks in the runs it has agreed to.

The program of a run is the site's *own*: read from its own region folder, and compared by digest with the one that the
run's descriptor names. Public state is recomputed here from totals that the authority signed; nothing that the
coordinator says enters a term.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable

from contracts.errors import PrivacyError, RefusedError
from contracts.messages import Heartbeat, Refusal, RefusalCode, RunDescriptor
from contracts.region import Task, load_region
from contracts.wire import parts_digest
from federated.envelope import Request
from federated.site.egress import EgressGuard
from federated.site.policy import Policy
from federated.site.rows import load_rows
from federated.site.run import SiteRun
from federated.site.run_folder import RunFolder, remove_papers_without_secrets
from federated.site.settings import IDENTITY_KEY, WorkerSettings
from governance.certificates import require_root
from governance.roster import Roster, load_roster
from governance.signing import Identity, load_identity, open_message, sign_message
from secure_compute.site_session import SiteSession

log = logging.getLogger("cloister.site")

NO_PARTS = parts_digest(())
RUN_SECRETS = "runs"
"""Folder of a site's secrets of its runs, among its secrets."""

RUN_ID = re.compile(r"[0-9a-f]{32}")


class SiteApplication:
    """State of one worker: its identity, its guard and the runs it joined."""

    def __init__(self, settings: WorkerSettings, identity: Identity, roster: Roster, guard: EgressGuard) -> None:
        self.settings = settings
        self.identity = identity
        self.roster = roster
        self.guard = guard
        self.runs: dict[str, SiteRun] = {}
        self.heartbeats = 0
        self._handlers: dict[str, Callable[[Request], bytes]] = {
            "ping": self._heartbeat,
            "join": self._join,
            "round": lambda request: self._run(request).contribute(request),
            "agree": lambda request: self._run(request).agree(request),
            "reveal": lambda request: self._run(request).reveal(request),
            "end": self._end,
        }

    @classmethod
    def open(cls, settings: WorkerSettings) -> SiteApplication:
        """Load keys and roster and open the ledger. Raises CredentialError, IntegrityError or UsageError.

        IntegrityError also when ``settings.ca`` is not the TLS root that the roster names.
        """
        secrets = settings.site_zone.secrets
        identity = load_identity(secrets / IDENTITY_KEY)
        roster = load_roster(settings.roster, settings.commission, secrets / "roster.memory")
        require_root(settings.ca, roster.tls_root)
        guard = EgressGuard(settings.site_zone.egress, settings.site, identity.public)
        remove_papers_without_secrets(settings.site_zone.runs, secrets / RUN_SECRETS)
        return cls(settings, identity, roster, guard)

    def answer(self, request: Request) -> bytes:
        """The frame that answers one request; a rule of the protocol that is broken becomes its refusal code."""
        try:
            return self.guard.admit(self._handlers[request.kind](request))
        except RefusedError as refused:
            log.warning("a %s request was refused: %s", request.kind, refused)
            return self.refuse(RefusalCode(refused.code), request.run, request.round)
        except PrivacyError as error:
            log.error("a %s request was declined: %s", request.kind, error)
            return self.refuse(RefusalCode.POLICY, request.run, request.round)

    def refuse(self, code: RefusalCode, run: str = "", round_no: int | None = None, about: str = "") -> bytes:
        """A signed refusal with its code, audited; names the run only when this site joined it.

        ``about``: digest of what was refused, for the site's own audit chain.
        """
        self.guard.note_refusal(code, run if RUN_ID.fullmatch(run) else "", about)
        known = run if run in self.runs else None
        header = Refusal(content=NO_PARTS, run=known, round=round_no, site=self.settings.site, code=code)
        return self.guard.admit(sign_message(self.identity, header))

    def _heartbeat(self, _: Request) -> bytes:
        self.heartbeats += 1
        header = Heartbeat(content=NO_PARTS, site=self.settings.site, number=self.heartbeats)
        return sign_message(self.identity, header)

    def _join(self, request: Request) -> bytes:
        """Agree to a run: the authority granted it, its program is ours, and we have data for it."""
        descriptor = _only(request.named("descriptor"))
        header, _ = open_message(descriptor, RunDescriptor, self.roster.authority)
        if header.run not in self.runs:
            self._take_up(header, descriptor)
        return self.runs[header.run].key_message

    def _take_up(self, header: RunDescriptor, descriptor: bytes) -> None:
        """Join a run, or go on with it when an earlier process of this site had joined it."""
        task = self._task(header.task)
        programs = importlib.import_module(self.settings.programs)
        if task is None or programs.program_digest(task) != header.program:
            raise RefusedError(RefusalCode.WRONG_PROGRAM, f"this hospital's program for '{header.task}' is another")
        zone = self.settings.site_zone
        snapshot = load_rows(zone, task)
        policy = Policy(zone.governance / "policy.toml", self.guard.ledger)
        policy.require_program(task.name, 0 if snapshot is None else snapshot.count)
        if snapshot is None:
            raise RefusedError(RefusalCode.NO_DATA, f"no rows for task '{task.name}'")
        memory, secrets = zone.secrets / "authority.memory", zone.secrets / RUN_SECRETS
        session = SiteSession(self.settings.site, self.identity, self.roster, memory, secrets)
        key_message = session.join(descriptor, header.program)
        folder, program = RunFolder(zone.runs, header.run), programs.program_for(task)
        run = SiteRun(task.name, session, program, snapshot, key_message, folder, policy)
        run.restore()
        folder.begin(descriptor)
        for other in [other for other, one in self.runs.items() if one.task == task.name]:
            # Of a run of the same task whose coordinator died nothing more will come.
            self.runs.pop(other).end()
        remove_papers_without_secrets(zone.runs, secrets)
        self.runs[header.run] = run

    def _end(self, request: Request) -> bytes:
        """Take the last totals and forget the run; asked again, the run is gone already."""
        run = self._find(request.run)
        if run is not None:
            run.accept(request)
            run.end()
            del self.runs[request.run]
        return self._heartbeat(request)

    def _run(self, request: Request) -> SiteRun:
        run = self._find(request.run)
        if run is None:
            raise RefusedError(RefusalCode.UNKNOWN_RUN, "this site has not joined that run")
        return run

    def _find(self, name: str) -> SiteRun | None:
        """A run that this site joined, perhaps in a process that was killed since."""
        if name not in self.runs and RUN_ID.fullmatch(name):
            descriptor = RunFolder(self.settings.site_zone.runs, name).descriptor
            if descriptor is not None:
                self._take_up(open_message(descriptor, RunDescriptor, self.roster.authority)[0], descriptor)
        return self.runs.get(name)

    def _task(self, name: str) -> Task | None:
        """The site's own definition of a task, read afresh so that an update needs no restart."""
        return next((task for task in load_region(self.settings.region).tasks if task.name == name), None)


def _only(parts: list[bytes]) -> bytes:
    if len(parts) != 1:
        raise RefusedError(RefusalCode.BAD_MESSAGE, f"expected one part, found {len(parts)}")
    return parts[0]
