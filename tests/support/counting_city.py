"""Hospitals that count, all in this process: real applications, keys, ciphertexts and authority; Flower is absent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import counting_programs
from secure_region import DirectAuthority, SecureRegion

from benchmarks.number_task import write_numbers, write_region, write_task
from contracts.region import Task, load_region
from federated.coordinator.task_run import TaskRun
from federated.site.app import SiteApplication
from federated.site.egress import EgressGuard
from federated.site.settings import WorkerSettings


class City:
    """Sites' applications and an authority. ``values``: of each site's rows."""

    def __init__(self, root: Path, values: Mapping[str, Sequence[float]], quorum: int | None = None) -> None:
        self.root = root
        self.values = values
        write_region(root / "region", "testland")
        write_task(root / "region", "count", max_rows=500)
        self.keys = SecureRegion(root / "keys", tuple(values), quorum=quorum)
        self.digest = counting_programs.program_digest(counting_task(root))
        self.keys.approve(task="count", program=self.digest)
        self.authority: DirectAuthority = self.keys.authority()
        self.sites = {site: self.open_site(site) for site in values}

    def open_site(self, site: str) -> SiteApplication:
        zone = self.root / site
        settings = WorkerSettings(
            site=site,
            zone=zone,
            region=self.root / "region",
            roster=self.root / "roster.json",
            commission=self.keys.commission.public,
            runtime="127.0.0.1:1",
            ca=self.root / "none.crt",
            programs="counting_programs",
            log_file=zone / "log",
        )
        (zone / "secrets").mkdir(parents=True)
        write_numbers(settings.site_zone, "count", self.values[site])
        identity = self.keys.identities[site]
        guard = EgressGuard(settings.site_zone.egress, site, identity.public)
        return SiteApplication(settings, identity, self.keys.roster, guard)

    def task_run(self) -> TaskRun:
        program, folder = counting_programs.Counting(), self.root / "runs" / "count"
        return TaskRun("count", program, self.digest, self.authority, self.keys.roster, set(self.values), folder)

    def reopen(self, site: str) -> None:
        """The site's worker is killed and started again: what it had in memory is gone."""
        before = self.sites[site]
        before.guard.close()
        settings = before.settings
        guard = EgressGuard(settings.site_zone.egress, site, before.identity.public)
        self.sites[site] = SiteApplication(settings, before.identity, self.keys.roster, guard)

    def exchange(self, run: TaskRun, silent: Collection[str] = ()) -> dict[str, bytes]:
        """What the sites answer; ``silent`` ones are dead."""
        asked = run.requests().items()
        return {site: self.sites[site].answer(request) for site, request in asked if site not in silent}

    def turn(self, run: TaskRun, silent: Collection[str] = ()) -> None:
        """One exchange."""
        run.begin()
        for site, frame in self.exchange(run, silent).items():
            run.take(site, frame)
        run.conclude()

    def started(self) -> TaskRun:
        """A run in which every site has contributed to round 0, which was opened."""
        run = self.task_run()
        while run.round == 0:
            self.turn(run)
        return run

    def close(self) -> None:
        self.authority.close()
        for site in self.sites.values():
            site.guard.close()


def counting_task(root: Path) -> Task:
    return load_region(root / "region").task("count")
