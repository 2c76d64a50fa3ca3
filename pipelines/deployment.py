"""The region's processes on one machine: authority, SuperLink, a SuperNode and a warm worker a site.

Each has its own work directory, TLS is on, nodes are authenticated, nothing listens beyond loopback. In a real region
the same commands run on one host a party (deploy/).
"""

from __future__ import annotations

import json

from contracts.region import Region, Site
from contracts.zone import WorkArea
from federated import processes
from federated.keys import NODE_PUBLIC_KEY
from federated.processes import LinkAddress
from federated.site.settings import WorkerSettings
from governance.files import write_durable
from governance.roster import load_roster
from pipelines.authority_vault import read_unlock
from pipelines.parties import Papers
from pipelines.ports import LOOPBACK, free_ports, wait_for
from pipelines.processes import Supervisor


class Deployment:
    """Starts everything in ``start``; the supervisor given stops it. ``region``: its sites that the roster names."""

    def __init__(self, region: Region, area: WorkArea, papers: Papers, processes_: Supervisor) -> None:
        self.roster = load_roster(papers.roster, papers.commission)
        members = tuple(site for site in region.sites if site.name in self.roster.sites)
        self.region = region = region.model_copy(update={"sites": members})
        self.area = area
        self.papers = papers
        self._processes = processes_
        ports = free_ports(2 + len(region.sites))
        self.authority_url = f"https://{LOOPBACK}:{ports[0]}"
        self._authority_port = ports[0]
        self.link = LinkAddress(LOOPBACK, ports[1], papers.root)
        self._runtime_ports = {site.name: port for site, port in zip(region.sites, ports[2:], strict=True)}

    def start(self) -> None:
        """Start all services and wait until each accepts connections. Raises CloisterError naming one that does not."""
        self._start_authority()
        self._start_superlink()
        wait_for(self.link.port, "the SuperLink")
        for site in self.region.sites:
            self._start_site(site)
        wait_for(self._authority_port, "the key authority")

    def check(self) -> None:
        """Raise CloisterError naming a process that ended again and again, and its log."""
        self._processes.check()

    def node_keys(self) -> dict[str, str]:
        """Each site's SuperNode key, an OpenSSH line; the coordinator registers them."""
        return {
            site.name: (self.area.site(site.name).secrets / NODE_PUBLIC_KEY).read_text() for site in self.region.sites
        }

    def _start_authority(self) -> None:
        folder = self.area.authority
        settings: dict[str, str | int | list[str]] = {
            "folder": str(folder),
            "port": self._authority_port,
            "certificate": str(folder / "secrets" / "server.crt"),
            "private_key": str(folder / "secrets" / "server.key"),
            "token_file": str(folder / "secrets" / "coordinator.token"),
            "roster": str(self.papers.roster),
            "commission": self.papers.commission,
            **read_unlock(self.area).model_dump(mode="json", exclude_none=True),
        }
        config = folder / "authority.toml"
        write_durable(config, _toml(settings))
        argv = (*processes.python_module("secure_compute.authority"), "--config", str(config))
        self._processes.start(
            "authority", argv, processes.environment(folder / "flwr"), folder / "logs" / "authority.log"
        )

    def _start_superlink(self) -> None:
        folder = self.area.coordinator
        secrets = folder / "secrets"
        command = processes.superlink(self.link, secrets, secrets / "server.crt", secrets / "server.key")
        self._processes.start("superlink", command.argv, command.env, folder / "logs" / "superlink.log")

    def _start_site(self, site: Site) -> None:
        zone, port = self.area.site(site.name), self._runtime_ports[site.name]
        home = zone.root / "flwr"
        node = processes.supernode(self.link, zone.secrets, home, port)
        self._processes.start(f"supernode of {site.name}", node.argv, node.env, zone.logs / "supernode.log")
        settings = WorkerSettings(
            site=site.name,
            zone=zone.root,
            region=self.region.folder,
            roster=self.papers.roster,
            commission=self.papers.commission,
            runtime=f"{LOOPBACK}:{port}",
            ca=self.papers.root,
            log_file=zone.logs / "worker.log",
        )
        config = zone.root / "worker.json"
        write_durable(config, settings.model_dump_json(indent=2).encode())
        worker = processes.worker(config, home)
        self._processes.start(f"worker of {site.name}", worker.argv, worker.env, zone.logs / "worker.out")


def _toml(values: dict[str, str | int | list[str]]) -> bytes:
    """Flat TOML: JSON strings, and lists of them, are TOML's."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()).encode()
