"""A small federation on loopback for benchmarks and functional tests: real processes, real keys, nothing supervised.

Lays out one work area with roots, identities, a signed roster and secrets, then starts SuperLink, SuperNodes and
workers from ``federated.processes``. Supervision with progress and restarts is pipelines' business; this stops hard.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.zone import WorkArea
from federated import keys, processes
from federated.coordinator.session import Credentials
from federated.coordinator.settings import CoordinatorSettings
from federated.leash import leash
from federated.processes import Command, LinkAddress
from federated.registration import register_nodes
from federated.site.settings import IDENTITY_KEY, WorkerSettings
from governance.approvals import Approval, sign_approval
from governance.certificates import certificate_digest, issue_server, make_root
from governance.files import write_private
from governance.roster import make_roster
from governance.signing import Identity, load_identity, make_identity
from governance.vault import Unlock, make_vault

LOOPBACK = ("127.0.0.1", "localhost")
PROGRAMS = "federated.programs"
REGION = "bench"
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass
class Bed:
    """A laid-out federation. ``start_*`` start processes, ``stop`` ends them all."""

    root: Path
    region: Path
    sites: tuple[str, ...]
    programs: str = PROGRAMS
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    started_in: dict[str, float] = field(default_factory=dict)
    node_ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.area = WorkArea(self.root)
        ports = free_ports(2 + len(self.sites))
        self.link = LinkAddress("127.0.0.1", ports[0], self.area.pki / "root.crt")
        self.authority_port = ports[1]
        self.node_ports = dict(zip(self.sites, ports[2:], strict=True))
        self.commission = self._lay_out()

    @property
    def roster(self) -> Path:
        return self.area.pki / "roster.json"

    @property
    def passphrase_file(self) -> Path:
        return self.root / "authority.passphrase"

    @property
    def credentials(self) -> Credentials:
        folder = self.area.coordinator / "secrets"
        return Credentials((folder / keys.LINK_TOKEN).read_bytes(), (folder / keys.SUPEREXEC_SECRET).read_bytes())

    def start(self, sites: Sequence[str] | None = None) -> None:
        """Start authority and SuperLink, register all sites, start SuperNode and worker of ``sites`` (default: all)."""
        self.start_authority()
        self.start_link()
        self.register()
        chosen = self.sites if sites is None else sites
        for site in chosen:
            self.start_site(site)
        for site in chosen:
            self.wait_port(f"supernode-{site}", self.node_ports[site])

    def start_link(self) -> None:
        folder = self.area.coordinator / "secrets"
        command = processes.superlink(self.link, folder, folder / "server.crt", folder / "server.key", tie=leash())
        self.launch("superlink", command)
        self.wait_port("superlink", self.link.port)

    def start_authority(self) -> None:
        """Start the key authority; does not wait."""
        folder = self.area.authority
        settings = {
            "folder": str(folder),
            "port": self.authority_port,
            "certificate": str(folder / "secrets" / "server.crt"),
            "private_key": str(folder / "secrets" / "server.key"),
            "token_file": str(folder / "secrets" / "coordinator.token"),
            "passphrase_file": str(self.passphrase_file),
            "roster": str(self.roster),
            "commission": self.commission.public,
        }
        config = folder / "authority.toml"
        config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        argv = (*processes.python_module("secure_compute.authority"), "--config", str(config))
        self.launch("authority", Command(argv, processes.environment(folder / "flwr", leash())))

    def approve(self, task: str, program: str) -> None:
        """Sign an approval of a program for a day."""
        now = datetime.now(UTC)
        approval = Approval(
            name=f"bench-{task}-{program[:8]}",
            region=REGION,
            task=task,
            program=program,
            purpose="measuring and testing",
            valid_from=(now - timedelta(hours=1)).isoformat(),
            valid_until=(now + timedelta(days=1)).isoformat(),
        )
        folder = self.area.authority / "approvals"
        folder.mkdir(exist_ok=True)
        (folder / f"{approval.name}.json").write_bytes(sign_approval(self.commission, approval))

    def coordinator_settings(self, *tasks: str, **changes: object) -> CoordinatorSettings:
        """Settings of a coordinator for these tasks."""
        folder = self.area.coordinator
        settings = CoordinatorSettings(
            region=self.region,
            tasks=tasks,
            folder=folder / "runs",
            roster=self.roster,
            commission=self.commission.public,
            port=self.link.port,
            ca=self.link.ca,
            secrets=folder / "secrets",
            authority=f"https://127.0.0.1:{self.authority_port}",
            memory=folder / "authority.memory",
            nodes=self.node_ids,
            programs=self.programs,
        )
        return settings.model_copy(update=changes)

    def run_coordinator(self, settings: CoordinatorSettings) -> tuple[int, list[dict[str, Any]]]:
        """Run the coordinator's process to its end; its exit code and its progress."""
        config = self.area.coordinator / "coordinator.json"
        config.write_text(settings.model_dump_json(indent=2))
        command = processes.coordinator(config, self.area.coordinator / "flwr", tie=leash())
        with (self.root / "coordinator.log").open("ab") as log:
            done = subprocess.run(command.argv, env=self._env(command), stdout=subprocess.PIPE, stderr=log, timeout=300)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def register(self) -> None:
        public = {site: self.area.site(site).secrets / keys.NODE_PUBLIC_KEY for site in self.sites}
        self.node_ids = register_nodes(self.link, self.credentials.token, public)

    def start_site(self, site: str) -> None:
        """Start SuperNode and worker of one site; does not wait."""
        zone = self.area.site(site)
        home = zone.root / "flwr"
        node = processes.supernode(self.link, zone.secrets, home, self.node_ports[site], tie=leash())
        self.launch(f"supernode-{site}", node)
        self.launch(f"worker-{site}", processes.worker(self.worker_config(site), home, tie=leash()))

    def worker_config(self, site: str) -> Path:
        zone = self.area.site(site)
        settings = WorkerSettings(
            site=site,
            zone=zone.root,
            region=self.region,
            roster=self.roster,
            commission=self.commission.public,
            runtime=f"127.0.0.1:{self.node_ports[site]}",
            ca=self.link.ca,
            programs=self.programs,
            log_file=zone.logs / "worker.log",
        )
        path = zone.root / "worker.json"
        path.write_text(settings.model_dump_json(indent=2))
        return path

    def launch(self, name: str, command: Command) -> subprocess.Popen[bytes]:
        with (self.root / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command.argv, env=self._env(command), stdout=log, stderr=log)
        self.started_in[name] = time.monotonic()
        return self.running[name]

    def wait_port(self, name: str, port: int, seconds: float = 90.0) -> None:
        """Wait until ``name`` listens on ``port``; notes how long its start took. Raises RuntimeError with its log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.running[name].poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                self.started_in[name] = time.monotonic() - self.started_in[name]
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{name} did not start:\n{(self.root / f'{name}.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End all processes, by id, gently and then not."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def cpu_seconds(self, name: str) -> float:
        """CPU time a process has used, user and system."""
        fields = Path(f"/proc/{self.running[name].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _env(self, command: Command) -> dict[str, str]:
        return {**command.env, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests" / "support")))}

    def _lay_out(self) -> Identity:
        area, root, root_key = self.area, self.area.pki / "root.crt", self.area.pki / "root.key"
        make_root(root, root_key, "bench region")
        write_private(self.passphrase_file, os.urandom(32).hex().encode())
        vault = make_vault(area.authority, Unlock(passphrase_file=self.passphrase_file))
        for folder, own in ((area.coordinator / "secrets", None), (area.authority / "secrets", vault)):
            issue_server(root, root_key, folder / "server.crt", folder / "server.key", LOOPBACK, vault=own)
        keys.make_link_secrets(area.coordinator / "secrets")
        keys.make_secret(area.coordinator / "secrets" / "authority.token")
        token = (area.coordinator / "secrets" / "authority.token").read_bytes()
        write_private(area.authority / "secrets" / "coordinator.token", token)
        for site in self.sites:
            zone = area.site(site)
            keys.make_site_secrets(zone.secrets)
            issue_server(root, root_key, zone.secrets / "runtime.crt", zone.secrets / "runtime.key", LOOPBACK)
            make_identity(zone.secrets / IDENTITY_KEY)
            zone.logs.mkdir(parents=True)
        authority = make_identity(area.authority / "secrets" / "authority.key", vault)
        commission = make_identity(area.pki / "commission.key")
        identities = {site: load_identity(area.site(site).secrets / IDENTITY_KEY).public for site in self.sites}
        roster = make_roster(
            REGION,
            identities,
            authority=authority.public,
            commission=commission,
            tls_root=certificate_digest(root),
        )
        self.roster.write_bytes(roster)
        return commission


def free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def write_result(path: Path, result: object) -> None:
    """Write a benchmark's figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
